"""Imports as jobs: a batch of threads, the count of what came of it, and how far the file is read are written together.

A worker that dies therefore leaves whole batches behind; the next one reads the file from its beginning, passes over what was
written, and counts on from there.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from ai import conf, dispatch, tenancy
from ai.exceptions import LeaseLost, NotFound
from ai.models import Job, JobItem
from ai.models.bulk import many_rows
from ai.models.jobs import JobStatus
from ai.services import actors, audit, permissions, working
from ai.services.imports import columns, formats, loading, uploads
from ai.services.imports.columns import Columns
from ai.services.imports.drafts import Draft, Refusal
from ai.services.imports.keys import Keys
from ai.services.imports.reports import Outcome, Report, table
from ai.services.imports.uploads import KIND, Upload
from ai.services.working import Clock

#: Progress is in per cent of the file's bytes.
WHOLE = 100

#: More problems than these are counted, and not listed.
MOST_LISTED = 100_000

COLUMNS = ("new", "unchanged", "refused")


@transaction.atomic
def request(*, upload: Upload, format_: str, by: Any, at: datetime, read_as: Columns | None = None) -> Job:
    """Queue the import of an upload; the job's page says what came of it.

    Raises:
        Forbidden.
        InvalidInput: there is no such format, or no such field for a column.
        NotFound: the upload is gone, or its import has begun already.
    """
    permissions.require(by, "ai.import_chatthread")
    chosen = formats.named(format_)
    known = columns.checked(read_as or {})
    job = Job(
        kind=KIND,
        title=f"Import {upload.name}"[:255],
        total=WHOLE,
        requested_by=actors.name_of(by),
        tenant_id=UUID(upload.tenant_id),
        key=_key(upload),
        created=at,
        data={
            "path": upload.path,
            "name": upload.name,
            "bytes": upload.bytes,
            "format": chosen.name,
            **({"columns": known} if known else {}),
            "by": {"id": actors.id_of(by), "name": actors.name_of(by)},
        },
    )
    found, is_new = Job.objects.open_once(job)
    if is_new:
        facts = {"file": upload.name, "bytes": upload.bytes, "format": chosen.name}
        audit.record("import.requested", target=found, by=by, at=at, tenant_id=found.tenant_id, **facts)
        dispatch.run_job(job_id=found.pk)
    return found


def _key(upload: Upload) -> str:
    """One job an upload, however often somebody presses the button."""
    return f"import:{Path(upload.path).name.partition('.')[0]}"[:64]


def problems(*, job_id: UUID, by: Any) -> tuple[Job, Any]:
    """An import, and its problems in the order of the file.

    Raises:
        Forbidden.
        NotFound: there is no such import for `by`.
    """
    permissions.require(by, "ai.import_chatthread")
    job: Job | None = Job.objects.filter(pk=job_id, kind=KIND).first()
    if job is None:
        raise NotFound(f"No import found with id '{job_id}'.")
    return job, JobItem.objects.filter(job_id=job_id).order_by("position")


def carry_on(*, job_id: UUID, worker: str, now: Clock) -> None:
    """Work on an import until it ends, is cancelled, or is another worker's."""
    job = Job.objects.take(job_id, worker=worker, at=now())
    if job is None:
        return
    upload = job.data["path"]
    with (
        working.on(job, now=now, afterwards=lambda: uploads.delete(upload)),
        tenancy.scope(UUID(str(job.tenant_id))),
        uploads.local(upload) as path,
    ):
        _Work(job, path, now).run()


def cancelled(*, job: Job, by: Any, at: datetime) -> None:
    """Note what a cancelled import had brought by then, and let its file go."""
    state = job.data.get("state") or {}
    _record(job, by=by, at=at, counts=table({name: state.get(name) or {} for name in COLUMNS}))


def _record(job: Job, *, by: Any, at: datetime, counts: Any) -> None:
    facts = {"file": job.data["name"], "format": job.data["format"], "counts": counts}
    audit.record("threads.imported", target=job, by=by, at=at, tenant_id=job.tenant_id, **facts)
    transaction.on_commit(lambda: uploads.delete(job.data["path"]))


class _Work:
    """One worker's turn at an import.

    `state` is what the job keeps: how many drafts are written, how many problems of reading they had, how many problems are
    listed, and the counts.
    """

    def __init__(self, job: Job, path: Path, now: Clock) -> None:
        self.job, self.now = job, now
        self.dump = loading.Dump.at(path, job.data["format"], name=job.data["name"], read_as=job.data.get("columns"))
        self.report = Report(at=job.created, on_refusal=self._refused, on_progress=lambda _: self._beat())
        self.writer = loading.Writer(Keys(UUID(str(job.tenant_id))), source=self.dump.format.name, at=job.created)
        state = job.data.get("state") or {}
        self.written, self.passed = state.get("drafts", 0), state.get("refusals", 0)
        self.listed = state.get("listed", 0)
        self.counts = {name: Counter(state.get(name) or {}) for name in COLUMNS}
        self.percent = job.done
        self.read, self.refusals = 0, 0
        self.waiting: list[Refusal] = []
        self.beaten_at = now()

    def run(self) -> None:
        """Read and write to the end, from what is written on."""
        with closing(self.dump.drafts(self.report)) as drafts, many_rows():
            for batch in loading.batches(drafts):
                before, self.read = self.read, self.read + len(batch)
                if fresh := batch[max(self.written - before, 0) :]:
                    self._write(fresh)
        self._finish()

    def _refused(self, refusal: Refusal) -> None:
        """A problem of reading; those of drafts that are written were listed then."""
        self.refusals += 1
        if self.refusals > self.passed:
            self._note(refusal)

    def _note(self, refusal: Refusal) -> None:
        self.counts["refused"][refusal.kind] += 1
        self.waiting.append(refusal)

    def _beat(self) -> None:
        """Keep the lease while nothing is written.

        Raises:
            LeaseLost: the job was cancelled, or is another worker's.
        """
        at = self.now()
        if at - self.beaten_at >= timedelta(seconds=conf.current().run_lease_seconds / 6):
            self._advance(at)

    def _advance(self, at: datetime, *, done: int | None = None, **facts: Any) -> None:
        percent = self.percent if done is None else max(done, self.percent)
        data = {**self.job.data, **facts, "read": self.dump.progress.read, "objects": self.report.read}
        if not Job.objects.advance(self.job, done=percent - self.percent, at=at, data=data):
            raise LeaseLost
        self.percent, self.job.data, self.beaten_at = percent, data, at

    @transaction.atomic
    def _write(self, drafts: list[Draft]) -> None:
        for outcome in self.writer.write(drafts):
            self._count(outcome)
        self._save(self._reached())

    def _count(self, outcome: Outcome) -> None:
        self.counts["new"].update(outcome.new)
        self.counts["unchanged"].update(outcome.unchanged)
        for refusal in outcome.refused:
            self._note(refusal)

    def _reached(self) -> int:
        total = max(self.dump.progress.total, 1)
        return min(self.dump.progress.read * WHOLE // total, WHOLE - 1)

    def _save(self, done: int) -> None:
        """Note how far it is, and the problems, in the transaction that wrote the rest."""
        listed = self.waiting[: max(MOST_LISTED - self.listed, 0)]
        items = [self._item(self.listed + place, refusal) for place, refusal in enumerate(listed)]
        self.listed, self.waiting = self.listed + len(listed), []
        counts = {name: dict(found) for name, found in self.counts.items()}
        state = {"drafts": self.read, "refusals": self.refusals, "listed": self.listed, **counts}
        self._advance(self.now(), done=done, state=state)
        JobItem.objects.add(items)  # only now: the positions are another worker's where the job is

    def _item(self, position: int, refusal: Refusal) -> JobItem:
        return JobItem(
            job_id=self.job.pk,
            tenant_id=self.job.tenant_id,
            position=position,
            object_id=refusal.id[:255],
            status="failed",
            data={"kind": refusal.kind, "place": refusal.place},
            error=refusal.reason,
        )

    def _finish(self) -> None:
        at, asked = self.now(), self.job.data["by"]
        with transaction.atomic():
            self._save(WHOLE)
            Job.objects.finish(self.job, status=JobStatus.COMPLETED, at=at)
            by = actors.Actor(asked["id"], asked["name"])
            _record(self.job, by=by, at=at, counts=table(self.counts))
