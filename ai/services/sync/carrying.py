"""Carrying on with a sync: threads side by side, as many as their connections allow, until all are done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction

from ai import conf, ids
from ai.exceptions import AIError
from ai.models import Job, JobItem, ThreadSync
from ai.models.connections import MOST_AT_ONCE, Address
from ai.models.jobs import JobStatus
from ai.remote import threads
from ai.remote.lines import Line
from ai.remote.plan import DIRECTIONS
from ai.remote.results import Result
from ai.remote.threads import Order
from ai.services.sync import moves

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]


def carry_on(*, job_id: UUID, worker: str, now: Clock) -> None:
    """Work on a sync until it ends, is cancelled, or is another worker's."""
    job = Job.objects.take(job_id, worker=worker, at=now())
    if job is not None:
        async_to_sync(_Carrier(job, now).run)()


def stop() -> None:
    """This process is about to end: leave its syncs to other workers. May be called from any thread."""
    for carrier in list(_carriers):
        carrier.stop()


_carriers: set[_Carrier] = set()


class Lines:
    """The lines that one piece of work has open, one for each address."""

    def __init__(self) -> None:
        self._open: dict[Address, Line] = {}

    def of(self, address: Address) -> Line:
        """The line; opened when it is first asked for. Raises what `Line` raises."""
        if address not in self._open:
            self._open[address] = Line(address)
        return self._open[address]

    async def aclose(self) -> None:
        """Hang up everywhere."""
        for line in self._open.values():
            await line.aclose()


class _Carrier:
    def __init__(self, job: Job, now: Clock) -> None:
        self._job, self._now = job, now
        self._lines = Lines()
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._is_ours, self._is_stopping = True, False
        self._loop: asyncio.AbstractEventLoop | None = None
        connection = job.data.get("connection")
        self._order = Order(
            direction=DIRECTIONS[job.data["direction"]],
            now=now,
            line=self._lines.of,
            holder=str(job.pk),
            connection_id=UUID(connection) if connection else None,
            whole=bool(job.data.get("whole")),
        )

    async def run(self) -> None:
        """Do the job's items; on the way say that it is held."""
        self._loop = asyncio.get_running_loop()
        _carriers.add(self)
        beat = asyncio.create_task(self._beat())
        try:
            await self._feed()
        finally:
            beat.cancel()
            self._break_off()
            await asyncio.gather(beat, *self._tasks.values(), return_exceptions=True)
            await self._lines.aclose()
            _carriers.discard(self)
        if self._is_stopping:
            await sync_to_async(Job.objects.release)(self._job, at=self._now())
        elif self._is_ours:
            await sync_to_async(Job.objects.finish)(self._job, status=JobStatus.COMPLETED, at=self._now())

    def stop(self) -> None:
        """Begin nothing more, break off what was begun, and let another worker go on with it."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has just ended
                self._loop.call_soon_threadsafe(self._let_go)

    def _let_go(self) -> None:
        self._is_stopping = True
        self._break_off()

    def _break_off(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def _feed(self) -> None:
        """Keep as many threads going as any connection may have calls."""
        ready: list[JobItem] = []
        while self._is_ours and not self._is_stopping:
            if not ready:
                ready = await self._next()
            while ready and len(self._tasks) < MOST_AT_ONCE:
                item = ready.pop(0)
                self._tasks[item.pk] = asyncio.create_task(self._do(item))
            if not self._tasks:
                return
            await asyncio.wait(self._tasks.values(), return_when=asyncio.FIRST_COMPLETED)
            for task in [self._tasks.pop(key) for key, task in list(self._tasks.items()) if task.done()]:
                if not task.cancelled():
                    task.result()

    async def _next(self) -> list[JobItem]:
        most = 2 * MOST_AT_ONCE + len(self._tasks)
        found = await sync_to_async(JobItem.objects.next_of)(self._job.pk, most=most)
        return [item for item in found if item.pk not in self._tasks]

    async def _beat(self) -> None:
        """A thread may take longer than a lease: say meanwhile that somebody works on the job."""
        while self._is_ours:
            await asyncio.sleep(conf.current().run_lease_seconds / 3)
            if not await sync_to_async(Job.objects.advance)(self._job, at=self._now()):
                self._is_ours = False
                self._break_off()

    async def _do(self, item: JobItem) -> None:
        try:
            if self._job.data.get("makes"):
                await moves.begin(self._job, item, self._lines.of, now=self._now)
            result = await threads.sync(ids.parse(item.object_id), self._order)
            settled = sync_to_async(self._settle)(item, result=result)
        except asyncio.CancelledError:
            if self._is_ours and not self._is_stopping:
                raise
            return
        except AIError as error:
            settled = sync_to_async(self._settle)(item, error=error.message)
        except Exception:
            log.exception("Syncing thread %s failed.", item.object_id)
            settled = sync_to_async(self._settle)(item, error="This is a fault of the console; its log says more.")
        if not await settled:
            self._is_ours = False

    def _settle(self, item: JobItem, *, result: Result | None = None, error: str = "") -> bool:
        """Note what became of a thread; False when the job is no longer ours."""
        at = self._now()
        data: dict[str, Any] = result.as_json() if result else {}
        with transaction.atomic():
            status = "done" if result else "failed"
            new = JobItem.objects.settle(item, status=status, at=at, data=data, error=error)
            mine = Job.objects.advance(self._job, done=int(new and bool(result)), failed=int(new and not result), at=at)
            if error:
                ThreadSync.objects.note_error(ids.parse(item.object_id), error=error, at=at)
            if not mine:
                transaction.set_rollback(True)
        return mine
