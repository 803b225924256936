"""A batch of proposed titles: edited and ticked, applied in one go, and undone as one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ai import dispatch, ids
from ai.exceptions import Conflict, NotFound
from ai.models import ChatThread, Job, JobItem
from ai.models.jobs import JobStatus
from ai.services import actors, audit, permissions, working
from ai.services.retitles import (
    APPLIED,
    CHOSEN,
    FAILED,
    KEPT,
    KIND,
    LEFT,
    LOCKED,
    PERMISSION,
    PROPOSED,
    UNDOING,
    UNDONE,
)
from ai.services.titling.text import cut, has_words, plain
from ai.services.working import Clock

APPLY, UNDO = "retitle_apply", "retitle_undo"
#: More titles than this are changed by a worker.
AT_ONCE = 200
BATCH = 50

#: What each kind of change takes and, where it succeeds, makes of it.
_STATES = {APPLY: (CHOSEN, APPLIED), UNDO: (UNDOING, UNDONE)}
_WORDS = {APPLY: "Apply {} title{}", UNDO: "Undo {} title{}"}
_WHY = {
    "gone": (FAILED, "The thread is gone."),
    "locked": (LOCKED, "Its title has been locked since."),
    "changed": (KEPT, "Somebody has changed the title since."),
}


def batch(*, job_id: UUID) -> Job:
    """The job that proposed the titles.

    Raises:
        NotFound: there is none in scope.
    """
    job: Job | None = Job.objects.filter(pk=job_id, kind=KIND).first()
    if job is None:
        raise NotFound(f"No batch of titles found with id '{job_id}'.")
    return job


def change_of(job: Job) -> Job | None:
    """The job that applies or undoes this batch, or did so last, where that took a worker."""
    key = job.data.get("change")
    return Job.objects.filter(pk=key).first() if key else None


@transaction.atomic
def decide(*, job_id: UUID, choices: Mapping[UUID, tuple[bool, str]], by: Any, at: datetime) -> int:
    """Note for items of the batch whether each is ticked, and the title as somebody edited it; how many there were.

    An empty title is not ticked. What has been applied stays as it is.

    Raises:
        Forbidden, NotFound.
    """
    permissions.require(by, PERMISSION)
    batch(job_id=job_id)
    rows = JobItem.objects.filter(job_id=job_id, pk__in=list(choices), status__in=[PROPOSED, LEFT])
    for item in rows:
        ticked, text = choices[item.pk]
        title = cut(" ".join(plain(text).split()))
        data = {**item.data, "new": title if has_words(title) else item.data.get("new", "")}
        if title != item.data.get("new") and has_words(title):
            data["source"] = actors.name_of(by)
        wanted = PROPOSED if ticked and has_words(title) else LEFT
        JobItem.objects.change(item, status=wanted, data=data, at=at)
    return len(rows)


@transaction.atomic
def apply(*, job_id: UUID, by: Any, at: datetime, with_tags: bool = True, at_once: int = AT_ONCE) -> Job:
    """Give the ticked threads their new titles, and the tags if wanted. A worker does it where there are more than `at_once`.

    Raises:
        Forbidden, NotFound.
        Conflict: titles are still being found or changed, or nothing is ticked.
    """
    job = _ready(job_id, by)
    JobItem.objects.move(job_id, before=PROPOSED, after=CHOSEN, at=at)
    count = JobItem.objects.filter(job_id=job_id, status=CHOSEN).count()
    if not count:
        raise Conflict("Nothing is ticked: there is no title to apply.")
    audit.record(
        "thread.retitled", target=job, by=by, at=at, threads=count, selection=job.data.get("selection"), tags=with_tags
    )
    return _change(job, APPLY, count, {"with_tags": with_tags}, by=by, at=at, at_once=at_once)


@transaction.atomic
def undo(*, job_id: UUID, by: Any, at: datetime, at_once: int = AT_ONCE) -> Job:
    """Give every thread of the batch its old title back, apart from those whose title somebody has changed since.

    A worker does it where there are more than `at_once`.

    Raises:
        Forbidden, NotFound.
        Conflict: titles are still being found or changed, or none has been applied.
    """
    job = _ready(job_id, by)
    JobItem.objects.move(job_id, before=APPLIED, after=UNDOING, at=at)
    count = JobItem.objects.filter(job_id=job_id, status=UNDOING).count()
    if not count:
        raise Conflict("No title of this batch is applied: there is nothing to undo.")
    audit.record("thread.retitle_undone", target=job, by=by, at=at, threads=count, selection=job.data.get("selection"))
    return _change(job, UNDO, count, {}, by=by, at=at, at_once=at_once)


def _ready(job_id: UUID, by: Any) -> Job:
    permissions.require(by, PERMISSION)
    batch(job_id=job_id)
    job: Job = Job.objects.select_for_update().get(pk=job_id)
    change = change_of(job)
    if job.is_open:
        raise Conflict("The titles are still being found; wait, or cancel the job.")
    if change is not None and change.is_open:
        raise Conflict("The titles are being changed at this moment; wait until that is done.")
    return job


def _change(job: Job, kind: str, count: int, data: dict[str, Any], *, by: Any, at: datetime, at_once: int) -> Job:
    """Do it now, or ask a worker; the batch's job."""
    values = {"of": str(job.pk), **data}
    if count <= at_once:
        for item in JobItem.objects.with_status(job.pk, _STATES[kind][0], most=at_once):
            _one(item, kind, values, at=at)
        return job
    change = Job(
        kind=kind,
        title=_WORDS[kind].format(f"{count:,}", "s" * (count != 1)),
        total=count,
        requested_by=actors.name_of(by),
        tenant_id=job.tenant_id,
        data=values,
        created=at,
        modified=at,
    )
    change.save(force_insert=True)
    Job.objects.note(job, change=str(change.pk))
    dispatch.run_job(job_id=change.pk)
    return job


def carry_on(*, job_id: UUID, worker: str, now: Clock) -> None:
    """Apply or undo titles until all are done, the job is cancelled, or it is another worker's."""
    job = Job.objects.take(job_id, worker=worker, at=now())
    if job is None:
        return
    with working.on(job, now=now):
        _go_through(job, now)


def _go_through(job: Job, now: Clock) -> None:
    of = ids.parse(job.data["of"])
    while items := JobItem.objects.with_status(of, _STATES[job.kind][0], most=BATCH):
        for item in items:
            at = now()
            with transaction.atomic():
                done = _one(item, job.kind, job.data, at=at)
                mine = Job.objects.advance(job, done=int(done), failed=int(not done), at=at)
                if not mine:
                    transaction.set_rollback(True)
            if not mine:
                return
    Job.objects.finish(job, status=JobStatus.COMPLETED, at=now())


def _one(item: JobItem, kind: str, values: Mapping[str, Any], *, at: datetime) -> bool:
    """Change one thread's title, and note what became of it; False where it was not changed."""
    old, new, key = item.data.get("old"), item.data.get("new"), ids.parse(item.object_id)
    if kind == APPLY:
        added = list(item.data.get("tags") or []) if values.get("with_tags") else []
        outcome = ChatThread.objects.swap_title(key, old=old, new=new, add=added, at=at)
        data = {**item.data, "added": added}
    else:
        outcome = ChatThread.objects.swap_title(key, old=new, new=old, remove=item.data.get("added") or (), at=at)
        data = dict(item.data)
    status, why = (_STATES[kind][1], "") if outcome == "done" else _WHY[outcome]
    if kind == UNDO and status == LOCKED:
        status = KEPT
    JobItem.objects.change(item, status=status, data=data, at=at, error=why)
    return outcome == "done"
