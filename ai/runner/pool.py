"""Many runs at the same time on one event loop: taken and read in batches, carried by a `Carrier`."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache, partial
from typing import Any

from asgiref.sync import sync_to_async
from django.db import Error

from ai import conf, llm
from ai.models import Job, Run
from ai.runner import loading
from ai.runner.carrier import Carrier
from ai.runner.loading import Work

log = logging.getLogger(__name__)

#: Takes up to so many runs.
Source = Callable[[int], Sequence[Run]]

ASK_SECONDS = 0.5


class Pool:
    """Executes what `source` gives until it gives nothing. It takes runs of every tenant: its caller sees them all."""

    def __init__(
        self, source: Source, *, now: Callable[[], datetime], concurrency: int | None = None, linger: float = 0.0
    ) -> None:
        """`linger` is how long, in seconds, an idle pool waits to be woken: it keeps its connections to providers."""
        self._linger = linger
        self.concurrency = concurrency or conf.current().run_concurrency
        self._source, self._now = source, now
        self._ready: deque[Work] = deque()
        self._carrier: Carrier | None = None
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()

    def stop(self) -> None:
        """Give what has not ended back to the queue and return soon. May be called from any thread."""
        self._stopping = True
        self._tell(self._interrupt)

    def wake(self) -> None:
        """Something was queued: ask the source at once. May be called from any thread."""
        self._tell(self._wake)

    def _tell(self, what: Callable[[], None]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # it has just ended
                self._loop.call_soon_threadsafe(what)

    def _interrupt(self) -> None:
        if self._carrier is not None:
            self._carrier.interrupt()
        self._wake()

    def _wake(self) -> None:
        self._woken.set()
        if self._carrier is not None:
            self._carrier.changed.set()

    async def run(self) -> int:
        """Execute; how many runs ended. Raises what taking runs raises, once the others have ended."""
        self._loop = asyncio.get_running_loop()
        carrier = self._carrier = Carrier(now=self._now, also_held=lambda: [work.run for work in self._ready])
        carrier.open()
        try:
            await self._feed(carrier)
        finally:
            await carrier.close()
            if self._stopping:
                await _in_database(self._release)
            await llm.aclose()
        return carrier.ended

    # -- Taking runs

    async def _feed(self, carrier: Carrier) -> None:
        ahead = self.concurrency // 2 if self.concurrency > 1 else 0
        while not self._stopping:
            room = self.concurrency + ahead - len(carrier) - len(self._ready)
            if room <= ahead // 2 and len(carrier):
                await carrier.wait()
                continue
            self._woken.clear()
            taken = await _in_database(self._take, room)
            self._ready.extend(taken)
            self._start(carrier)
            if not taken:
                if not len(carrier) and not self._ready:
                    if not await self._is_woken():
                        return
                    continue
                await self._rest(carrier)

    async def _is_woken(self) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._linger):
                await self._woken.wait()
        return self._woken.is_set() and not self._stopping

    async def _rest(self, carrier: Carrier) -> None:
        """Nothing is queued: ask again when nothing is left to do, when something was queued, or after a while."""
        loop = asyncio.get_running_loop()
        until = loop.time() + ASK_SECONDS
        while len(carrier) and not self._stopping and not self._woken.is_set() and (left := until - loop.time()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(carrier.wait(), left)

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

    def _start(self, carrier: Carrier) -> None:
        while self._ready and len(carrier) < self.concurrency and not self._stopping:
            work = self._ready.popleft()
            carrier.carry(work).add_done_callback(partial(self._over, carrier, work))

    def _over(self, carrier: Carrier, work: Work, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self._ready.append(work)  # to be released
        self._start(carrier)
        if self.concurrency > 1:
            _spare_collector()

    def _release(self) -> None:
        runs = [work.run for work in self._ready]
        self._ready.clear()
        if runs:
            Run.objects.release(runs, at=self._now())


@cache
def _spare_collector() -> None:
    """Keep the garbage collector from walking through what stays: half a million objects of Django and the SDKs.

    It did so twice in 500 runs, which was 7 % of their cost. Once a process, after a first run: by then nearly everything
    is loaded. What is garbage by then is collected before.
    """
    gc.collect()
    gc.freeze()


async def _in_database(function: Callable[..., Any], *arguments: Any) -> Any:
    return await sync_to_async(function, thread_sensitive=True)(*arguments)
