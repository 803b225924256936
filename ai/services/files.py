"""What a person can do with files: add, read, delete."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import IO, Any
from uuid import UUID

from django.db import transaction

from ai import tenancy
from ai.exceptions import NotFound
from ai.models import DataSource
from ai.services import actors, audit, permissions

#: A sweep deletes no more than this.
MOST_AT_ONCE = 500

#: Types that a browser may show inside our pages: raster images cannot run anything.
SHOWN_INLINE = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def add(
    *,
    file: Any,
    by: Any,
    at: datetime,
    name: str | None = None,
    purpose: str = "assistants",
    tenant_id: UUID | None = None,
    expires_at: datetime | None = None,
) -> DataSource:
    """Keep an uploaded file, until `expires_at` if that is given.

    Raises:
        Forbidden, TooLarge.
        OutsideTenant: the tenant is not in scope, or none was given and there are several.
    """
    permissions.require(by, "ai.add_datasource")
    with DataSource.objects.receive(file, name, purpose, tenant_id) as row, transaction.atomic():
        row.created, row.expires_at = at, expires_at
        row.save(force_insert=True)
        audit.record("file.added", target=row, by=by, at=at, name=row.name, bytes=row.bytes, sha256=row.sha256)
    return row


def open_content(*, file_id: str, by: Any, at: datetime) -> tuple[DataSource, IO[bytes]]:
    """The file and its content, open for reading; the audit log will say who read it.

    Raises:
        Forbidden.
        NotFound: there is no such file for `by`, or its content is gone from storage.
    """
    permissions.require(by, "ai.download_datasource")
    row = DataSource.objects.get_file(file_id)
    try:
        content = row.file.open("rb")
    except (FileNotFoundError, ValueError, OSError) as error:
        raise NotFound("The content of this file is gone from storage.") from error
    audit.seen(row, by=by, at=at, what="downloaded")
    return row, content


def beginning(*, row: DataSource, most: int = 64 * 1024) -> bytes:
    """The first bytes of a file that the caller may already see, for a preview; empty when they are gone."""
    try:
        with row.file.open("rb") as opened:
            head: bytes = opened.read(most)
    except (FileNotFoundError, ValueError, OSError):
        return b""
    return head


@transaction.atomic
def delete(*, file_id: str, by: Any, at: datetime) -> None:
    """Delete a file; the content goes when the transaction commits.

    Raises:
        Forbidden, NotFound.
    """
    permissions.require(by, "ai.delete_datasource")
    row = DataSource.objects.get_file(file_id)
    audit.record("file.deleted", target=row, by=by, at=at, name=row.name, sha256=row.sha256)
    DataSource.objects.delete_file(file_id)


def expire(*, at: datetime) -> int:
    """Delete files whose time is over, up to 500 at once; how many. Its caller sees every tenant."""
    late = DataSource.objects.filter(expires_at__lte=at).order_by("expires_at", "pk")
    rows = list(late.only("file_id", "tenant_id")[:MOST_AT_ONCE])
    for row in rows:
        with tenancy.scope(*([row.tenant_id] if row.tenant_id else [])), suppress(NotFound):  # another node was first
            delete(file_id=row.file_id, by=actors.SYSTEM, at=at)
    return len(rows)
