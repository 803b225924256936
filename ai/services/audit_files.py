"""Whether an exported audit log is as it was written, for whoever has nothing but the file: JSONL, as an export writes it.

Each line has its entry, the digest that the chain had before, and the one it has with the entry. So every line can be checked
by itself, and against those next to it; what lies between lines that are not next to each other is not in the file. A line
without a neighbour agrees with itself alone, which somebody who writes both its entry and its digest can bring about.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from ai.models import AuditEntry
from ai.models.audit import BEGINNING

MOST_FAULTS = 20

FIELDS = ("action", "actor_id", "actor_name", "target_type", "target_id", "data")
COLUMNS = frozenset({"id", "at", "tenant_id", *FIELDS, "seal", "digest_before", "digest"})


@dataclass
class Report:
    """What is known about a file: `faults` say what was done to it and where, and are empty when it is whole."""

    sealed: int = 0
    unsealed: int = 0
    alone: int = 0
    """Sealed entries that no neighbour in the file, and no seal that was kept, vouches for: they agree with themselves only."""
    first: int = 0
    last: int = 0
    head: str = ""
    faults: list[str] = field(default_factory=list)

    @property
    def absent(self) -> int:
        """Entries between the first and the last that are not in the file."""
        return self.last - self.first + 1 - self.sealed if self.sealed else 0


class _Chain:
    """Puts links together in whatever order they come, and forgets what is connected on both sides."""

    def __init__(self) -> None:
        self._numbers: set[int] = set()
        self._ends: dict[int, str] = {}
        self._wanted: dict[int, str] = {}
        self._joined: set[int] = set()

    @property
    def alone(self) -> int:
        """How many links nothing else in the file is joined to."""
        return len(self._numbers - self._joined)

    def vouch(self, number: int) -> None:
        """Something outside of the file says that this link is right."""
        self._joined.add(number)

    def _join(self, number: int) -> None:
        beside = {other for other in (number - 1, number + 1) if other in self._numbers}
        self._joined |= beside | ({number} if beside or number == 1 else set())

    def add(self, number: int, before: str, digest: str) -> str:
        """What is wrong with the link; empty where it fits those that are known."""
        if number in self._numbers:
            return "is there twice"
        self._numbers.add(number)
        self._join(number)
        if number == 1:
            if before != BEGINNING:
                return "does not begin the log"
        elif number - 1 not in self._ends:
            self._wanted[number - 1] = before
        elif self._ends.pop(number - 1) != before:
            return "does not follow the one before it"
        if number not in self._wanted:
            self._ends[number] = digest
        elif self._wanted.pop(number) != digest:
            return "is not the one that the next one follows"
        return ""


def verify(lines: Iterable[bytes | str], *, head: str = "", whole: bool = False) -> Report:
    """Check every line of a file.

    Args:
        head: a digest that was kept elsewhere; the file must have the entry that it seals, or follow it.
        whole: also report entries that are missing from the first of the log on: for the log of all tenants, unfiltered.
    """
    report, chain, is_met = Report(), _Chain(), not head
    for number, line in enumerate(lines, start=1):
        if len(report.faults) >= MOST_FAULTS:
            return report
        if not line.strip():
            continue
        try:
            link = _link(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            report.faults.append(f"Line {number:,} is no entry of an exported audit log.")
            continue
        if link is None:
            report.unsealed += 1
            continue
        if head and head in (link.before, link.digest):
            is_met = True
            chain.vouch(link.number)
        _count(report, link)
        if wrong := _wrong(link, chain):
            report.faults.append(f"Line {number:,}: entry {link.number:,} {wrong}.")
    report.alone = chain.alone
    _conclude(report, is_met=is_met, whole=whole)
    return report


@dataclass(frozen=True)
class _Link:
    number: int
    before: str
    digest: str
    made: str


def _link(said: Any) -> _Link | None:
    """The link that a line describes; None where the entry had no seal when it was exported."""
    if set(said) != COLUMNS:
        raise ValueError("other columns")
    if said["seal"] is None:
        return None
    at = datetime.fromisoformat(said["at"])
    if at.tzinfo is None:
        raise ValueError("no zone")
    entry = AuditEntry(
        id=UUID(said["id"]),
        at=at,
        tenant_id=UUID(said["tenant_id"]) if said["tenant_id"] else None,
        **{name: said[name] for name in FIELDS},
    )
    before = str(said["digest_before"])
    if type(said["seal"]) is not int or said["seal"] < 1:
        raise ValueError("no number of a seal")
    return _Link(said["seal"], before, str(said["digest"]), entry.digest(before))


def _wrong(link: _Link, chain: _Chain) -> str:
    if link.made != link.digest:
        return "or its seal was changed"
    return chain.add(link.number, link.before, link.digest)


def _count(report: Report, link: _Link) -> None:
    report.sealed += 1
    report.first = min(report.first or link.number, link.number)
    if link.number > report.last:
        report.last, report.head = link.number, link.digest


def _conclude(report: Report, *, is_met: bool, whole: bool) -> None:
    if not is_met:
        report.faults.append("No entry of the file has or follows the seal that was kept: some are missing, or others.")
    if whole and not report.sealed:
        report.faults.append("There is no sealed entry in the file.")
    if whole and report.unsealed:
        report.faults.append(f"{report.unsealed:,} entries have no seal: of these nothing is proven.")
    if whole and report.first > 1:
        report.faults.append(f"The entries before {report.first:,} are missing.")
    if whole and report.absent > 0:
        report.faults.append(f"Between the first and the last entry {report.absent:,} are missing.")
