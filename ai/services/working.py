"""What carriers of jobs have in common: keeping the lease while they work, and ending a job that fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from ai import conf
from ai.exceptions import AIError, LeaseLost
from ai.models import Job
from ai.models.failures import is_away
from ai.models.jobs import JobStatus

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]


class Pulse:
    """Keeps the lease of a job: called as often as one likes, it writes a few times in a lease's length."""

    def __init__(self, job: Job, now: Clock) -> None:
        self._job, self._now, self._at = job, now, now()

    def __call__(self) -> None:
        """Keep it.

        Raises:
            LeaseLost: the job was cancelled, or is another worker's.
        """
        at = self._now()
        if at - self._at < timedelta(seconds=conf.current().run_lease_seconds / 6):
            return
        self._at = at
        if not Job.objects.advance(self._job, at=at):
            raise LeaseLost


@contextmanager
def on(job: Job, *, now: Clock, afterwards: Callable[[], Any] = lambda: None) -> Iterator[None]:
    """Work on a job: what fails for good ends it and says why, and where the database is away the next worker goes on.

    A job that was cancelled or is another worker's meanwhile is let alone. `afterwards` is called where the job has failed.
    """
    try:
        yield
    except LeaseLost:
        return
    except Exception as error:
        if is_away(error):
            raise
        log.exception("The job %s failed.", job.pk)
        words = (
            error.message if isinstance(error, AIError) else f"It failed: {type(error).__name__}. See the worker's log."
        )
        if Job.objects.finish(job, status=JobStatus.FAILED, at=now(), error=words):
            afterwards()
