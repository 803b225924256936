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

from django.core.files.storage import default_storage
from django.db import transaction

from ai import conf, dispatch, tenancy
from ai.exceptions import Forbidden, InvalidInput, LeaseLost, NotFound
from ai.models import AuditEntry, Job, JobItem
from ai.models.jobs import JobStatus
from ai.services import actors, audit, permissions, working
from ai.services.exports import formats, manifests, writing
from ai.services.exports.formats import Format
from ai.services.exports.rows import Written
from ai.services.selections import Selection
from ai.services.storing import stored
from ai.services.working import Clock, Pulse

KIND = "export"

#: Jobs with files in storage have a key that begins so.
KEYED = "export:"

#: A key is a UUID's bytes. So many are read at a time from the table, and from the file they are kept in.
KEY_BYTES = 16
KEYS_AT_ONCE = 200_000
KEYS_IN_QUERY = 1000

#: A thread with its messages weighs as much as so many rows.
ROWS_OF_A_THREAD = 20


def permission(selection: Selection) -> str:
    """The permission that an export of such rows takes."""
    return f"ai.export_{selection.model._meta.model_name}"


def has_messages(noun: str, format_: Format) -> bool:
    """Whether what is exported are threads with all that is said in them."""
    return noun == "threads" and format_.name != "csv"


def rows_in_part(noun: str, format_: Format) -> int:
    """How many rows a part has: conversations weigh more than rows."""
    rows = conf.current().export_part_rows
    return max(rows // ROWS_OF_A_THREAD, 1) if has_messages(noun, format_) else rows


@transaction.atomic
def request(*, selection: Selection, format_name: str, by: Any, at: datetime) -> Job:
    """Queue an export; the job's page leads to the file.

    Raises:
        Forbidden.
        InvalidInput: there is no such format, or `by` does not see all tenants and the rows are of several, or of none since
            there are no rows: such a job belongs to no tenant.
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
        "part_rows": rows_in_part(kept.noun, format_),
        "sees_all": tenancy.current().tenants is None,
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
    if scope is not None and not found:
        raise InvalidInput("There are no rows to export.")
    if scope is not None and len(found) > 1:
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
    """What the export sees: its tenant; without one all tenants, as the caller does.

    Raises:
        Forbidden: whoever asked for an export without a tenant did not see all of them.
    """
    if job.tenant_id:
        return tenancy.scope(job.tenant_id)
    if not job.data.get("sees_all"):
        raise Forbidden("Only those who see all tenants can export rows of several.")
    return nullcontext()


class _Work:
    """One worker's turn at an export."""

    def __init__(self, job: Job, now: Clock) -> None:
        self.job, self.now = job, now
        self.selection = Selection.from_json(job.data["selection"])
        self.format = formats.named(job.data["format"], self.selection.noun)
        # As it was when the job was asked for: parts of another size would repeat rows, or leave some out.
        self.size: int = job.data.get("part_rows") or rows_in_part(self.selection.noun, self.format)
        self._beat = Pulse(job, now)

    def run(self) -> None:
        """Keys, parts, file."""
        if not self._has_keys():
            self._keep_keys()
        count = self.job.data["keys"]
        parts = -(-count // self.size) or 1
        for number in range(JobItem.objects.filter(job_id=self.job.pk).count(), parts):
            self._write_part(number)
        self._finish()

    def _stored(self, name: str, file: IO[bytes]) -> AbstractContextManager[str]:
        return stored(folder(self.job.pk), name, file, beat=self._beat)

    def _has_keys(self) -> bool:
        path = self.job.data.get("keys_path")
        return bool(path and default_storage.exists(path))

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
            with self._stored("keys", file) as path, transaction.atomic():
                data, at = {**self.job.data, "keys": count, "keys_path": path}, self.now()
                mine = Job.objects.advance(self.job, at=at, data=data)
                if not (mine and Job.objects.measure(self.job, total=count, at=at)):
                    raise LeaseLost
        self.job.data = data

    def _write_part(self, number: int) -> None:
        with TemporaryFile() as file:
            written = self.format.write(self.selection.noun, self._rows(number), file, is_first=number == 0)
            with self._stored(f"part-{number:05}", file) as path, transaction.atomic():
                if not Job.objects.advance(self.job, done=written.rows, at=self.now()):
                    raise LeaseLost
                data = {"path": path, "rows": written.rows, "lines": written.lines}
                made = {"tenant_id": self.job.tenant_id, "position": number, "status": "done", "data": data}
                JobItem.objects.add([JobItem(job_id=self.job.pk, **made)])

    def _rows(self, number: int) -> Iterator[Any]:
        """The part's rows, some hundred at a time; those that were deleted meanwhile are not there."""
        with default_storage.open(self.job.data["keys_path"], "rb") as file:
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
            with self._stored(self.job.data["name"], file) as path:
                self._publish(path, items, size=size, sha256=sha256)
        _delete(folder(self.job.pk), but=path)

    def _publish(self, path: str, items: Iterable[JobItem], *, size: int, sha256: str) -> None:
        """End the job with its file."""
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
            Job.objects.finish(self.job, status=JobStatus.COMPLETED, at=at)
            self._audit(manifest, at=at)

    def _parts(self, items: Iterable[JobItem]) -> Iterator[IO[bytes]]:
        for item in items:
            self._beat()
            with default_storage.open(item.data["path"], "rb") as part:
                yield part

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


def _delete(path: str, *, but: str = "") -> None:
    """Delete a folder of the storage with the files in it; with `but`, all of its other files."""
    try:
        _, names = default_storage.listdir(path)
    except FileNotFoundError:
        return
    for name in names:
        if f"{path}/{name}" != but:
            default_storage.delete(f"{path}/{name}")
    if not but:
        default_storage.delete(path)
