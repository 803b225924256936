"""Filling a queue from a long list: a worker draws the sample, since reading all that a list shows takes its time.

Drawing writes nothing but how far it is. What was drawn is added with the job's end in one transaction; a worker that dies loses
what it has read, and the next one draws again: the same seed gives the same sample.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from ai import conf, dispatch, ids, tenancy
from ai.exceptions import Conflict, LeaseLost
from ai.models import Job
from ai.models.jobs import JobStatus
from ai.services import actors, audit, permissions, working
from ai.services.actors import Actor
from ai.services.reviews import queues, sampling_rows
from ai.services.reviews.queues import Wanted
from ai.services.selections import Selection
from ai.services.working import Clock

KIND = "review_fill"
#: How often a worker notes how far it is.
EVERY = timedelta(seconds=1)
UNDER_WAY = "A sample is being drawn for this queue; wait until it is there."


def start(
    *,
    queue_id: UUID,
    selection: Selection,
    by: Any,
    at: datetime,
    sample: int | None = None,
    seed: int = 1,
    how: str = "",
) -> int | Job:
    """Fill the queue: how many items were added where there are few rows to choose from, else the job that does it.

    Raises:
        Forbidden, NotFound, InvalidInput: as `queues.fill`. Where a worker draws, the job says that nothing was found.
        Conflict: the queue is closed, or a sample is being drawn for it.
    """
    permissions.require(by, "ai.change_reviewqueue")
    if _is_light(selection, sample=sample, how=how):
        return queues.fill(queue_id=queue_id, selection=selection, by=by, at=at, sample=sample, seed=seed, how=how)
    return _request(queue_id, Wanted(selection.frozen(at=at), sample, seed, how), by=by, at=at)


def _is_light(selection: Selection, *, sample: int | None, how: str) -> bool:
    if selection.ids is not None or (sample is None and not how):  # no more is read than fits a queue
        return True
    # Reading 10,000 rows takes a tenth of a second, or two where messages go by model; answers are compared word by word.
    rows = conf.current().review_sample_rows
    most = max(rows // 10, 1) if how == sampling_rows.DIFFERS else rows
    return selection.count(most=most + 1) <= most


def open_job(*, queue_id: UUID) -> Job | None:
    """The job that draws a sample for the queue at this moment: one query."""
    job: Job | None = Job.objects.filter(key=_key(queue_id)).first()
    return job if job is not None and job.is_open else None


def _key(queue_id: UUID) -> str:
    return f"{KIND}:{queue_id.hex}"


@transaction.atomic
def _request(queue_id: UUID, wanted: Wanted, *, by: Any, at: datetime) -> Job:
    queue = queues.fillable(queue_id, wanted)
    if known := Job.objects.filter(key=_key(queue_id)).first():
        if known.is_open:
            raise Conflict(UNDER_WAY)
        Job.objects.release_key(known.pk)
    size = f"a sample of {wanted.sample:,}" if wanted.sample is not None else "items"
    job = Job(
        kind=KIND,
        title=f"Draw {size} for {queue.name}"[:255],
        requested_by=actors.name_of(by),
        tenant_id=queue.tenant_id,
        key=_key(queue_id),
        data={
            "queue": str(queue.pk),
            "selection": wanted.selection.to_json(),
            "words": wanted.selection.describe(),
            "sample": wanted.sample,
            "seed": wanted.seed,
            "how": wanted.how,
            "by": {"id": actors.id_of(by), "name": actors.name_of(by)},
        },
        created=at,
        modified=at,
    )
    job, is_new = Job.objects.open_once(job)
    if not is_new:
        raise Conflict(UNDER_WAY)
    audit.record("review_queue.fill_requested", target=queue, by=by, at=at, selection=job.data["words"])
    dispatch.run_job(job_id=job.pk)
    return job


def carry_on(*, job_id: UUID, worker: str, now: Clock) -> None:
    """Draw the sample and add it, unless the job is cancelled, or another worker's, meanwhile."""
    job = Job.objects.take(job_id, worker=worker, at=now())
    if job is None:
        return
    with working.on(job, now=now), tenancy.scope(str(job.tenant_id)):
        _fill(job, now)


def _fill(job: Job, now: Clock) -> None:
    data = job.data
    wanted = Wanted(Selection.from_json(data["selection"]), data["sample"], data["seed"], data["how"])
    queue = queues.fillable(ids.parse(data["queue"]), wanted)
    taken = wanted.take(queue, beat=_Reading(job, now, wanted.rows(queue), how=wanted.how))
    at, by = now(), Actor(data["by"]["id"], data["by"]["name"])
    with transaction.atomic():
        added = queues.put(queue_id=queue.pk, wanted=wanted, taken=taken, by=by, at=at)
        total = Job.objects.get(pk=job.pk).total
        mine = Job.objects.measure(job, total=total, done=total, at=at)
        mine = mine and Job.objects.advance(job, at=at, data={**data, "added": added, "chosen": len(taken.keys)})
        if not (mine and Job.objects.finish(job, status=JobStatus.COMPLETED, at=at)):
            raise LeaseLost


class _Reading:
    """Notes how many of the rows have been read, and keeps the lease with it."""

    def __init__(self, job: Job, now: Clock, rows: Any, *, how: str) -> None:
        self._job, self._now, self._at, self._read = job, now, now(), 0
        total = rows.order_by().count() * sampling_rows.passes(how)
        # The rows are read from the first one, whatever another worker has read of them.
        if not Job.objects.measure(job, total=total, done=0, at=self._at):
            raise LeaseLost

    def __call__(self, rows: int) -> None:
        """So many more.

        Raises:
            LeaseLost: the job was cancelled, or is another worker's.
        """
        self._read += rows
        at = self._now()
        if at - self._at < EVERY:
            return
        if not Job.objects.advance(self._job, done=self._read, at=at):
            raise LeaseLost
        self._read, self._at = 0, at
