"""Importing a dump into a tenant."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import DatabaseError, transaction

from ai import tenancy
from ai.exceptions import NotFound
from ai.models import Assistant, ForeignId, Tenant
from ai.models.bulk import many_rows
from ai.models.failures import is_away
from ai.services import audit, permissions
from ai.services.imports import columns, feedback, formats, sources, threads
from ai.services.imports.columns import Columns
from ai.services.imports.drafts import AssistantDraft, Draft, FeedbackDraft, Part, Refusal, ThreadDraft
from ai.services.imports.formats import AUTO, Format
from ai.services.imports.identities import digest
from ai.services.imports.keys import Keys
from ai.services.imports.reports import Outcome, Report
from ai.services.imports.sources import Progress
from ai.services.imports.stages import Occurrences

log = logging.getLogger(__name__)

#: So many rows are written in one transaction, where threads are smaller: others wait while it lasts.
BATCH = 2000


@dataclass(slots=True)
class Dump:
    """What is at a path, read as one format; `progress` says how many of its bytes have been read, `name` what to call it.

    `columns` are what the columns of its tables are.
    """

    path: Path
    format: Format
    name: str = ""
    columns: Columns = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)

    @classmethod
    def at(cls, path: Path, format_: str, *, name: str = "", read_as: Columns | None = None) -> Dump:
        """The dump at a path, in a format of this name, or the one that its content shows.

        Raises:
            NotFound, InvalidInput.
        """
        known = columns.checked(read_as or {})
        if format_ != AUTO:
            return cls(path, formats.named(format_), name, known)
        with closing(sources.documents(path, refuse=lambda refusal: None, name=name)) as documents:
            return cls(path, formats.detect(columns.renamed(documents, known)), name, known)

    def drafts(self, report: Report, *, most: int | None = None) -> Generator[Draft, None, None]:
        """Everything in it, or in its first `most` objects; each thread once."""
        documents = sources.documents(self.path, refuse=report.refuse, progress=self.progress, name=self.name)
        read = columns.renamed(islice(documents, most), self.columns)
        return once(self.format.read(read, report), report)


def load(
    *,
    path: Path,
    format_: str = AUTO,
    tenant_id: UUID,
    by: Any,
    at: datetime,
    report: Report | None = None,
    dry_run: bool = False,
    read_as: Columns | None = None,
) -> Report:
    """Import what is at `path` into a tenant; the same again changes nothing, and more of it adds what is new.

    A transaction holds whole threads. What cannot be used is refused with its place and reason, and the rest goes on.

    Args:
        format_: a name in `formats.FORMATS`, or “auto”.
        report: is told of refusals and progress as they happen, and returned.
        dry_run: only count what would be written.
        read_as: what the columns of CSV files are, where they are called otherwise.

    Raises:
        Forbidden.
        NotFound: there is nothing at this path, or no such tenant for `by`.
        InvalidInput: the format is unknown, or the path holds nothing that can be read, or a field of `read_as` is unknown or
            given twice.
    """
    permissions.require(by, "ai.import_chatthread")
    require_tenant(tenant_id)
    dump = Dump.at(path, format_, read_as=read_as)
    told = report or Report()
    told.at = at
    with tenancy.scope(tenant_id), many_rows():
        writer = Writer(Keys(tenant_id), source=dump.format.name, at=at, dry_run=dry_run)
        try:
            for batch in batches(dump.drafts(told)):
                for outcome in writer.write(batch):
                    told.add(outcome)
                told.progressed()
        finally:
            if told.new.total() and not dry_run:  # also of what was written before something went wrong
                facts = {"format": dump.format.name, "file": path.name, "counts": told.counts()}
                audit.record("threads.imported", by=by, at=at, tenant_id=tenant_id, **facts)
    return told


def require_tenant(tenant_id: UUID) -> None:
    """Let pass what is a tenant in scope.

    Raises:
        NotFound.
    """
    if not tenancy.current().allows(tenant_id) or not Tenant.objects.filter(pk=tenant_id).exists():
        raise NotFound("There is no such tenant.")


def once(drafts: Iterable[Draft], report: Report) -> Generator[Draft, None, None]:
    """The drafts without threads whose id another thread of the dump has: the first one is taken."""
    with Occurrences() as seen:
        for draft in drafts:
            if isinstance(draft, ThreadDraft):
                said = _fingerprint(draft)
                before = seen.first(draft.id, f"{said} {draft.place}")
                first, _, place = before.partition(" ")
                if place != draft.place and first != said:
                    reason = f"Another thread with this id was read before, at {place}; that one was taken."
                    report.refuse(Refusal("thread", draft.place, reason, draft.id))
                    continue
            yield draft


def _fingerprint(draft: ThreadDraft) -> str:
    """A text that is the same for threads that say the same. What nobody else has an id for has one made of what it says."""
    return digest([[m.id, m.message] if m.external_id else m.id for m in draft.messages])


def batches(drafts: Iterable[Draft]) -> Iterator[list[Draft]]:
    """The drafts, so many at a time that a transaction is short."""
    batch: list[Draft] = []
    ids: set[str] = set()
    size = 0
    for draft in drafts:
        if size >= BATCH or draft.id in ids:
            yield batch
            batch, ids, size = [], set(), 0
        batch.append(draft)
        ids.add(draft.id)
        size += _size(draft)
    if batch:
        yield batch


def _size(draft: Draft) -> int:
    if isinstance(draft, ThreadDraft):
        return 1 + len(draft.messages) + len(draft.runs) + len(draft.steps)
    return 1


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes drafts, or with `dry_run` only says what would be written; `foretold` are the threads that would be there then."""

    keys: Keys
    source: str
    at: datetime
    dry_run: bool = False
    foretold: set[str] = field(default_factory=set)

    def write(self, drafts: list[Draft]) -> list[Outcome]:
        """Write drafts in one transaction, or where the database does not take that, each in its own."""
        try:
            return self._write(drafts)
        except DatabaseError as error:
            if is_away(error):
                raise
            # One of them, or something that somebody else wrote meanwhile and that can be seen now.
            return [self._alone(draft) for draft in drafts]

    def _alone(self, draft: Draft) -> Outcome:
        try:
            return self._write([draft])[0]
        except DatabaseError as error:
            if is_away(error):
                raise
            log.exception("%s cannot be stored.", draft.id)
            return _refused(draft, f"The database does not take it: {str(error).splitlines()[0]}")

    def _write(self, drafts: list[Draft]) -> list[Outcome]:
        outcomes = [self._assistant(draft) for draft in drafts if isinstance(draft, AssistantDraft)]
        if found := [draft for draft in drafts if isinstance(draft, ThreadDraft)]:
            outcomes += threads.write(found, keys=self.keys, source=self.source, dry_run=self.dry_run)
            if self.dry_run:
                self.foretold.update(draft.id for draft in found)
        if opinions := [draft for draft in drafts if isinstance(draft, FeedbackDraft)]:
            outcomes += feedback.write(opinions, keys=self.keys, foretold=self.foretold if self.dry_run else None)
        return outcomes

    @transaction.atomic
    def _assistant(self, draft: AssistantDraft) -> Outcome:
        key = self.keys.assistant(draft.id)
        if Assistant.objects.filter(pk=key).exists():
            return Outcome(unchanged=Counter(assistant=1))
        if not self.dry_run:
            tenant_id, created = self.keys.tenant_id, draft.at or self.at
            ForeignId.objects.adopt([draft.id], tenant_id=tenant_id)
            row = Assistant(id=key, tenant_id=tenant_id, external_id=draft.id, created=created, **draft.values)
            row.save(force_insert=True)
        return Outcome(new=Counter(assistant=1))


def _refused(draft: Draft, reason: str) -> Outcome:
    if not isinstance(draft, ThreadDraft):
        kind = "assistant" if isinstance(draft, AssistantDraft) else "feedback"
        return Outcome(refused=[Refusal(kind, draft.place, reason, draft.id)])
    parts: list[tuple[str, Part]] = [("message", part) for part in draft.messages if not part.belongs_to_step]
    parts += [("run", part) for part in draft.runs]
    parts += [("step", part) for part in draft.steps]
    with_it = [Refusal(kind, part.place, f"Its thread {draft.id} was refused.", part.id) for kind, part in parts]
    return Outcome(refused=[Refusal("thread", draft.place, reason, draft.id), *with_it])
