"""Asking for an export: what takes no time is answered at once, the rest becomes a job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from django.db.models import Count, Sum

from ai import conf
from ai.models import Job
from ai.services import audit, permissions
from ai.services.exports import formats, jobs, manifests, writing
from ai.services.selections import Selection

#: Files up to this size are in memory until they have been sent.
SPOOLED_BYTES = 1024 * 1024

#: What is selected is counted up to here.
MOST_COUNTED = 100_000


@dataclass
class Export:
    """A file that is ready; whoever gets it closes `content`."""

    name: str
    content_type: str
    content: IO[bytes]
    manifest: dict[str, Any]


@dataclass(frozen=True)
class Weight:
    """How much is selected: rows, and messages of threads."""

    rows: int
    messages: int = 0

    def is_light(self, noun: str, format_: formats.Format) -> bool:
        """Whether an export of so much takes no time: a job would have one part, in which the messages count as rows."""
        messages = self.messages if jobs.has_messages(noun, format_) else 0
        rows = min(jobs.rows_in_part(noun, format_), MOST_COUNTED)
        return self.rows <= rows and messages <= conf.current().export_part_rows


def weigh(selection: Selection, *, most: int = MOST_COUNTED + 1) -> Weight:
    """How much is selected, of at most so many rows: one query."""
    if selection.noun != "threads":
        return Weight(selection.count(most=most))
    rows = selection.queryset().order_by().values("message_count")[:most]
    found = rows.aggregate(rows=Count("*"), messages=Sum("message_count"))
    return Weight(found["rows"], found["messages"] or 0)


def start(*, selection: Selection, format_name: str, by: Any, at: datetime) -> Export | Job:
    """Export the selected rows: the file where they are few, else the job that makes it.

    Raises:
        Forbidden.
        InvalidInput: there is no such format, or too many rows of several tenants.
    """
    permissions.require(by, jobs.permission(selection))
    format_ = formats.named(format_name, selection.noun)
    if weigh(selection, most=jobs.rows_in_part(selection.noun, format_) + 1).is_light(selection.noun, format_):
        return at_once(selection=selection, format_name=format_name, by=by, at=at)
    return jobs.request(selection=selection, format_name=format_name, by=by, at=at)


def at_once(*, selection: Selection, format_name: str, by: Any, at: datetime) -> Export:
    """Export the selected rows now, however many there are.

    Raises:
        Forbidden.
        InvalidInput: there is no such format.
    """
    permissions.require(by, jobs.permission(selection))
    format_ = formats.named(format_name, selection.noun)
    content: Any = SpooledTemporaryFile(max_size=SPOOLED_BYTES)  # noqa: SIM115 - whoever sends it closes it
    try:
        written = writing.write(selection, format_, content)
        size, sha256 = writing.digest(content)
    except BaseException:
        content.close()
        raise
    name = writing.name_of(selection, format_, at=at)
    manifest = manifests.of(
        selection=selection, format_=format_, written=written, name=name, size=size, sha256=sha256, at=at
    )
    audit.record(
        "export.made",
        by=by,
        at=at,
        tenant_id=_tenant_of(selection),
        rows_of=manifest["selection"]["words"],
        format=format_.name,
        counts=manifest["counts"],
    )
    return Export(name, format_.content_type, content, manifest)


def _tenant_of(selection: Selection) -> Any:
    """The tenant in whose audit log the export is: that of the rows, where they are of one."""
    found = list(selection.queryset().order_by().values_list("tenant_id", flat=True).distinct()[:2])
    return found[0] if len(found) == 1 else None
