"""Telling of jobs that ended and runs that failed: a worker reads what was noted when it happened."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from ai.models import Ending, Job, Run
from ai.models.endings import JOB
from ai.models.jobs import JobStatus
from ai.services import actors, notifications
from ai.services.webhooks import collecting

MOST_AT_ONCE = 200


def sweep(*, at: datetime) -> int:
    """Tell of what ended since; of how much. Its caller sees every tenant."""
    # Looked for first: a transaction of nothing would hold up whoever writes to SQLite.
    return _tell_all(at=at) if Ending.objects.exists() else 0


@transaction.atomic
def _tell_all(*, at: datetime) -> int:
    found = Ending.objects.take(most=MOST_AT_ONCE)
    keys = [row.object_id for row in found]
    if not keys:
        return 0
    jobs = Job.objects.defer("data").in_bulk([row.object_id for row in found if row.what == JOB])
    runs = Run.objects.only("pk", "tenant_id", "thread_id", "model", "status", "error_code", "ended_at").in_bulk(keys)
    for job in jobs.values():
        _tell_of(job, at=at)
    collecting.add_endings(jobs=list(jobs.values()), runs=list(runs.values()), at=at)
    return len(found)


def _tell_of(job: Job, *, at: datetime) -> None:
    """Tell who asked for a job that it has ended."""
    how = "has failed" if job.status == JobStatus.FAILED else "has ended"
    counts = f"{job.done:,} of {job.total:,} done" + (f", {job.failed:,} failed" if job.failed else "")
    notifications.tell_named(
        "job", names=[job.requested_by], key=f"job:{job.pk}", by=actors.SYSTEM, at=job.ended_at or at,
        tenant_id=job.tenant_id, title=f"{job} {how}", text=counts if job.total else "", target=job,
    )  # fmt: skip
