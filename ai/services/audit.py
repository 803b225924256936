"""Writing the audit log, and proving that it is whole."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from ai import dispatch, tenancy
from ai.models import AuditEntry, AuditSeal
from ai.models.audit import BEGINNING
from ai.services import actors

#: Who looked at what, at once; the entry comes from a worker, since looking changes nothing.
views = logging.getLogger("ai.audit")

CHUNK = 1_000

#: Looking for entries that came late reads the keys of the whole log.
LATE_EVERY = timedelta(minutes=10)


def record(
    action: str, *, by: Any, at: datetime, target: Any = None, tenant_id: UUID | None = None, **data: Any
) -> AuditEntry:
    """Note that `by` did `action` ("run.replayed") to `target`; `data` is kept as JSON."""
    return AuditEntry.objects.record(
        action,
        actor_id=actors.id_of(by),
        actor_name=actors.name_of(by),
        at=at,
        target=target,
        tenant_id=tenant_id,
        data=data,
    )


def seen(target: Any, *, by: Any, at: datetime, what: str = "viewed") -> None:
    """Note that `by` looked at a row (or "downloaded" it). Nothing is written here: a worker adds the entry."""
    noun = target._meta.model_name
    views.info("%s %s %s %s", actors.name_of(by), what, noun, target.pk)
    dispatch.note_view(
        action=f"{noun}.{what}",
        actor=(actors.id_of(by), actors.name_of(by)),
        target=(noun, str(target.pk)),
        tenant_id=getattr(target, "tenant_id", None),
        at=at,
    )


def add(*, action: str, actor: tuple[str, str], target: tuple[str, str], tenant_id: UUID | None, at: datetime) -> None:
    """Add the entry that `seen` announced; `actor` and `target` are (id, name) and (type, id)."""
    AuditEntry.objects.add(
        AuditEntry(
            action=action,
            actor_id=actor[0],
            actor_name=actor[1],
            target_type=target[0],
            target_id=target[1],
            tenant_id=tenant_id,
            at=at,
        )
    )


@dataclass
class Late:
    """When a process last looked through the whole log for entries that came late."""

    looked: datetime | None = None

    def is_due(self, at: datetime) -> bool:
        """Whether it is time again."""
        return self.looked is None or not timedelta() <= at - self.looked < LATE_EVERY


#: That of this process.
_late = Late()


def seal(*, at: datetime, late: Late = _late) -> int:
    """Seal what has been added to the log, and where `late` says that it is time, what came late; how many entries that were."""
    with tenancy.everything(reason="sealing the audit log"):
        count = AuditSeal.objects.seal(at=at)
        if late.is_due(at):
            late.looked = at
            while found := AuditSeal.objects.seal_late():
                count += found
        return count


@dataclass(frozen=True)
class Verdict:
    """What is known about the log: `faults` say what was done to it and where, and are empty when it is whole."""

    sealed: int
    unsealed: int
    head: str
    faults: list[str]


def verify(*, most_faults: int = 20) -> Verdict:
    """Follow the chain from its beginning. Whoever changed or removed an entry cannot make the seals behind it again.

    A log that was cut off at its end is whole in itself: compare `head` with one that was kept elsewhere.
    """
    faults: list[str] = []
    digest, expected = BEGINNING, 1
    with tenancy.everything(reason="verifying the audit log"):
        for seal, entry in _sealed():
            if seal.number != expected:
                faults.append(f"Seals {expected:,} to {seal.number - 1:,} are missing.")
            if entry is None:
                faults.append(f"Entry {seal.number:,} ({seal.entry_id}) was removed.")
            elif entry.digest(digest) != seal.digest and seal.number == expected:
                faults.append(f"Entry {seal.number:,} ({seal.entry_id}), or its seal, was changed.")
            digest, expected = seal.digest, seal.number + 1
            if len(faults) >= most_faults:
                break
        return Verdict(expected - 1, AuditSeal.objects.unsealed().count(), digest, faults)


def is_sealed_by(digest: str) -> bool:
    """Whether a seal has this digest."""
    return AuditSeal.objects.filter(digest=digest).exists()


def _chunks(seals: Iterator[AuditSeal]) -> Iterator[list[AuditSeal]]:
    while chunk := list(islice(seals, CHUNK)):
        yield chunk


def _sealed() -> Iterator[tuple[AuditSeal, AuditEntry | None]]:
    seals = AuditSeal.objects.order_by("number").iterator(CHUNK)
    for chunk in _chunks(seals):
        entries = AuditEntry.objects.in_bulk([seal.entry_id for seal in chunk])
        yield from ((seal, entries.get(seal.entry_id)) for seal in chunk)
