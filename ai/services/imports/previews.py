"""What an import would bring: its format, the first threads, and what cannot be used, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from ai import tenancy
from ai.exceptions import InvalidInput
from ai.services import permissions, titles
from ai.services.imports import columns, formats, loading, sources, uploads
from ai.services.imports.columns import Columns, Found
from ai.services.imports.drafts import AssistantDraft, Draft, FeedbackDraft, Refusal, ThreadDraft
from ai.services.imports.formats import Format
from ai.services.imports.keys import Keys
from ai.services.imports.reports import Outcome, Report
from ai.services.imports.uploads import Upload
from ai.stores.content import text_of

#: So much is shown, and of so many objects no more than these are looked at.
SHOWN = 20
SHOWN_PROBLEMS = 50
LOOKED_AT = 1000
EXCERPT = 160

#: What a table may be read as.
TABULAR = (formats.AUTO, "csv")


@dataclass(frozen=True, slots=True)
class Sample:
    """A thread, or an opinion or assistant, as it would be: what it is called, how it begins, and whether it is new."""

    kind: str
    title: str
    beginning: str
    place: str
    messages: int = 0
    is_fork: bool = False
    is_new: bool = True


@dataclass(slots=True)
class Preview:
    """The beginning of an import.

    `is_whole` tells that the file holds no more than what is shown. `columns` are those of its tables; `unread` says why nothing
    can be shown before other columns are chosen.
    """

    upload: Upload
    format: Format
    samples: list[Sample] = field(default_factory=list)
    problems: list[Refusal] = field(default_factory=list)
    problem_count: int = 0
    is_whole: bool = False
    columns: list[Found] = field(default_factory=list)
    unread: str = ""


def preview(*, upload: Upload, format_: str, by: Any, at: datetime, read_as: Columns | None = None) -> Preview:
    """What importing the upload would bring; what the columns of its tables are is guessed where `read_as` does not say.

    Raises:
        Forbidden.
        InvalidInput: its format is not known, or it holds nothing that can be read, or there is no such field for a column.
    """
    permissions.require(by, "ai.import_chatthread")
    known = columns.checked(read_as or {})
    with tenancy.scope(UUID(upload.tenant_id)), uploads.local(upload.path) as path:
        table = _columns(path, upload, known) if format_ in TABULAR else []
        if table and format_ == formats.AUTO and (other := _other_format(path, upload)):
            table, format_ = [], other
        try:
            return _beginning(path, Preview(upload, formats.FORMATS["csv"], columns=table), format_, at)
        except InvalidInput as error:
            if not table:
                raise
            lacking = "" if error.param == "columns" else columns.lacking(table)
            why = f"Choose below which column is {lacking}." if lacking else error.message
            return Preview(upload, formats.FORMATS["csv"], columns=table, unread=why)


def _beginning(path: Path, found: Preview, format_: str, at: datetime) -> Preview:
    dump = loading.Dump.at(
        path, format_, name=found.upload.name, read_as={each.name: each.field for each in found.columns}
    )
    found.format = dump.format
    report = Report(at=at, on_refusal=found.problems.append)
    with closing(dump.drafts(report, most=LOOKED_AT)) as drafts:
        first = list(islice(drafts, SHOWN))
        found.is_whole = len(first) < SHOWN and report.read < LOOKED_AT
    found.samples = _samples(first, Keys(UUID(found.upload.tenant_id)), dump.format, at)
    found.problem_count = len(found.problems)
    found.problems = found.problems[:SHOWN_PROBLEMS]
    return found


def _other_format(path: Path, upload: Upload) -> str:
    """The format that tables have as they are, where that is no CSV of ours: their columns are that one's; empty for none."""
    try:
        found = loading.Dump.at(path, formats.AUTO, name=upload.name).format.name
    except InvalidInput:
        return ""
    return "" if found == "csv" else found


def _columns(path: Path, upload: Upload, known: Columns) -> list[Found]:
    with closing(sources.documents(path, refuse=lambda refusal: None, name=upload.name)) as documents:
        return columns.looked(documents, known)


def _samples(drafts: Iterable[Draft], keys: Keys, format_: Format, at: datetime) -> list[Sample]:
    writer = loading.Writer(keys, source=format_.name, at=at, dry_run=True)
    with transaction.atomic():  # as little as is written, nothing stays
        return [_sample(draft, writer.write([draft])[0]) for draft in drafts]


def _sample(draft: Draft, outcome: Outcome) -> Sample:
    is_new = bool(outcome.new) or bool(outcome.refused)
    if isinstance(draft, AssistantDraft):
        return Sample("assistant", str(draft.values.get("name") or draft.id), "", draft.place, is_new=is_new)
    if isinstance(draft, FeedbackDraft):
        words = str(draft.values.get("comment") or draft.values.get("label") or "")
        title = f"{draft.values.get('rating') or 'comment'} by {draft.user_id}"
        return Sample("feedback", title, words[:EXCERPT], draft.place, is_new=is_new)
    return _thread(draft, is_new=is_new)


def _thread(draft: ThreadDraft, *, is_new: bool) -> Sample:
    asked = (text_of(message.message) for message in draft.messages if message.message.get("role") == "user")
    opening = next((text for text in asked if text.strip()), "")
    return Sample(
        kind="thread",
        title=draft.title or titles.by_rule(opening),
        beginning=" ".join(opening[: EXCERPT * 2].split())[:EXCERPT],
        place=draft.place,
        messages=len(draft.messages),
        is_fork=draft.forked_from is not None,
        is_new=is_new,
    )
