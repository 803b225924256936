"""Importing a dump into a tenant."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError, OperationalError, transaction

from ai import tenancy
from ai.exceptions import InvalidInput, NotFound
from ai.models import Assistant, ForeignId, Tenant
from ai.services import audit, permissions
from ai.services.imports import assistants, threads
from ai.services.imports.drafts import AssistantDraft, Draft, Part, Refusal, ThreadDraft
from ai.services.imports.keys import Keys
from ai.services.imports.reports import Outcome, Report

log = logging.getLogger(__name__)

Reader = Callable[[Path, Report], Iterator[Draft]]

#: The readers, by the name of their format; it also becomes the threads' source.
FORMATS: dict[str, Reader] = {"assistants": assistants.read}

#: So many rows are written in one transaction, where threads are smaller: others wait while it lasts.
BATCH = 500

#: The database is away, which says nothing about what was to be written.
_AWAY = (OperationalError, InterfaceError)


def load(
    *,
    path: Path,
    format_: str,
    tenant_id: UUID,
    by: Any,
    at: datetime,
    report: Report | None = None,
    dry_run: bool = False,
) -> Report:
    """Import what is at `path` into a tenant; the same again changes nothing, and more of it adds what is new.

    A transaction holds whole threads. What cannot be used is refused with its place and reason, and the rest goes on.

    Args:
        format_: a name in `FORMATS`.
        report: is told of refusals and progress as they happen, and returned.
        dry_run: only count what would be written.

    Raises:
        Forbidden.
        NotFound: there is nothing at this path, or no such tenant for `by`.
        InvalidInput: the format is unknown, or the path holds nothing that can be read.
    """
    permissions.require(by, "ai.import_chatthread")
    if format_ not in FORMATS:
        raise InvalidInput(f"The format “{format_}” is unknown: choose one of {', '.join(FORMATS)}.")
    if not tenancy.current().allows(tenant_id) or not Tenant.objects.filter(pk=tenant_id).exists():
        raise NotFound("There is no such tenant.")
    told = report or Report()
    with tenancy.scope(tenant_id):
        writer = _Writer(Keys(tenant_id), source=format_, at=at, dry_run=dry_run)
        try:
            for batch in _batches(FORMATS[format_](path, told)):
                for outcome in writer.write(batch):
                    told.add(outcome)
                told.progressed()
        finally:
            if told.new.total() and not dry_run:  # also of what was written before something went wrong
                counts = told.counts()
                audit.record("threads.imported", by=by, at=at, tenant_id=tenant_id, format=format_, counts=counts)
    return told


def _batches(drafts: Iterable[Draft]) -> Iterator[list[Draft]]:
    """The drafts, so many at a time that a transaction is short; assistants alone."""
    batch: list[Draft] = []
    size = 0
    for draft in drafts:
        if isinstance(draft, AssistantDraft):
            yield [draft]
            continue
        batch.append(draft)
        size += 1 + len(draft.messages) + len(draft.runs) + len(draft.steps)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes drafts."""

    keys: Keys
    source: str
    at: datetime
    dry_run: bool

    def write(self, drafts: list[Draft]) -> list[Outcome]:
        """Write drafts in one transaction, or where the database does not take that, each in its own."""
        try:
            return self._write(drafts)
        except _AWAY:
            raise
        except DatabaseError:
            # One of them, or something that somebody else wrote meanwhile and that can be seen now.
            return [self._alone(draft) for draft in drafts]

    def _alone(self, draft: Draft) -> Outcome:
        try:
            return self._write([draft])[0]
        except _AWAY:
            raise
        except DatabaseError as error:
            log.exception("%s cannot be stored.", draft.id)
            return _refused(draft, f"The database does not take it: {str(error).splitlines()[0]}")

    def _write(self, drafts: list[Draft]) -> list[Outcome]:
        found = [draft for draft in drafts if isinstance(draft, ThreadDraft)]
        outcomes = [self._assistant(draft) for draft in drafts if isinstance(draft, AssistantDraft)]
        if found:
            outcomes += threads.write(found, keys=self.keys, source=self.source, dry_run=self.dry_run)
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
    if isinstance(draft, AssistantDraft):
        return Outcome(refused=[Refusal("assistant", draft.place, reason, draft.id)])
    parts: list[tuple[str, Part]] = [("message", part) for part in draft.messages if not part.belongs_to_step]
    parts += [("run", part) for part in draft.runs]
    parts += [("step", part) for part in draft.steps]
    with_it = [Refusal(kind, part.place, f"Its thread {draft.id} was refused.", part.id) for kind, part in parts]
    return Outcome(refused=[Refusal("thread", draft.place, reason, draft.id), *with_it])
