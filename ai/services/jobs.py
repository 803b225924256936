"""Jobs: work on many things at once. Replays are jobs whose things are runs; others carry on step by step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.module_loading import import_string

from ai import tenancy
from ai.exceptions import NotFound
from ai.models import Job, Run
from ai.services import audit, permissions

Clock = Callable[[], datetime]

#: Who carries on with a job of a kind, as a dotted path: `(*, job_id, worker, now)`. Replays are not here: their runs are
#: executed like all runs.
CARRIERS = {
    "export": "ai.services.exports.jobs.carry_on",
    "bundle": "ai.services.bundles.jobs.carry_on",
    "bundle_import": "ai.services.bundles.jobs.carry_on",
    "import": "ai.services.imports.background.carry_on",
    "judge": "ai.services.reviews.judge_work.carry_on",
    "review_fill": "ai.services.reviews.filling.carry_on",
    "retitle": "ai.services.retitles.carry_on",
    "retitle_apply": "ai.services.retitle_batches.carry_on",
    "retitle_undo": "ai.services.retitle_batches.carry_on",
    "sync": "ai.services.sync.carrying.carry_on",
}

#: What is to be done once a job of a kind is cancelled: `(*, job, by, at)`.
AFTERWARDS = {"import": "ai.services.imports.background.cancelled"}


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
    with tenancy.everything(reason="cancelling a job's runs"):
        Run.objects.cancel_job(job_id, at=at)
    Job.objects.cancel(job_id, at=at)
    if job.kind == "replay":
        Job.objects.recount(job_id, at=at)
    audit.record("job.cancelled", target=job, by=by, at=at)
    job.refresh_from_db()
    if job.kind in AFTERWARDS:
        import_string(AFTERWARDS[job.kind])(job=job, by=by, at=at)
    return job


def carry_on(*, job_id: UUID, worker: str, now: Clock) -> None:
    """Work on a job until it has ended or this process stops."""
    with tenancy.everything(reason="carrying on with a job"):
        job = Job.objects.filter(pk=job_id).first()
        if job is None or not job.is_open:
            return
        if job.kind in CARRIERS:
            import_string(CARRIERS[job.kind])(job_id=job_id, worker=worker, now=now)
        else:
            settle(job_ids=[job_id], at=now())


def settle(*, job_ids: list[UUID], at: datetime) -> None:
    """Bring the counts of jobs whose runs ended otherwise than by being executed up to date."""
    for job_id in sorted(job_ids):
        Job.objects.recount(job_id, at=at)


def open_without_runs(*, at: datetime) -> list[Job]:
    """Open jobs that nobody holds and that have no run left to wait for."""
    waiting = Job.objects.waiting(at=at)
    busy = set(Run.objects.active().filter(job_id__in=[job.pk for job in waiting]).values_list("job_id", flat=True))
    return [job for job in waiting if job.pk not in busy]
