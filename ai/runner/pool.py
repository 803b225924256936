"""Many runs at the same time on one event loop.

Runs are taken and read in batches, results written in batches, so that the database costs little per run. While runs go
on, one query every fraction of a second asks which of them are to be cancelled.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import Error, connection

from ai import conf, llm
from ai.models import Job, Run
from ai.runner import live, loading, results
from ai.runner.loading import Work
from ai.runner.loop import Runner
from ai.runner.results import Result

log = logging.getLogger(__name__)

#: Takes up to so many runs.
Source = Callable[[int], Sequence[Run]]

#: The first model of a vendor loads its SDK, which two threads must not do at the same time.
_building = Lock()

WATCH_SECONDS = 0.4
ASK_SECONDS = 0.5
GATHER_SECONDS = 0.01
SHOW_SECONDS = 0.1
SHOW_AFTER_SECONDS = 0.3
SHOWN_AT_ONCE = 10
WRITE_TRIES = 6

DROPPED = "%d results were dropped; their leases run out and the runs are executed again."


class Pool:
    """Executes what `source` gives until it gives nothing. It takes runs of every tenant: its caller sees them all."""

    def __init__(self, source: Source, *, now: Callable[[], datetime], concurrency: int | None = None) -> None:
        self.concurrency = concurrency or conf.current().run_concurrency
        self.ended = 0
        self._source, self._now = source, now
        self._ready: deque[Work] = deque()
        self._active: dict[UUID, tuple[Work, asyncio.Task[None]]] = {}
        self._runners: dict[UUID, Runner] = {}
        self._results: list[Result] = []
        self._writing = False
        self._stopping = False
        self._changed, self._finished = asyncio.Event(), asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def stop(self) -> None:
        """Give what has not ended back to the queue and return soon. May be called from any thread."""
        self._stopping = True
        if self._loop is not None:
            with suppress(RuntimeError):  # it has just ended
                self._loop.call_soon_threadsafe(self._interrupt)

    def _interrupt(self) -> None:
        for _, task in self._active.values():
            task.cancel()
        self._changed.set()

    async def run(self) -> int:
        """Execute; how many runs ended. Raises what taking runs raises, once the others have ended."""
        self._loop = asyncio.get_running_loop()
        side = [asyncio.create_task(each()) for each in (self._watch, self._show, self._write)]
        try:
            await self._feed()
        finally:
            while self._active or self._results or self._writing:
                await self._change()
            for task in side:
                task.cancel()
            await asyncio.gather(*side, return_exceptions=True)
            if self._stopping:
                await _in_database(self._release)
            await llm.aclose()
        return self.ended

    # -- Taking runs

    async def _feed(self) -> None:
        ahead = self.concurrency // 2 if self.concurrency > 1 else 0
        while not self._stopping:
            room = self.concurrency + ahead - len(self._active) - len(self._ready)
            if room <= ahead // 2 and self._active:
                await self._change()
                continue
            taken = await _in_database(self._take, room)
            self._ready.extend(taken)
            self._start()
            if not taken:
                if not self._active and not self._ready:
                    return
                await self._rest()

    async def _change(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    async def _rest(self) -> None:
        """Nothing is queued: ask again when nothing is left to do, or after a while."""
        until = self._loop_time() + ASK_SECONDS
        while self._active and not self._stopping and (left := until - self._loop_time()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._change(), left)

    def _take(self, most: int) -> list[Work]:
        runs = list(self._source(most))
        try:
            if jobs := {run.job_id for run in runs if run.job_id}:
                Job.objects.begin(jobs, at=self._now())
            return loading.load(runs) if runs else []
        except Exception:
            with suppress(Error):  # else their leases run out
                Run.objects.release(runs, at=self._now())
            raise

    def _start(self) -> None:
        while self._ready and len(self._active) < self.concurrency and not self._stopping:
            work = self._ready.popleft()
            task = asyncio.create_task(self._execute(work))
            self._active[work.run.pk] = work, task
            task.add_done_callback(partial(self._over, work.run.pk))

    def _over(self, key: UUID, task: asyncio.Task[None]) -> None:
        work, _ = self._active.pop(key)
        self._runners.pop(key, None)
        if task.cancelled():
            self._ready.append(work)  # to be released
        self._start()
        self._changed.set()

    # -- Executing one

    async def _execute(self, work: Work) -> None:
        with loading.scope_of([work.run]):
            try:
                result = await self._result(work)
            except Exception as error:  # noqa: BLE001 - every run ends in exactly one final state
                result = results.of_failure(work.run, llm.translate(error))
        self._results.append(result)
        self._finished.set()

    async def _result(self, work: Work) -> Result:
        if work.problem is not None or work.spec is None:
            raise work.problem or LookupError(work.run.model)
        with _building:
            model = llm.resolve(work.spec)
        order = work.order(model, limits=loading.limits_of(work.run, at=self._now()))
        runner = self._runners[work.run.pk] = Runner(order, now=self._now)
        async for _ in runner.stream():
            pass
        return results.of_state(work.run, runner.state)

    # -- Beside them

    async def _write(self) -> None:
        while True:
            await self._finished.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._finished.clear()
            batch, self._results, self._writing = self._results, [], True
            try:
                await self._write_batch(batch)
            except Exception:
                log.exception(DROPPED, len(batch))
            finally:
                self._writing = False
                self._changed.set()

    async def _write_batch(self, batch: list[Result]) -> None:
        for attempt in range(WRITE_TRIES):
            try:
                written = await _in_database(lambda: results.write(batch, at=self._now()))
            except results.AWAY:
                log.warning("The database is away; %d results wait.", len(batch), exc_info=True)
                await _in_database(connection.close)
                await asyncio.sleep(0.2 * 2**attempt)
            else:
                self.ended += len(written)
                return
        log.error(DROPPED, len(batch))

    async def _watch(self) -> None:
        renewed, every = self._loop_time(), conf.current().run_lease_seconds / 5
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            runs = [work.run for work, _ in self._active.values()]
            due = self._loop_time() - renewed >= every
            held = runs + [work.run for work in self._ready] if due else runs
            if held:
                try:
                    cancelled, lost = await _in_database(self._look_at, held, due)
                except Exception:  # above all: the database is away
                    log.warning("Leases are not renewed; the next try is soon.", exc_info=True)
                    continue
                renewed = self._loop_time() if due else renewed
                self._end_some(cancelled, lost)

    def _loop_time(self) -> float:
        return asyncio.get_running_loop().time()

    def _look_at(self, runs: list[Run], renew: bool) -> tuple[set[UUID], set[UUID]]:
        if renew:
            Run.objects.renew(runs, at=self._now())
        return Run.objects.watch(runs)

    def _end_some(self, cancelled: set[UUID], lost: set[UUID]) -> None:
        for key in (cancelled | lost) & self._runners.keys():
            self._runners[key].cancel()

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

    def _release(self) -> None:
        runs = [work.run for work in self._ready]
        self._ready.clear()
        if runs:
            Run.objects.release(runs, at=self._now())


async def _in_database(function: Callable[..., Any], *arguments: Any) -> Any:
    return await sync_to_async(function, thread_sensitive=True)(*arguments)
