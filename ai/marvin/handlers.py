"""Marvin's runs in the console: as runs with their steps, live while they go on."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.utils import timezone
from marvin.engine.events import (
    ActorEndTurnEvent,
    ActorMessageDeltaEvent,
    ActorStartTurnEvent,
    Event,
    OrchestratorEndEvent,
    OrchestratorErrorEvent,
    OrchestratorStartEvent,
    ToolCallDeltaEvent,
    ToolCallEvent,
    ToolResultEvent,
    ToolRetryEvent,
)
from marvin.engine.orchestrator import Orchestrator
from marvin.handlers.handlers import AsyncHandler

from ai import conf
from ai.exceptions import InvalidInput, RunNotActive
from ai.llm.agent_turns import result_so_far
from ai.marvin import outcomes
from ai.marvin.place import Place
from ai.marvin.recording import Recording
from ai.marvin.steps import Seen
from ai.marvin.threads import DjangoThread
from ai.services import actors

log = logging.getLogger(__name__)

WATCH_SECONDS = 1.0
SHOW_SECONDS = 0.1


@dataclass
class _Going:
    """A run that goes on."""

    thread: DjangoThread
    recording: Recording
    began: datetime
    task: asyncio.Task[Any] | None
    watcher: asyncio.Task[None] | None = None
    outcome: outcomes.Outcome | None = None
    is_cancelled: bool = False
    text: list[str] = field(default_factory=list)
    ending: str | None = None
    shown_at: float = 0.0

    @property
    def place(self) -> Place:
        """Where its queries are made."""
        return self.thread.place


class DjangoHandler(AsyncHandler):
    """Records what Marvin does on a `DjangoThread` as a run with its steps: status, model, usage, cost, times.

    One handler may serve any number of runs, one after the other or at the same time. A run that somebody cancels in the
    console ends with `RunNotActive`. What cannot be recorded while a run goes on is logged, and the run goes on.
    """

    def __init__(self, *, by: Any = actors.SYSTEM) -> None:
        """`by` is who asked for the runs: a user, or the installation itself."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._by = by
        self._going: dict[int, _Going] = {}

    async def _handle(self, event: Event) -> None:
        """Take an event; only what must stop the run is raised.

        Raises:
            ThreadBusy: the thread has an active run.
            NotFound: the thread is another tenant's.
            InvalidInput: the thread is none of ours.
            RunNotActive: somebody cancelled the run in the console.
        """
        if isinstance(event, OrchestratorStartEvent):
            await self._start()
        await super()._handle(event)
        going = self._current()
        if isinstance(event, OrchestratorErrorEvent) and going and going.is_cancelled:
            if going.task:
                going.task.uncancel()
            raise RunNotActive("Somebody cancelled this run in the console.")

    def _current(self) -> _Going | None:
        return self._going.get(id(Orchestrator.get_current()))

    # -- The run

    async def _start(self) -> None:
        running = Orchestrator.get_current()
        thread = running.thread if running else None
        if running is None or not isinstance(thread, DjangoThread):
            raise InvalidInput("DjangoHandler records what happens on Django threads: add thread=DjangoThread(…).")
        recording, at = Recording(thread.store, running.get_all_tasks(), by=self._by), timezone.now()
        await thread.place.run(lambda: recording.begin(at=at))
        thread.written()
        thread.run_id = recording.run.pk
        going = _Going(thread, recording, at, asyncio.current_task())
        going.watcher = asyncio.create_task(self._watch(going))
        self._going[id(running)] = going

    async def on_orchestrator_error(self, event: OrchestratorErrorEvent) -> None:
        """The run broke off."""
        if going := self._current():
            error = sys.exception() or RuntimeError(event.error)  # Marvin tells of it while it handles it
            going.outcome = outcomes.of_error(error, going.recording.tasks)

    async def on_orchestrator_end(self, event: OrchestratorEndEvent) -> None:
        """The run is over, one way or the other."""
        going = self._current()
        if going is None:
            return
        del self._going[id(Orchestrator.get_current())]
        going.thread.run_id = None
        if going.watcher:
            going.watcher.cancel()
            await asyncio.wait([going.watcher])
        if going.is_cancelled and going.outcome is None and going.task:  # too late: all was said
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
            going.task.uncancel()
        recording = going.recording
        outcome = going.outcome or outcomes.of_end(recording.tasks)
        await going.place.run(lambda: recording.end(outcome, at=event.timestamp))
        await sync_to_async(recording.forget, thread_sensitive=False)()

    async def _watch(self, going: _Going) -> None:
        """Keep the run ours, and stop it when somebody cancels it."""
        recording, rounds = going.recording, 0
        every = max(1, int(conf.current().run_lease_seconds / 5 / WATCH_SECONDS))
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            rounds += 1
            renew, at = rounds % every == 0, timezone.now()
            try:
                cancel = await going.place.run(lambda: recording.is_to_cancel(at=at, renew=renew))  # noqa: B023
            except Exception:  # above all: the database is away
                log.warning(
                    "The lease of run %s is not renewed; the next try is soon.", recording.run.pk, exc_info=True
                )
                continue
            if cancel and going.task:
                going.is_cancelled = True
                going.task.cancel()
                return

    # -- Its turns

    async def on_actor_start_turn(self, event: ActorStartTurnEvent) -> None:
        """An agent begins its turn."""
        if going := self._current():
            going.began, going.text, going.ending = event.timestamp, [], None

    async def on_actor_end_turn(self, event: ActorEndTurnEvent) -> None:
        """An agent's turn is over, and written."""
        if going := self._current():
            rows, answers = going.thread.written()
            recording, began = going.recording, going.began
            await going.place.run(lambda: recording.turn_over(rows, answers, began=began, at=event.timestamp))

    async def on_actor_message_delta(self, event: ActorMessageDeltaEvent) -> None:
        """A model says more."""
        if going := self._current():
            going.recording.meter.token()
            going.text.append(event.delta.content_delta)
            await self._show(going)

    async def on_tool_call_delta(self, event: ToolCallDeltaEvent) -> None:
        """A model writes more of a call."""
        going = self._current()
        if going is None:
            return
        going.recording.meter.token()
        name, more = event.delta.tool_name_delta, event.delta.args_delta
        if name is not None:
            going.ending = "" if name.startswith("MarkTaskSuccessful_") else None
        if going.ending is not None and isinstance(more, str):
            going.ending += more
            await self._show(going)

    async def _show(self, going: _Going) -> None:
        """Let pages show what is being said, now and then."""
        now = asyncio.get_running_loop().time()
        if now - going.shown_at >= SHOW_SECONDS:
            going.shown_at = now
            said = "".join(going.text) + result_so_far(going.ending or "")
            await sync_to_async(going.recording.show, thread_sensitive=False)(said)

    # -- Calls of real tools

    async def on_tool_call(self, event: ToolCallEvent) -> None:
        """A real tool is called."""
        if going := self._current():
            part = event.message
            call = Seen(part.tool_call_id, part.tool_name, part.args_as_json_str(), event.timestamp)
            going.recording.steps.seen[call.id] = call

    async def on_tool_result(self, event: ToolResultEvent) -> None:
        """A real tool returned."""
        self._returned(event, event.message.model_response_str())

    async def on_tool_retry(self, event: ToolRetryEvent) -> None:
        """A real tool wants to be called otherwise."""
        self._returned(event, event.message.model_response())

    def _returned(self, event: ToolResultEvent | ToolRetryEvent, output: str) -> None:
        going = self._current()
        call = going.recording.steps.seen.get(event.message.tool_call_id) if going else None
        if call is not None:
            call.output, call.ended = output, event.timestamp
