"""Keeping a run's result in the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from asgiref.sync import sync_to_async

from ai.events import StreamEvent
from ai.models import Run
from ai.runner import results
from ai.runner.handlers.base import AsyncEventHandler
from ai.runner.state import RunState


class PersistHandler(AsyncEventHandler):
    """Writes the run, its steps and its messages in one transaction when it ends; deltas never reach the database.

    For a `Runner` of somebody's own that executes a held run: `Runner.on_thread`, workers and the API write by themselves.
    """

    def __init__(self, run: Run, state: RunState, *, now: Callable[[], datetime]) -> None:
        super().__init__()
        self._run, self._state, self._now, self._written = run, state, now, False

    async def on_event(self, event: StreamEvent) -> None:
        """Write before anybody hears that the run has ended; when another worker has taken it over, nothing."""
        if not self._written and (self._state.has_ended or self._state.status == "requires_action"):
            self._written = True
            await sync_to_async(results.write)([results.of_state(self._run, self._state)], at=self._now())
