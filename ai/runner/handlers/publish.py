"""Showing a run in the browser while it goes on."""

from __future__ import annotations

from time import monotonic

from asgiref.sync import sync_to_async

from ai.events import StreamEvent
from ai.runner import live
from ai.runner.handlers.base import AsyncEventHandler
from ai.runner.state import RunState


class PublishHandler(AsyncEventHandler):
    """Publishes what the run has said so far, at most every `seconds`."""

    def __init__(self, state: RunState, *, seconds: float = 0.1) -> None:
        super().__init__()
        self._state, self._seconds, self._last = state, seconds, 0.0

    async def on_event(self, event: StreamEvent) -> None:
        """Publish when it is time to."""
        if monotonic() - self._last < self._seconds or not event.name.endswith(".delta"):
            return
        self._last = monotonic()
        output = [(self._state.order.run_id, self._state.live_output())]
        await sync_to_async(live.show, thread_sensitive=False)(output)

    async def on_end(self) -> None:
        """Nothing is live any more."""
        await sync_to_async(live.forget, thread_sensitive=False)([self._state.order.run_id])
