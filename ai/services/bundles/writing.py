"""Writing a bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from ai.exceptions import NotFound
from ai.models import DataSource, Tenant
from ai.services.bundles.tables import TABLES, Table, dumps
from ai.services.exports.formats import EPOCH, SCHEMA_VERSION
from ai.stores.files import chunks_of

MANIFEST = "manifest.json"

#: Rows that are written between two calls of `beat`.
ROWS = 1000

Beat = Callable[[], Any]


@dataclass
class _Entry:
    """One file of the archive on its way."""

    name: str
    digest: Any = field(default_factory=hashlib.sha256)
    rows: int = 0
    size: int = 0


def write(*, tenant_id: UUID, out: IO[bytes], is_blind: bool = False, beat: Beat = lambda: None) -> dict[str, Any]:
    """Write everything of a tenant to a binary file; the manifest. The tenant is in scope.

    Where it is blind, answers to what others may still review are left out.

    Raises:
        NotFound: there is no such tenant.
    """
    tenant = Tenant.objects.filter(pk=tenant_id).first()
    if tenant is None:
        raise NotFound("There is no such tenant.")
    entries: list[_Entry] = []
    missing: list[str] = []
    files: list[UUID] = []
    with ZipFile(out, "w", ZIP_DEFLATED, compresslevel=6) as archive:
        for table in TABLES:
            rows = table.rows(tenant_id, is_blind=is_blind)
            entries.append(_put(archive, f"{table.name}.jsonl", _lines(table, rows, files, beat)))
        for key in files:  # of the rows that are written: others have come, and some may be gone by now
            beat()
            try:
                with DataSource.objects.get(pk=key).file.open("rb") as content:
                    entries.append(_put(archive, f"files/{key}", chunks_of(content)))
            except (DataSource.DoesNotExist, OSError, ValueError):
                missing.append(str(key))
        manifest = _manifest(tenant, entries, missing)
        _put(archive, MANIFEST, iter([dumps(manifest)]))
    return manifest


def _manifest(tenant: Tenant, entries: list[_Entry], missing: list[str]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "tenant": {
            "id": str(tenant.pk),
            "name": tenant.name,
            "allowed_tools": tenant.allowed_tools,
            "created": tenant.created.isoformat(),
            "modified": tenant.modified.isoformat(),
        },
        "entries": {
            entry.name: {"rows": entry.rows, "bytes": entry.size, "sha256": entry.digest.hexdigest()}
            for entry in entries
        },
        "missing_files": missing,
    }


def _lines(table: Table, rows: Any, files: list[UUID], beat: Beat) -> Iterator[bytes]:
    """The table's rows as lines. The keys of those that have a file are noted in `files`."""
    for number, row in enumerate(rows.iterator(chunk_size=ROWS)):
        if number % ROWS == 0:
            beat()
        if table.model is DataSource:
            files.append(row.pk)
        yield dumps(table.to_json(row)) + b"\n"


def _put(archive: ZipFile, name: str, pieces: Iterator[bytes]) -> _Entry:
    info = ZipInfo(name, date_time=EPOCH)
    info.compress_type, info.external_attr = ZIP_DEFLATED, 0o600 << 16
    entry = _Entry(name)
    with archive.open(info, "w", force_zip64=True) as out:
        for piece in pieces:
            out.write(piece)
            entry.digest.update(piece)
            entry.size += len(piece)
            entry.rows += 1
    if not name.endswith(".jsonl"):
        entry.rows = 0
    return entry
