"""The events of a streamed run, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_RUN = "created queued in_progress requires_action completed incomplete failed cancelling cancelled expired"
_STEP = "created in_progress delta completed failed cancelled expired"
_MESSAGE = "created in_progress delta completed incomplete"

#: Every event name of the Assistants API (version 2), in the order of its documentation.
NAMES: tuple[str, ...] = (
    "thread.created",
    *(f"thread.run.{name}" for name in _RUN.split()),
    *(f"thread.run.step.{name}" for name in _STEP.split()),
    *(f"thread.message.{name}" for name in _MESSAGE.split()),
    "error",
    "done",
)


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event: its name, and the JSON object (or for `done` the text) as it was at that moment."""

    name: str
    data: Any

    @property
    def event(self) -> str:
        """The name, under the OpenAI SDK's name."""
        return self.name


#: The last event of every stream.
DONE = StreamEvent("done", "[DONE]")
