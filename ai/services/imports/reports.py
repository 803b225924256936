"""What came of an import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ai.services.imports.drafts import Refusal
from ai.stores.serialization import clean_text

#: What is counted, in the order of a report.
KINDS = ("assistant", "thread", "tag", "message", "run", "step", "feedback", "file", "object")

#: The texts of a refusal: a dump may have put anything into them.
_TEXTS = ("place", "reason", "id")


def plural(kind: str) -> str:
    """“threads”; “feedback” has none."""
    return kind if kind == "feedback" else f"{kind}s"


def table(columns: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """`{"message": {"new": 2, "unchanged": 0, "refused": 1}, …}` for each kind that was counted in one of the columns."""
    seen = [kind for kind in KINDS if any(column.get(kind) for column in columns.values())]
    return {kind: {name: column.get(kind, 0) for name, column in columns.items()} for kind in seen}


@dataclass(slots=True)
class Outcome:
    """What was written of one draft, what was here, and what was refused."""

    new: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    refused: list[Refusal] = field(default_factory=list)


@dataclass
class Report:
    """Counts by kind: `new` was written, `unchanged` was here already, `refused` was left out, each told as it happens.

    `read` objects have been read so far; `files` of them describe files, whose contents no dump holds. What the dump knows
    no time of is as old as `at`.
    """

    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    on_refusal: Callable[[Refusal], None] = lambda refusal: None
    on_progress: Callable[[Report], None] = lambda report: None
    new: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    read: int = 0
    files: int = 0

    def count(self) -> None:
        """Note that another object was read."""
        self.read += 1
        self.progressed()

    def refuse(self, refusal: Refusal) -> None:
        """Count what is left out, and tell of it."""
        self.refused[refusal.kind] += 1
        self.on_refusal(replace(refusal, **{name: clean_text(getattr(refusal, name)) for name in _TEXTS}))

    def add(self, outcome: Outcome) -> None:
        """Count what came of a draft, once it is certain."""
        self.new.update(outcome.new)
        self.unchanged.update(outcome.unchanged)
        for refusal in outcome.refused:
            self.refuse(refusal)

    def progressed(self) -> None:
        """Tell how far the import is."""
        self.on_progress(self)

    def counts(self) -> dict[str, dict[str, int]]:
        """`{"message": {"new": 2, "unchanged": 0, "refused": 1}, …}` for each kind that there was."""
        return table({"new": self.new, "unchanged": self.unchanged, "refused": self.refused})
