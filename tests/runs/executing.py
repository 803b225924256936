"""Executing one run as a worker or a web process does, stopped at chosen moments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from asgiref.sync import async_to_sync, sync_to_async

from ai import llm, tenancy
from ai.events import DONE, StreamEvent
from ai.models import Run
from ai.runner import loading
from ai.runner.carrier import Carrier
from tests.runs.brain import Brain

Clock = Callable[[], datetime]
Do = Literal["", "act", "wait", "hang up", "kill"]

STEP_SECONDS = 0.001


@dataclass(frozen=True)
class Moment:
    """When something happens to a run, and what: at the model's answer or the event of this number."""

    do: Do = ""
    """`act` (and go on), act and `wait` until the run has ended of it, `hang up` as a client, or `kill` the process."""
    at: int = 0


@dataclass
class Execution:
    """One run on an event loop of its own; `told` are the events that a client would have got."""

    run: Run
    brain: Brain
    now: Clock
    moment: Moment = Moment()
    act: Callable[[], None] = lambda: None
    """What happens meanwhile, on the thread that has the database."""
    told: list[StreamEvent] = field(default_factory=list)
    is_killed: bool = False

    def go(self) -> None:
        """Execute until the end, or until it is killed."""
        with tenancy.everything(reason="a process executes a run"):
            work = loading.load([self.run])[0]
            async_to_sync(self._go)(work)

    async def _go(self, work: loading.Work) -> None:
        self._carrier = Carrier(now=self.now)
        self._carrier.open()
        gate = self.brain.hold(self.moment.at) if self.moment.do in {"act", "wait"} else None
        self._task, self._self = self._carrier.carry(work, self._hear), asyncio.current_task()
        try:
            if gate is not None:
                while not (gate.reached.is_set() or self._task.done()):
                    await asyncio.sleep(STEP_SECONDS)
                if gate.reached.is_set():
                    await sync_to_async(self.act)()
                if self.moment.do == "wait":
                    await asyncio.wait([self._task], timeout=2)
                gate.opened.set()
            await asyncio.gather(self._task, return_exceptions=True)
            if not self.is_killed:
                await self._carrier.close()
        finally:
            self.brain.gate = None
            await llm.aclose()

    def _hear(self, event: StreamEvent) -> None:
        self.told.append(event)
        if len(self.told) - 1 != self.moment.at:
            return
        if self.moment.do == "kill":
            self.is_killed = True
            for task in asyncio.all_tasks() - {self._self}:  # whatever the process was about to do
                task.cancel()
        elif self.moment.do == "hang up":
            self._carrier.cancel(self.run.pk)

    @property
    def ending(self) -> list[str]:
        """The names of the last two events: what became of the run, and `done`."""
        assert not self.told or self.is_killed or self.told[-1] is DONE
        return [event.name for event in self.told[-2:]]
