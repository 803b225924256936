"""Reading a bundle: all of it becomes a tenant, or nothing does."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import IO, Any
from uuid import UUID
from zipfile import BadZipFile, ZipFile

from django.db import IntegrityError, transaction

from ai.exceptions import AIError, Conflict, InvalidInput
from ai.models import ChatThread, DataSource, Message, Tenant
from ai.models.restoring import restore
from ai.services.bundles.tables import TABLES, Table
from ai.services.bundles.writing import MANIFEST, Beat
from ai.services.exports.formats import SCHEMA_VERSION
from ai.stores.files import chunks_of

ROWS = 500
_FILE_ID = re.compile(r"[A-Za-z0-9._:~-]{1,255}")

#: A manifest names each file; it is read into memory as a whole.
MOST_MANIFEST_BYTES = 256 * 1024 * 1024


@contextmanager
def read(*, file: IO[bytes], beat: Beat = lambda: None) -> Iterator[tuple[Tenant, dict[str, Any]]]:
    """Make the tenant of a bundle, with everything that is in it; the tenant and the manifest. Its caller sees every tenant.

    The block is in the transaction: where it fails, nothing is there, and no file in storage either.

    Raises:
        InvalidInput: the file is no bundle, or was changed.
        Conflict: the tenant, or something of it, is here already.
    """
    stored: list[tuple[Any, str]] = []
    with transaction.atomic():
        try:
            yield _read(file, stored, beat)
        except BaseException:
            for storage, path in stored:
                storage.delete(path)
            raise


def _read(file: IO[bytes], stored: list[tuple[Any, str]], beat: Beat) -> tuple[Tenant, dict[str, Any]]:
    try:
        with ZipFile(file) as archive:
            manifest = _manifest(archive)
            tenant = _tenant(manifest["tenant"])
            for table in TABLES:
                beat()
                _table(archive, manifest, table, tenant.pk, stored, beat)
    except BaseException as error:
        raise _explained(error) from error
    return tenant, manifest


def _explained(error: BaseException) -> BaseException:
    if isinstance(error, IntegrityError):
        return Conflict("Something in this bundle is here already: bundles are for consoles that lack their tenant.")
    broken = (
        BadZipFile | zlib.error | EOFError | KeyError | ValueError | TypeError | NotImplementedError | RecursionError
    )
    if isinstance(error, broken) and not isinstance(error, AIError):
        return InvalidInput(f"This file is no bundle, or it is damaged: {error}")
    return error


def _manifest(archive: ZipFile) -> dict[str, Any]:
    if archive.getinfo(MANIFEST).file_size > MOST_MANIFEST_BYTES:
        raise InvalidInput("The bundle's manifest is too large.")
    found = json.loads(archive.read(MANIFEST))
    if found["schema_version"] != SCHEMA_VERSION:
        raise InvalidInput(
            f"This bundle has version {found['schema_version']}; version {SCHEMA_VERSION} is understood."
        )
    return dict(found)


def _tenant(said: dict[str, Any]) -> Tenant:
    key = UUID(said["id"])
    if Tenant.objects.filter(pk=key).exists() or Tenant.objects.filter(name=said["name"]).exists():
        raise Conflict(f"The tenant “{said['name']}” is here already; a bundle makes a new one.")
    row = Tenant(id=key, name=said["name"], allowed_tools=said["allowed_tools"])
    row.created, row.modified = datetime.fromisoformat(said["created"]), datetime.fromisoformat(said["modified"])
    row.save(force_insert=True)
    return row


def _table(
    archive: ZipFile, manifest: dict[str, Any], table: Table, tenant_id: UUID, stored: list[tuple[Any, str]], beat: Beat
) -> None:
    lines = _checked(archive, f"{table.name}.jsonl", manifest)
    rows = (table.from_json(json.loads(line), tenant_id=tenant_id) for line in lines)
    while chunk := list(islice(rows, ROWS)):
        beat()
        if table.model is DataSource:
            for row in chunk:
                _content(archive, manifest, row, stored)
        if table.model is Message:
            _require_own_threads(chunk, tenant_id)
        restore(chunk)


def _require_own_threads(messages: list[Any], tenant_id: UUID) -> None:
    """Let pass messages of the tenant's threads: a thread shows whatever says that it is its message."""
    keys = {UUID(str(message.thread_id)) for message in messages}
    if ChatThread._base_manager.filter(pk__in=keys).exclude(tenant_id=tenant_id).exists():
        raise InvalidInput("A message in this bundle is of another tenant's thread.")


def _content(archive: ZipFile, manifest: dict[str, Any], row: Any, stored: list[tuple[Any, str]]) -> None:
    """Put the file's content where this console keeps files."""
    if not _FILE_ID.fullmatch(row.file_id):
        raise InvalidInput(f"“{row.file_id[:80]}” is no id of a file.")
    if str(row.pk) in manifest["missing_files"]:
        row.file.name = DataSource.objects.path_of(row)
        return
    DataSource.objects.store(row, _pieces(archive, f"files/{row.pk}", manifest))
    stored.append((row.file.storage, row.file.name))


def _pieces(archive: ZipFile, name: str, manifest: dict[str, Any]) -> Iterator[bytes]:
    with archive.open(name) as content:
        yield from _whole(chunks_of(content), name, manifest)


def _checked(archive: ZipFile, name: str, manifest: dict[str, Any]) -> Iterator[bytes]:
    with archive.open(name) as lines:
        yield from _whole(lines, name, manifest)


def _whole(pieces: Any, name: str, manifest: dict[str, Any]) -> Iterator[bytes]:
    """The same pieces.

    Raises:
        InvalidInput: they are not what the manifest says.
    """
    wanted, digest, size = manifest["entries"][name], hashlib.sha256(), 0
    for piece in pieces:
        size += len(piece)
        if size > wanted["bytes"]:
            break
        digest.update(piece)
        yield piece
    if size != wanted["bytes"] or digest.hexdigest() != wanted["sha256"]:
        raise InvalidInput(f"“{name}” in this bundle is not what its manifest says: the file was changed or cut off.")
