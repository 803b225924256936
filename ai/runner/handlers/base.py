"""The base classes of handlers, and passing events to several of them."""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from ai.events import StreamEvent
from ai.runner.handlers.callbacks import Callbacks, View

log = logging.getLogger(__name__)


class EventHandler:
    """Override what you want to hear of. Arguments are JSON objects whose keys are attributes too.

    The names, arguments and order are those of `openai.AssistantEventHandler`. A callback that raises is logged and
    never breaks the run.
    """

    def __init__(self) -> None:
        self.current_event: StreamEvent | None = None
        self.current_run: View | None = None
        self.current_message_snapshot: View | None = None
        self.current_run_step_snapshot: View | None = None

    def on_event(self, event: StreamEvent) -> Any:
        """Every event."""

    def on_text_created(self, text: View) -> Any:
        """A message's text begins."""

    def on_text_delta(self, delta: View, snapshot: View) -> Any:
        """More text: `delta.value`; the whole so far: `snapshot.value`."""

    def on_text_done(self, text: View) -> Any:
        """A message's text is whole."""

    def on_message_created(self, message: View) -> Any:
        """A message begins."""

    def on_message_delta(self, delta: View, snapshot: View) -> Any:
        """More of a message."""

    def on_message_done(self, message: View) -> Any:
        """A message is whole, or was broken off (`message.status` is `incomplete`)."""

    def on_run_step_created(self, run_step: View) -> Any:
        """A step begins."""

    def on_run_step_delta(self, delta: View, snapshot: View) -> Any:
        """More of a step."""

    def on_run_step_done(self, run_step: View) -> Any:
        """A step has ended."""

    def on_tool_call_created(self, tool_call: View) -> Any:
        """The model begins a tool call."""

    def on_tool_call_delta(self, delta: View, snapshot: View) -> Any:
        """More of a tool call's arguments."""

    def on_tool_call_done(self, tool_call: View) -> Any:
        """A tool call is whole."""

    def on_exception(self, exception: Exception) -> Any:
        """The run failed."""

    def on_timeout(self) -> Any:
        """The run took too long and expired."""

    def on_end(self) -> Any:
        """Nothing comes after this."""


class AsyncEventHandler(EventHandler):
    """The same with callbacks that may be `async def`, as in `openai.AsyncAssistantEventHandler`."""


Handler = EventHandler


async def follow(
    events: AsyncGenerator[StreamEvent, None], handlers: Sequence[Handler]
) -> AsyncGenerator[StreamEvent, None]:
    """The events as they come, each told to every handler first."""
    callbacks = Callbacks()
    try:
        async with aclosing(events):
            async for event in events:
                for name, arguments in callbacks.of(event):
                    await _tell(handlers, name, arguments, event, callbacks)
                yield event
    finally:
        for handler in handlers:
            await _call(handler, "on_end", ())


async def _tell(
    handlers: Sequence[Handler], name: str, arguments: tuple[Any, ...], event: StreamEvent, callbacks: Callbacks
) -> None:
    for handler in handlers:
        handler.current_event = event
        if event.name.startswith("thread.run.") and not event.name.startswith("thread.run.step."):
            handler.current_run = View(event.data)
        handler.current_message_snapshot, handler.current_run_step_snapshot = callbacks.message, callbacks.step
        await _call(handler, name, arguments)


async def _call(handler: Handler, name: str, arguments: tuple[Any, ...]) -> None:
    try:
        result = getattr(handler, name)(*arguments)
        if inspect.isawaitable(result):
            await result
    except Exception:
        log.exception("%s.%s failed; the run goes on.", type(handler).__name__, name)
