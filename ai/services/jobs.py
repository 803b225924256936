"""Jobs: work on many things at once. Replays are jobs whose things are runs; others carry on step by step."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.module_loading import import_string

from ai import ids, tenancy
from ai.exceptions import AIError, NotFound
from ai.models import Job, JobItem, Run
from ai.models.jobs import JobStatus
from ai.services import audit, permissions

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]

#: Who does one thing of a job, as a dotted path: `(*, thread_id, at)` → what to remember of it. Replays are not here: their
#: things are runs.
CARRIERS = {"retitle": "ai.services.titles.retitle"}

AT_ONCE = 20


@transaction.atomic
def cancel(*, job_id: UUID, by: Any, at: datetime) -> Job:
    """Cancel a job and what it has not begun; what is done stays done.

    Raises:
        Forbidden, NotFound.
        Conflict: it has ended.
    """
    permissions.require(by, "ai.cancel_job")
    job: Job | None = Job.objects.filter(pk=job_id).first()
    if job is None:
        raise NotFound(f"No job found with id '{job_id}'.")
    Run.objects.cancel_job(job_id, at=at)
    Job.objects.cancel(job_id, at=at)
    if job.kind == "replay":
        Job.objects.recount(job_id, at=at)
    audit.record("job.cancelled", target=job, by=by, at=at)
    job.refresh_from_db()
    return job


def carry_on(*, job_id: UUID, worker: str, now: Clock) -> None:
    """Work on a job until it has ended or this process stops."""
    with tenancy.everything(reason="carrying on with a job"):
        job = Job.objects.filter(pk=job_id).first()
        if job is None or not job.is_open:
            return
        if job.kind not in CARRIERS:
            settle(job_ids=[job_id], at=now())
            return
        taken = Job.objects.take(job_id, worker=worker, at=now())
        if taken is not None:
            _carry(taken, import_string(CARRIERS[job.kind]), now)


def _carry(job: Job, carrier: Callable[..., dict[str, Any]], now: Clock) -> None:
    while items := JobItem.objects.next_of(job.pk, most=AT_ONCE):
        for item in items:
            if not _do(job, item, carrier, now()):
                return
    Job.objects.end(job.pk, status=JobStatus.COMPLETED, at=now())


def _do(job: Job, item: JobItem, carrier: Callable[..., dict[str, Any]], at: datetime) -> bool:
    """Do one thing; False when the job was cancelled, or another worker has it. Nothing is done or counted twice."""
    with tenancy.scope(item.tenant_id) if item.tenant_id else tenancy.everything(reason="a job's thing"):
        try:
            data, error = carrier(thread_id=ids.parse(item.object_id), at=at), ""
        except AIError as refused:
            data, error = {}, refused.message
        except Exception:
            log.exception("The job %s failed at %s.", job.pk, item.object_id)
            data, error = {}, "This failed; see the console's log."
    with transaction.atomic():
        settled = JobItem.objects.settle(item, status="failed" if error else "done", at=at, data=data, error=error)
        return Job.objects.advance(job, done=int(settled and not error), failed=int(settled and bool(error)), at=at)


def settle(*, job_ids: list[UUID], at: datetime) -> None:
    """Bring the counts of jobs whose runs ended otherwise than by being executed up to date."""
    for job_id in sorted(job_ids):
        Job.objects.recount(job_id, at=at)


def open_without_runs(*, at: datetime) -> list[Job]:
    """Open jobs that nobody holds and that have no run left to wait for."""
    waiting = Job.objects.waiting(at=at)
    busy = set(Run.objects.active().filter(job_id__in=[job.pk for job in waiting]).values_list("job_id", flat=True))
    return [job for job in waiting if job.pk not in busy]
