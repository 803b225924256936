"""Carrying runs on one event loop: executing them, watching over their leases, writing their results, telling listeners.

Results are written in batches, so that the database costs little per run. While runs go on, one query every fraction of a
second asks which of them are to be cancelled. What a listener is told last (that the run ended, or waits for its client)
it is told when the database says so too: whoever hears it may ask for the messages at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.db import connection

from ai import conf, llm, tenancy
from ai.events import DONE, StreamEvent
from ai.exceptions import LeaseLost, ModelError
from ai.models import Run
from ai.runner import live, loading, results
from ai.runner.loading import Work
from ai.runner.loop import Runner
from ai.runner.results import Result
from ai.runner.state import FINAL, RunState

log = logging.getLogger(__name__)

#: Is told every event of a run, on the event loop; the last one is `done`.
Listener = Callable[[StreamEvent], None]

#: The first model of a vendor loads its SDK, which two threads must not do at the same time.
_building = Lock()

WATCH_SECONDS = 0.4
GATHER_SECONDS = 0.01
SHOW_SECONDS = 0.1
SHOW_AFTER_SECONDS = 0.3
SHOWN_AT_ONCE = 10
WRITE_TRIES = 6

DROPPED = "%d results were dropped; their leases run out and the runs are executed again."

#: Told only when the database knows: they close a message, a step or the run.
_HELD = frozenset(
    {f"thread.run.{status}" for status in (*FINAL, "requires_action")}
    | {f"thread.run.step.{status}" for status in ("completed", "failed", "cancelled", "expired")}
    | {"thread.message.completed", "thread.message.incomplete", DONE.name}
)


@dataclass(slots=True)
class _Carried:
    work: Work
    task: asyncio.Task[None]
    is_cancelled: bool = False


class Carrier:
    """Carries what it is given. Its caller sees every tenant's runs."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        also_held: Callable[[], Iterable[Run]] = tuple,
        context: Context | None = None,
    ) -> None:
        """`also_held` are runs whose leases are looked after too though nobody executes them yet.

        Runs live in copies of `context`, by default of their caller's, which may end before they do.
        """
        self.ended = 0
        self.changed = asyncio.Event()
        self._now, self._also_held, self._context = now, also_held, context
        self._active: dict[UUID, _Carried] = {}
        self._runners: dict[UUID, Runner] = {}
        self._results: list[tuple[Result, asyncio.Future[str]]] = []
        self._writing = False
        self._finished = asyncio.Event()
        self._side: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        return len(self._active)

    # -- The carrier's own life

    def open(self) -> None:
        """Begin to watch, show and write."""
        if not self._side:
            self._side = [self._task(each()) for each in (self._watch, self._show, self._write)]

    def _task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        if self._context is None:
            return asyncio.create_task(coroutine)
        return asyncio.create_task(_seeing_everything(coroutine), context=self._context.copy())

    async def close(self) -> None:
        """Wait until everything has ended and is written."""
        while self._active or self._results or self._writing:
            await self.wait()
        for task in self._side:
            task.cancel()
        await asyncio.gather(*self._side, return_exceptions=True)
        self._side = []

    async def wait(self) -> None:
        """Until a run has ended or a result is written."""
        await self.changed.wait()
        self.changed.clear()

    def interrupt(self) -> list[Run]:
        """Stop executing; the runs that had not ended. Their tasks are cancelled."""
        stopped = list(self._active.values())
        for carried in stopped:
            carried.task.cancel()
        return [carried.work.run for carried in stopped]

    # -- Executing

    def carry(self, work: Work, listener: Listener | None = None) -> asyncio.Task[None]:
        """Execute a run that is held by this process; the task ends when its result is about to be written."""
        task = self._task(self._execute(work, listener))
        carried = self._active[work.run.pk] = _Carried(work, task)
        task.add_done_callback(lambda _: self._over(carried))
        return task

    def cancel(self, run_id: UUID) -> None:
        """Stop a run as soon as possible; it ends as cancelled and keeps its partial text."""
        if run_id in self._active:
            self._active[run_id].is_cancelled = True  # perhaps it has not begun
        if run_id in self._runners:
            self._runners[run_id].cancel()

    def _over(self, carried: _Carried) -> None:
        key = carried.work.run.pk
        if self._active.get(key) is carried:  # else its client has answered, and the run goes on already
            del self._active[key]
            self._runners.pop(key, None)
        self.changed.set()

    async def _execute(self, work: Work, listener: Listener | None) -> None:
        held = list[StreamEvent]()
        with loading.scope_of([work.run]):
            try:
                runner = self._runner(work)
            except Exception as error:  # noqa: BLE001 - every run ends in exactly one final state
                result, state = self._failed(work, llm.translate(error), held)
            else:
                await self._run(runner, work, listener, held)
                result, state = results.of_state(work.run, runner.state), runner.state
        written = asyncio.get_running_loop().create_future()
        self._results.append((result, written))
        self._finished.set()
        if listener is not None:
            self._tell_end(listener, held, await written, result, state)

    def _failed(self, work: Work, error: ModelError, held: list[StreamEvent]) -> tuple[Result, RunState | None]:
        """The result of a run that could not even begin, with its events in `held`."""
        try:
            limits = loading.limits_of(work.run, at=self._now())
            state = RunState(work.order(None, limits=limits), now=self._now)
            held += [*state.begin(), *state.end("failed", code=error.code, message=error.message), DONE]
            return results.of_state(work.run, state), state
        except Exception:
            log.exception("Run %s cannot be read.", work.run.pk)
            held.clear()
            return results.of_failure(work.run, error), None

    def _runner(self, work: Work) -> Runner:
        if work.problem is not None or work.spec is None:
            raise work.problem or LookupError(work.run.model)
        with _building:
            model = llm.resolve(work.spec)
        order = work.order(model, limits=loading.limits_of(work.run, at=self._now()))
        runner = self._runners[work.run.pk] = Runner(order, now=self._now)
        if self._active[work.run.pk].is_cancelled:
            runner.cancel()
        return runner

    async def _run(self, runner: Runner, work: Work, listener: Listener | None, held: list[StreamEvent]) -> None:
        async for event in runner.stream():
            if event.name == "thread.run.step.completed" and not work.run.is_replay:
                await self._keep(runner, work, event)
            if listener is None:
                continue
            held.append(event)
            if event.name not in _HELD:
                for each in held:
                    listener(each)
                held.clear()

    async def _keep(self, runner: Runner, work: Work, event: StreamEvent) -> None:
        """Write what was done so far when tools have answered: another worker could go on from here."""
        if event.data["type"] != "tool_calls":
            return
        try:
            await _in_database(lambda: results.checkpoint(work.run, runner.state, at=self._now()))
        except LeaseLost:
            runner.cancel()
        except results.AWAY:
            log.warning("The database is away; run %s is written when it ends.", work.run.pk, exc_info=True)
            await _in_database(_mend)
        except Exception:  # the end of the run tries once more, and tells
            log.exception("What run %s has done so far cannot be stored.", work.run.pk)

    def _tell_end(
        self, listener: Listener, held: list[StreamEvent], status: str, result: Result, state: RunState | None
    ) -> None:
        """The last events; where the database says otherwise than the runner, the database is right."""
        if status == result.status and held:
            events = held
        elif status and state is not None and state.status == "requires_action":
            before = [event for event in held if event.name != "thread.run.requires_action" and event is not DONE]
            events = [*before, *state.end(status), DONE]  # somebody cancelled it at this very moment
        else:
            message = "The console could not execute this run; ask for the run to see what became of it."
            error = {"message": message, "type": "server_error", "param": None, "code": None}
            events = [StreamEvent("error", {"error": error}), DONE]
        for event in events:
            listener(event)

    # -- Beside them

    async def _write(self) -> None:
        while True:
            await self._finished.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._finished.clear()
            batch, self._results, self._writing = self._results, [], True
            written: dict[UUID, str] = {}
            try:
                written = await self._write_batch([result for result, _ in batch])
            except Exception:
                log.exception(DROPPED, len(batch))
            finally:
                for result, future in batch:
                    if not future.done():
                        future.set_result(written.get(result.run.pk, ""))
                self._writing = False
                self.changed.set()

    async def _write_batch(self, batch: list[Result]) -> dict[UUID, str]:
        for attempt in range(WRITE_TRIES):
            try:
                written = await _in_database(lambda: results.write(batch, at=self._now()))
            except results.AWAY:
                log.warning("The database is away; %d results wait.", len(batch), exc_info=True)
                await _in_database(_mend)
                await asyncio.sleep(0.2 * 2**attempt)
            else:
                self.ended += len(written)
                found: dict[UUID, str] = written
                return found
        log.error(DROPPED, len(batch))
        return {}

    async def _watch(self) -> None:
        renewed, every = _time(), conf.current().run_lease_seconds / 5
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            runs = [carried.work.run for carried in self._active.values()]
            due = _time() - renewed >= every
            held = [*runs, *self._also_held()] if due else runs
            if held:
                try:
                    cancelled, lost = await _in_database(self._look_at, held, due)
                except Exception as error:  # above all: the database is away
                    log.warning("Leases are not renewed; the next try is soon.", exc_info=True)
                    if isinstance(error, results.AWAY):
                        with suppress(Exception):
                            await _in_database(_mend)
                    continue
                renewed = _time() if due else renewed
                for key in cancelled | lost:
                    self.cancel(key)

    def _look_at(self, runs: list[Run], renew: bool) -> tuple[set[UUID], set[UUID]]:
        if renew:
            Run.objects.renew(runs, at=self._now())
        return Run.objects.watch(runs)

    async def _show(self) -> None:
        shown: dict[UUID, int] = {}
        while True:
            await asyncio.sleep(SHOW_SECONDS)
            outputs = self._to_show(shown)
            gone = shown.keys() - self._runners.keys()
            for key in gone:
                del shown[key]
            if gone:
                await sync_to_async(live.forget, thread_sensitive=False)(list(gone))
            if outputs:
                await sync_to_async(live.show, thread_sensitive=False)(outputs)

    def _to_show(self, shown: dict[UUID, int]) -> list[tuple[UUID, list[dict[str, Any]]]]:
        """The answers that grew, the longest unshown first, of runs old enough for somebody to be looking."""
        outputs = []
        for key, runner in sorted(self._runners.items(), key=lambda item: shown.get(item[0], 0)):
            size = runner.state.size
            if size > shown.get(key, 0) and runner.state.meter.age >= SHOW_AFTER_SECONDS:
                shown[key] = size
                outputs.append((key, runner.state.live_output()))
            if len(outputs) == SHOWN_AT_ONCE:
                break
        return outputs


_carriers: WeakKeyDictionary[asyncio.AbstractEventLoop, Carrier] = WeakKeyDictionary()


def of_this_loop(*, now: Callable[[], datetime]) -> Carrier:
    """The carrier of a web process's event loop, which outlives the requests that its runs come from."""
    loop = asyncio.get_running_loop()
    carrier = _carriers.get(loop)
    if carrier is None:
        # A request's own context would lead to its threads, which end with it.
        carrier = _carriers[loop] = Carrier(now=now, context=Context())
        carrier.open()
    return carrier


async def hand_over(*, now: Callable[[], datetime]) -> None:
    """The running event loop is about to end: give the runs that it carries to the workers, and close its clients."""
    carrier = _carriers.pop(asyncio.get_running_loop(), None)
    if carrier is None:
        return
    runs = carrier.interrupt()
    await carrier.close()
    with tenancy.everything(reason="handing streamed runs over"):
        await _in_database(lambda: Run.objects.release(runs, at=now()))
        await _in_database(lambda: connection.close())
    await llm.aclose()


async def _seeing_everything(coroutine: Coroutine[Any, Any, None]) -> None:
    with tenancy.everything(reason="carrying streamed runs"):
        await coroutine


def _time() -> float:
    return asyncio.get_running_loop().time()


def _mend() -> None:
    """Leave a broken connection; the next query makes a new one. (Looked up here: each thread has its own.)"""
    connection.close_if_unusable_or_obsolete()


async def _in_database(function: Callable[..., Any], *arguments: Any) -> Any:
    return await sync_to_async(function, thread_sensitive=True)(*arguments)
