"""Making bundles and tenants of bundles in the background, and for the shell."""

from __future__ import annotations

from datetime import datetime, timedelta
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import UUID

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction

from ai import conf, dispatch, tenancy
from ai.exceptions import Forbidden, LeaseLost, NotFound
from ai.models import AuditEntry, Job, Tenant
from ai.models.jobs import JobStatus
from ai.services import actors, audit, permissions, working
from ai.services.bundles import reading, writing
from ai.services.exports import jobs as exports
from ai.services.exports.writing import digest
from ai.services.storing import stored
from ai.services.working import Clock, Pulse

EXPORT, IMPORT = "bundle", "bundle_import"
NOUNS = ("chatthread", "message", "run", "datasource", "feedback", "assistant")


#: What it takes to have everything that a bundle holds.
NEEDED = (*(f"ai.export_{noun}" for noun in NOUNS), "ai.download_datasource")


def require_export(by: Any) -> None:
    """Let those pass who may export everything that a bundle holds.

    Raises:
        Forbidden.
    """
    for permission in NEEDED:
        permissions.require(by, permission)


def require_import(by: Any) -> None:
    """Let those pass who may import everything, add tenants, and see all of them.

    Raises:
        Forbidden.
    """
    for noun in NOUNS:
        permissions.require(by, f"ai.import_{noun}")
    permissions.require(by, "ai.add_tenant")
    if tenancy.current().tenants is not None:
        raise Forbidden("A bundle makes a new tenant: only those who see all tenants can import one.")


def write(*, tenant_id: UUID, out: IO[bytes], by: Any, at: datetime) -> dict[str, Any]:
    """Write a tenant's bundle to a binary file; the manifest. Who does not see all tenants gets it blind.

    Raises:
        Forbidden.
        NotFound: there is no such tenant for `by`.
    """
    require_export(by)
    is_blind = _is_blind()
    with _scope(tenant_id):
        manifest = writing.write(tenant_id=tenant_id, out=out, is_blind=is_blind)
        audit.record("bundle.made", by=by, at=at, tenant_id=tenant_id, rows=_rows(manifest))
    return manifest


def read(*, file: IO[bytes], by: Any, at: datetime) -> tuple[Tenant, dict[str, Any]]:
    """Make the tenant of a bundle; the tenant and the manifest.

    Raises:
        Forbidden.
        InvalidInput: the file is no bundle, or was changed.
        Conflict: the tenant, or something of it, is here already.
    """
    require_import(by)
    with reading.read(file=file) as (tenant, manifest):
        audit.record("bundle.imported", by=by, at=at, tenant_id=tenant.pk, rows=_rows(manifest))
    return tenant, manifest


def _is_blind() -> bool:
    """Whether whoever asks must not see answers to what others may still review: they might be a reviewer too."""
    return tenancy.current().tenants is not None


def _scope(tenant_id: UUID) -> Any:
    if not tenancy.current().allows(tenant_id):
        raise NotFound("There is no such tenant.")
    return tenancy.scope(tenant_id)


def _rows(manifest: dict[str, Any]) -> int:
    return sum(entry["rows"] for entry in manifest["entries"].values())


@transaction.atomic
def request_export(*, tenant_id: UUID, by: Any, at: datetime) -> Job:
    """Queue a tenant's bundle; the job's page leads to the file.

    Raises:
        Forbidden.
        NotFound: there is no such tenant for `by`.
    """
    require_export(by)
    is_blind = _is_blind()
    with _scope(tenant_id):
        tenant = Tenant.objects.filter(pk=tenant_id).first()
        if tenant is None:
            raise NotFound("There is no such tenant.")
        about = {"name": f"bundle-{at:%Y-%m-%d-%H%M}.zip", "is_blind": is_blind}
        return _queue(EXPORT, f"Bundle of {tenant.name}", by=by, at=at, tenant_id=tenant_id, **about)


@transaction.atomic
def request_import(*, file: Any, by: Any, at: datetime) -> Job:
    """Queue the import of a bundle that somebody uploaded.

    Raises:
        Forbidden.
    """
    require_import(by)
    job = _queue(IMPORT, "Import of a bundle", by=by, at=at, tenant_id=None, name="bundle.zip")
    path = default_storage.save(f"{exports.folder(job.pk)}/bundle.zip", File(file))
    Job.objects.note(job, path=path)
    return job


def _queue(kind: str, title: str, *, by: Any, at: datetime, tenant_id: UUID | None, **about: Any) -> Job:
    job = Job(
        kind=kind,
        title=title[:255],
        requested_by=actors.name_of(by),
        tenant_id=tenant_id,
        created=at,
        total=1,
    )
    job.key = f"{exports.KEYED}{job.pk.hex}"
    job.data = {**about, "needs": list(NEEDED), "by": {"id": actors.id_of(by), "name": actors.name_of(by)}}
    job.save(force_insert=True)
    audit.record(f"{kind}.requested", target=job, by=by, at=at)
    dispatch.run_job(job_id=job.pk)
    return job


def carry_on(*, job_id: UUID, worker: str, now: Clock) -> None:
    """Make the bundle, or the tenant of one, from the beginning: what a worker that died had begun counts for nothing."""
    job = Job.objects.take(job_id, worker=worker, at=now())
    if job is None:
        return
    with working.on(job, now=now):
        (_make if job.kind == EXPORT else _take_in)(job, now)


def _make(job: Job, now: Clock) -> None:
    beat = Pulse(job, now)
    with tenancy.scope(job.tenant_id or ""), TemporaryFile() as file:
        blind = bool(job.data.get("is_blind", True))
        manifest = writing.write(tenant_id=UUID(str(job.tenant_id)), out=file, is_blind=blind, beat=beat)
        size, sha256 = digest(file, beat=beat)
        about = {
            "schema_version": manifest["schema_version"],
            "format": "bundle",
            "selection": {"words": f"everything of {manifest['tenant']['name']}"},
            "counts": {"rows": _rows(manifest), "written": _rows(manifest), "gone": 0},
            "file": {"name": job.data["name"], "bytes": size, "sha256": sha256},
            "missing_files": manifest["missing_files"],
        }
        with stored(exports.folder(job.pk), job.data["name"], file, beat=beat) as path:
            at = now()
            until = (at + timedelta(hours=conf.current().export_keep_hours)).isoformat()
            made = {"path": path, "manifest": about, "expires_at": until}
            _end(job, at, action="bundle.made", tenant_id=job.tenant_id, **made)


def _take_in(job: Job, now: Clock) -> None:
    opened = default_storage.open(job.data["path"], "rb")
    with opened as file, reading.read(file=file, beat=Pulse(job, now)) as (tenant, manifest):
        counts = {name: entry["rows"] for name, entry in manifest["entries"].items() if entry["rows"]}
        _end(job, now(), action="bundle.imported", tenant_id=tenant.pk, tenant=tenant.name, counts=counts)


def _end(job: Job, at: datetime, *, action: str, tenant_id: UUID | None, **data: Any) -> None:
    """End the job with what came of it, if it is still this worker's."""
    by = job.data["by"]
    rows = sum(data["counts"].values()) if "counts" in data else data["manifest"]["counts"]["rows"]
    with transaction.atomic():
        if not Job.objects.advance(job, done=1, at=at, data={**job.data, **data}):
            raise LeaseLost
        Job.objects.finish(job, status=JobStatus.COMPLETED, at=at)
        AuditEntry.objects.record(
            action,
            actor_id=by["id"],
            actor_name=by["name"],
            at=at,
            tenant_id=tenant_id,
            target=job,
            data={"rows": rows},
        )
