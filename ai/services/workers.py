"""Workers: saying that one lives, and picking up what others left behind.

The database is the truth about pending work, the broker only wakes workers: what a lost message or a killed worker leaves
behind is found by the sweep that every worker makes every few seconds.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

from django.db import connections

from ai import dispatch, tenancy
from ai.models import Run, Worker
from ai.services import audit, files, jobs, runs, vector_store_reading
from ai.services.comments import settling as comments
from ai.services.exports import jobs as exports
from ai.services.imports import uploads
from ai.services.notifications import endings, mailing
from ai.services.sync import carrying, pushes, schedule
from ai.services.triage import steps as triage
from ai.services.triage import suggesting
from ai.services.webhooks import collecting, sending

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]

BEAT_SECONDS = 3.0
FORGET_AFTER = timedelta(days=1)
WAITED = timedelta(seconds=2)


@cache
def host() -> str:
    """This computer or container: process ids mean something within it only."""
    namespace = Path("/proc/self/ns/pid")
    try:
        return f"{socket.gethostname()[:200]}/{namespace.readlink().name}"
    except OSError:  # no such thing on this system
        return socket.gethostname()[:200]


@cache
def _name(pid: int) -> str:
    return f"{socket.gethostname()[:100]}:{pid}:{uuid4().hex[:8]}"


def this() -> str:
    """This process's name as a worker; another process never has it."""
    return _name(os.getpid())


def is_any_alive(*, at: datetime) -> bool:
    """Whether any worker was heard of lately."""
    return Worker.objects.alive(at=at).exists()


def beat(*, at: datetime) -> None:
    """Say that this process lives."""
    Worker.objects.beat(name=this(), host=host(), pid=os.getpid(), at=at)


def sweep(*, at: datetime) -> bool:
    """Return what dead workers held to the queue, end what is overdue; whether runs have been waiting for a worker.

    It looks after every tenant's runs: its caller sees them all.
    """
    dead = _dead_here()
    job_ids = set(Run.objects.active().filter(job_id__isnull=False).values_list("job_id", flat=True).distinct())
    recovered = Run.objects.recover(at=at, dead_workers=dead)
    expired = Run.objects.expire(at=at)
    Worker.objects.forget(names=dead, before=at - FORGET_AFTER)
    if recovered or expired:
        log.info("Swept up: %d runs of dead workers, %d overdue runs.", recovered, expired)
        jobs.settle(job_ids=list(job_ids), at=at)
    waiting = Run.objects.claimable(at).filter(modified__lte=at - WAITED).exists()
    for job in jobs.open_without_runs(at=at):
        if job.kind in jobs.CARRIERS:
            dispatch.run_job(job_id=job.pk)
        else:
            jobs.settle(job_ids=[job.pk], at=at)
    vector_store_reading.sweep(at=at)
    files.expire(at=at)
    exports.expire(at=at)
    uploads.expire(at=at)
    pushes.sweep(at=at)
    triage.wake(at=at)
    suggesting.sweep(at=at)
    audit.seal(at=at)
    _tell(at=at, dead=dead)
    schedule.run(at=at)
    return waiting or bool(recovered)


def _tell(*, at: datetime, dead: list[str]) -> None:
    """Tell people and webhooks of what happened; after the sealing, whose order is the order of the telling."""
    endings.sweep(at=at)
    collecting.sweep(at=at)
    sending.sweep(at=at, dead_workers=dead)
    mailing.sweep(at=at)
    comments.sweep(at=at)


def _dead_here() -> list[str]:
    rows = Worker.objects.filter(host=host()).exclude(name=this())
    return [row.name for row in rows if row.pid == os.getpid() or not _is_running(row.pid)]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


_attended = Event()


def is_attended() -> bool:
    """Whether this process is a worker that is looked after: it is told when it has to end."""
    return _attended.is_set()


@dataclass
class Attendant:
    """A thread beside a worker's tasks that beats and sweeps until it is told to stop."""

    now: Clock
    seconds: float = BEAT_SECONDS
    _over: Event = field(default_factory=Event)
    _thread: Thread | None = None
    _drainer: Thread | None = None

    def start(self) -> None:
        """Begin, with a sweep at once: the worker may follow one that was killed."""
        runs.resume()
        self._over.clear()
        _attended.set()
        self._thread = Thread(target=self._attend, name="ai-attendant", daemon=True)
        self._thread.start()

    def stop(self, *, seconds: float = 6.0) -> None:
        """Give this process's runs back to the queue, and stop; waits at most so long for the runs to let go."""
        self._over.set()
        _attended.clear()
        runs.stop()
        carrying.stop()
        for thread in (self._drainer, self._thread):
            if thread is not None:
                thread.join(seconds)

    def _attend(self) -> None:
        try:
            with tenancy.everything(reason="a worker looks after what others left"):
                self._once()
                self._warm_up()
                while not self._over.wait(self.seconds):
                    self._once()
            Worker.objects.leave(this())
        except Exception:
            log.exception("The worker could not sign off; its entry runs out.")
        finally:
            connections.close_all()

    def _warm_up(self) -> None:
        try:
            runs.prepare()
        except ImportError:
            log.exception("This worker cannot execute runs: a package is missing.")
        gc.collect()
        gc.freeze()  # what has been loaded stays: the collector need not look at it again and again

    def _once(self) -> None:
        try:
            beat(at=self.now())
            if sweep(at=self.now()):
                self._drain()
        except Exception:  # the database may be away for a while
            log.exception("The worker's sweep failed; the next one is in %g seconds.", self.seconds)
            connections.close_all()

    def _drain(self) -> None:
        if self._over.is_set() or (self._drainer is not None and self._drainer.is_alive()):
            return
        self._drainer = Thread(target=self._drain_now, name="ai-drainer", daemon=True)
        self._drainer.start()

    def _drain_now(self) -> None:
        try:
            runs.drain(worker=this(), now=self.now)
        except Exception:
            log.exception("Executing queued runs failed; the next sweep tries again.")
        finally:
            connections.close_all()
