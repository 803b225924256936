"""Writing an answer to a terminal as it comes."""

from __future__ import annotations

import sys
from typing import TextIO

from ai.runner.handlers.base import EventHandler
from ai.runner.handlers.callbacks import View


class PrintHandler(EventHandler):
    """Writes text as it arrives, and each tool call on a line of its own."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self._out = stream or sys.stdout

    def on_text_delta(self, delta: View, snapshot: View) -> None:
        """Write the piece."""
        self._out.write(delta.value)
        self._out.flush()

    def on_text_done(self, text: View) -> None:
        """End the line."""
        self._out.write("\n")

    def on_tool_call_done(self, tool_call: View) -> None:
        """Write the call."""
        self._out.write(f"→ {tool_call.function.name}({tool_call.function.arguments})\n")

    def on_exception(self, exception: Exception) -> None:
        """Write what went wrong."""
        self._out.write(f"! {exception}\n")
