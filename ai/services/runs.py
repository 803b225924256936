"""Runs: starting, executing and cancelling them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.db import transaction

from ai import conf, dispatch, tenancy
from ai.exceptions import NotFound
from ai.models import ChatThread, Job, Run
from ai.models.runs import FINAL
from ai.services import actors, audit, permissions

if TYPE_CHECKING:
    from ai.runner.pool import Pool, Source

Clock = Callable[[], datetime]


@transaction.atomic
def start(
    *,
    thread_id: UUID | str,
    model_alias: str,
    by: Any,
    at: datetime,
    instructions: str = "",
    tools: list[dict[str, Any]] | None = None,
    settings: dict[str, Any] | None = None,
    assistant_id: UUID | None = None,
    metadata: dict[str, Any] | None = None,
) -> Run:
    """Have a model answer a thread; a worker takes the run when the transaction commits.

    Raises:
        Forbidden, NotFound.
        ThreadBusy: the thread has an active run.
    """
    permissions.require(by, "ai.add_run")
    thread = ChatThread.objects.locked(thread_id)
    if thread is None:
        raise NotFound(f"No thread found with id '{thread_id}'.")
    if busy := Run.objects.active_on(thread.pk, at=at):
        raise Run.objects.refusal(busy)
    run = Run(
        thread_id=str(thread.pk),
        tenant_id=thread.tenant_id,
        assistant_id=assistant_id,
        requested_by=actors.id_of(by),
        model=model_alias,
        instructions=instructions,
        tools=tools or [],
        settings=settings or {},
        metadata=metadata or {},
        history_until=thread.last_sequence,
        created=at,
        expires_at=at + timedelta(seconds=conf.current().run_max_seconds),
    )
    Run.objects.queue(run)
    audit.record("run.started", target=run, by=by, at=at, model=model_alias)
    dispatch.execute_run(run_id=run.pk)
    return run


@transaction.atomic
def cancel(*, run_id: UUID, by: Any, at: datetime) -> Run:
    """Cancel a run: at once while it waits, within a second while a worker executes it. What it said so far is kept.

    Raises:
        Forbidden, NotFound.
        RunNotActive: it has ended.
    """
    permissions.require(by, "ai.cancel_run")
    run = Run.objects.request_cancel(run_id, at=at)
    if run.job_id and run.status in FINAL:
        Job.objects.count_ended(run.job_id, done=0, failed=1, at=at)
    audit.record("run.cancelled", target=run, by=by, at=at)
    return run


def execute(*, run_id: UUID, worker: str, now: Clock) -> bool:
    """Execute one queued run to its end, on this thread; False when it is no longer queued."""
    taken: list[bool] = []

    def claim(_: int) -> list[Run]:
        if taken:
            return []
        run = Run.objects.claim(run_id, worker=worker, at=now())
        taken.append(run is not None)
        return [run] if run else []

    with _pool(claim, now=now, concurrency=1) as pool:
        async_to_sync(pool.run)()
    return taken == [True]


def drain(*, worker: str, now: Clock, job_id: UUID | None = None, linger: float = 0.0) -> int:
    """Execute queued runs, many at once, until none is left; how many ended. With `job_id` only that job's.

    One drain at a time goes on in a process; another that is asked for meanwhile makes it look at once.

    Args:
        linger: how long, in seconds, it waits for more when nothing is left.
    """
    if job_id is not None:
        return _drain(worker=worker, now=now, job_id=job_id)
    if not _turn.take():
        for pool in list(_pools):
            pool.wake()
        return 0
    ended = 0
    try:
        while True:
            ended += _drain(worker=worker, now=now, linger=linger)
            if not _turn.again():
                return ended
    except BaseException:
        _turn.give_up()
        raise


def _drain(*, worker: str, now: Clock, job_id: UUID | None = None, linger: float = 0.0) -> int:
    def claim(most: int) -> list[Run]:
        return Run.objects.claim_next(worker=worker, at=now(), most=most, job_id=job_id)

    with _pool(claim, now=now, linger=linger) as pool:
        ended: int = async_to_sync(pool.run)()
    return ended


class _Turn:
    """Lets one thread at a time drain, and remembers that somebody else wanted to."""

    def __init__(self) -> None:
        self._lock, self._taken, self._wanted = Lock(), False, False

    def take(self) -> bool:
        """Whether the caller may drain."""
        with self._lock:
            self._wanted = self._taken
            taken, self._taken = self._taken, True
            return not taken

    def again(self) -> bool:
        """Whether to look once more; if not, the turn is over."""
        with self._lock:
            self._taken = wanted = self._wanted and not _stopping
            self._wanted = False
            return wanted

    def give_up(self) -> None:
        """The turn is over."""
        with self._lock:
            self._taken = self._wanted = False


_turn = _Turn()
_loading = Lock()
_pools: set[Pool] = set()
_stopping: list[bool] = []


@contextmanager
def _pool(source: Source, *, now: Clock, concurrency: int | None = None, linger: float = 0.0) -> Iterator[Pool]:
    pool = prepare()(source, now=now, concurrency=concurrency, linger=linger)
    _pools.add(pool)
    if _stopping:
        pool.stop()
    try:
        with tenancy.everything(reason="executing runs"):
            yield pool
    finally:
        _pools.discard(pool)


def prepare() -> type[Pool]:
    """Load what executing runs takes: the web process never needs it, a worker wants it before its first run."""
    with _loading:  # two threads importing the same packages can meet them half loaded
        from ai.runner.pool import Pool
    return Pool


def stop() -> None:
    """This process is about to end: give its runs back to the queue, and take no more."""
    _stopping.append(True)
    for pool in list(_pools):
        pool.stop()


def resume() -> None:
    """Take runs again after `stop`."""
    _stopping.clear()
