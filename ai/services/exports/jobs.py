"""Exports in the background: the keys of what was selected are kept first, then parts of the file, then the file.

A worker that dies loses the part it was at; the next one goes on after the parts that are there. Everything is in the default
storage in a folder of the job's own, and is deleted some days after the job has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import UUID

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction

from ai import conf, dispatch, tenancy
from ai.exceptions import InvalidInput, LeaseLost, NotFound
from ai.models import AuditEntry, Job, JobItem
from ai.models.jobs import JobStatus
from ai.services import actors, audit, permissions, working
from ai.services.exports import formats, manifests, writing
from ai.services.exports.formats import Format
from ai.services.exports.rows import Written
from ai.services.selections import Selection
from ai.services.working import Clock, Pulse

KIND = "export"

#: Jobs with files in storage have a key that begins so.
KEYED = "export:"

#: A key is a UUID's bytes. So many are read at a time from the table, and from the file they are kept in.
KEY_BYTES = 16
KEYS_AT_ONCE = 200_000
KEYS_IN_QUERY = 1000


def permission(selection: Selection) -> str:
    """The permission that an export of such rows takes."""
    return f"ai.export_{selection.model._meta.model_name}"


def rows_in_part(noun: str, format_: Format) -> int:
    """How many rows a part has: conversations weigh more than rows."""
    return format_.rows_in_part if noun != "threads" or format_.name == "csv" else format_.rows_in_part // 20


@transaction.atomic
def request(*, selection: Selection, format_name: str, by: Any, at: datetime) -> Job:
    """Queue an export; the job's page leads to the file.

    Raises:
        Forbidden.
        InvalidInput: there is no such format, or the rows are of several tenants and `by` does not see all tenants: such a
            job belongs to none of them.
    """
    permissions.require(by, permission(selection))
    format_ = formats.named(format_name, selection.noun)
    kept = selection.frozen(at=at)
    tenant_id = _tenant_of(kept)
    job = Job(
        kind=KIND,
        title=f"Export {kept.describe()} as {format_.label}"[:255],
        requested_by=actors.name_of(by),
        tenant_id=tenant_id,
        created=at,
    )
    job.key = f"{KEYED}{job.pk.hex}"
    job.data = {
        "selection": kept.to_json(),
        "format": format_.name,
        "name": writing.name_of(kept, format_, at=at),
        "needs": [permission(kept)],
        "by": {"id": actors.id_of(by), "name": actors.name_of(by)},
    }
    job.save(force_insert=True)
    audit.record("export.requested", target=job, by=by, at=at, rows_of=kept.describe(), format=format_.name)
    dispatch.run_job(job_id=job.pk)
    return job


def _tenant_of(selection: Selection) -> UUID | None:
    """The tenant that the job belongs to; None is for those who see all."""
    scope = tenancy.current().tenants
    if scope is not None and len(scope) == 1:
        return next(iter(scope))
    found = list(selection.queryset().order_by().values_list("tenant_id", flat=True).distinct()[:2])
    if len(found) > 1 and scope is not None:
        raise InvalidInput("These rows are of several tenants: choose one of them in the list's filter first.")
    return found[0] if len(found) == 1 else None


def carry_on(*, job_id: UUID, worker: str, now: Clock) -> None:
    """Work on an export until it ends, is cancelled, or is another worker's."""
    job = Job.objects.take(job_id, worker=worker, at=now())
    if job is None:
        return
    with working.on(job, now=now), _scope(job):
        _Work(job, now).run()


def _scope(job: Job) -> AbstractContextManager[Any]:
    """What the export sees: its tenant, or all of them as its caller does."""
    return tenancy.scope(job.tenant_id) if job.tenant_id else nullcontext()


class _Work:
    """One worker's turn at an export."""

    def __init__(self, job: Job, now: Clock) -> None:
        self.job, self.now = job, now
        self.selection = Selection.from_json(job.data["selection"])
        self.format = formats.named(job.data["format"], self.selection.noun)
        self.size = rows_in_part(self.selection.noun, self.format)
        self._beat = Pulse(job, now)

    def run(self) -> None:
        """Keys, parts, file."""
        if not default_storage.exists(self._path("keys")) or "keys" not in self.job.data:
            self._keep_keys()
        count = self.job.data["keys"]
        parts = -(-count // self.size) or 1
        for number in range(JobItem.objects.filter(job_id=self.job.pk).count(), parts):
            self._write_part(number)
        self._finish()

    def _path(self, name: str) -> str:
        return f"{folder(self.job.pk)}/{name}"

    def _keep_keys(self) -> None:
        """Keep the keys of all that is selected, so that nothing comes in later and no part starts from the beginning."""
        count, after = 0, None
        with TemporaryFile() as file:
            while True:
                rows = self.selection.queryset().order_by("pk").values_list("pk", flat=True)
                keys = list((rows.filter(pk__gt=after) if after else rows)[:KEYS_AT_ONCE])
                file.writelines(key.bytes for key in keys)
                count += len(keys)
                if len(keys) < KEYS_AT_ONCE:
                    break
                after = keys[-1]
                self._beat()
            self._store("keys", file)
        self.job.data, at = {**self.job.data, "keys": count}, self.now()
        with transaction.atomic():
            mine = Job.objects.advance(self.job, at=at, data=self.job.data)
            if not (mine and Job.objects.measure(self.job, total=count, at=at)):
                raise LeaseLost

    def _write_part(self, number: int) -> None:
        with TemporaryFile() as file:
            written = self.format.write(self.selection.noun, self._rows(number), file, is_first=number == 0)
            path = self._store(f"part-{number:05}", file)
        at = self.now()
        data = {"path": path, "rows": written.rows, "lines": written.lines}
        item = JobItem(job_id=self.job.pk, tenant_id=self.job.tenant_id, position=number, status="done", data=data)
        with transaction.atomic():
            if not Job.objects.advance(self.job, done=written.rows, at=at):
                raise LeaseLost
            JobItem.objects.add([item])

    def _rows(self, number: int) -> Iterator[Any]:
        """The part's rows, some hundred at a time; those that were deleted meanwhile are not there."""
        with default_storage.open(self._path("keys"), "rb") as file:
            file.seek(number * self.size * KEY_BYTES)
            left = self.size * KEY_BYTES
            while left and (block := file.read(min(left, KEYS_IN_QUERY * KEY_BYTES))):
                left -= len(block)
                keys = [UUID(bytes=block[start : start + KEY_BYTES]) for start in range(0, len(block), KEY_BYTES)]
                self._beat()
                # In scope, but without the tenant in the query: SQLite would else read all that the tenant has.
                yield self.selection.model._base_manager.filter(pk__in=keys).order_by("pk")

    def _finish(self) -> None:
        """Put the parts together, and say what is in the file."""
        items = list(JobItem.objects.filter(job_id=self.job.pk).order_by("position", "pk"))
        with TemporaryFile() as file:
            self.format.assemble(self._parts(items), file)
            size, sha256 = writing.digest(file, beat=self._beat)
            path = self._store(self.job.data["name"], file)
        at = self.now()
        written = Written(*(sum(item.data[name] for item in items) for name in ("rows", "lines")))
        manifest = manifests.of(
            selection=self.selection,
            format_=self.format,
            written=written,
            name=self.job.data["name"],
            size=size,
            sha256=sha256,
            at=at,
            gone=self.job.data["keys"] - written.rows,
        )
        expires_at = at + timedelta(hours=conf.current().export_keep_hours)
        data = {**self.job.data, "path": path, "manifest": manifest, "expires_at": expires_at.isoformat()}
        with transaction.atomic():
            if not Job.objects.advance(self.job, at=at, data=data):
                raise LeaseLost
            Job.objects.end(self.job.pk, status=JobStatus.COMPLETED, at=at)
            self._audit(manifest, at=at)
        for name in ["keys", *(f"part-{item.position:05}" for item in items)]:
            default_storage.delete(self._path(name))

    def _parts(self, items: Iterable[JobItem]) -> Iterator[IO[bytes]]:
        for item in items:
            self._beat()
            with default_storage.open(item.data["path"], "rb") as part:
                yield part

    def _store(self, name: str, file: IO[bytes]) -> str:
        """Put a file into the job's folder, over what a worker that died may have left there; its path."""
        path = self._path(name)
        file.seek(0)
        default_storage.delete(path)
        stored: str = default_storage.save(path, File(file))
        return stored

    def _audit(self, manifest: dict[str, Any], *, at: datetime) -> None:
        by = self.job.data["by"]
        said = {"rows_of": manifest["selection"]["words"], "format": self.format.name, "counts": manifest["counts"]}
        AuditEntry.objects.record(
            "export.made", actor_id=by["id"], actor_name=by["name"], at=at, target=self.job, data=said
        )


def folder(job_id: UUID) -> str:
    """Where an export's files are."""
    return f"exports/{job_id.hex}"


def expires_at(job: Job) -> datetime | None:
    """When the file of an export goes; None while there is none."""
    found = job.data.get("expires_at")
    return datetime.fromisoformat(found) if found else None


def open_file(*, job_id: UUID, by: Any, at: datetime) -> tuple[Job, IO[bytes]]:
    """The file of an export, open for reading; who read it goes to the `ai.audit` log.

    Raises:
        Forbidden: `by` may not export such rows.
        NotFound: there is no such export for `by`, it has not ended, or its time is over.
    """
    job: Job | None = Job.objects.filter(pk=job_id, status=JobStatus.COMPLETED).first()
    until = expires_at(job) if job else None
    if job is None or "needs" not in job.data:
        raise NotFound("There is no finished export here.")
    for needed in job.data["needs"]:
        permissions.require(by, needed)
    if until is None or until <= at:
        raise NotFound("The time of this export is over: its file was deleted. Export again.")
    try:
        content = default_storage.open(job.data["path"], "rb")
    except OSError as error:
        raise NotFound("The file of this export is gone from storage.") from error
    audit.seen(job, by=by, at=at, what="downloaded")
    return job, content


def expire(*, at: datetime) -> int:
    """Delete the files of exports whose time is over, and of those that came to nothing; how many. Its caller sees every tenant."""
    gone = 0
    for job in Job.objects.keyed(KEYED).filter(ended_at__isnull=False):
        until = expires_at(job)
        if until is None or until <= at:
            _delete(folder(job.pk))
            Job.objects.release_key(job.pk)
            gone += 1
    return gone


def _delete(path: str) -> None:
    """Delete a folder of the storage with the files in it."""
    try:
        _, names = default_storage.listdir(path)
    except FileNotFoundError:
        return
    for name in names:
        default_storage.delete(f"{path}/{name}")
    default_storage.delete(path)
