"""Keeping a run's result in the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from asgiref.sync import sync_to_async

from ai.models import Run
from ai.runner import results
from ai.runner.handlers.base import AsyncEventHandler
from ai.runner.state import RunState


class PersistHandler(AsyncEventHandler):
    """Writes the run, its steps and its messages in one transaction when it ends; deltas never reach the database."""

    def __init__(self, run: Run, state: RunState, *, now: Callable[[], datetime]) -> None:
        super().__init__()
        self._run, self._state, self._now = run, state, now

    async def on_end(self) -> None:
        """Write; when another worker has taken the run over, nothing."""
        if self._state.has_ended or self._state.status == "requires_action":
            await sync_to_async(results.write)([results.of_state(self._run, self._state)], at=self._now())
