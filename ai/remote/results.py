"""What a sync did to one thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Result:
    """How many messages came, changed, went; how many conflicts are open because of it."""

    added: int = 0
    changed: int = 0
    sent: int = 0
    conflicts: int = 0
    files: int = 0
    state: str = ""
    notes: list[str] = field(default_factory=list)

    def count(self, other: Result) -> None:
        """Add what another part of the same sync did."""
        for name in ("added", "changed", "sent", "conflicts", "files"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.notes += other.notes

    def words(self) -> str:
        """In words, such as “3 came, 1 went”."""
        counts = (
            (self.added, "came"),
            (self.changed, "changed"),
            (self.sent, "went"),
            (self.files, f"file{'s' * (self.files != 1)} came along"),
            (self.conflicts, "to decide"),
        )
        said = [f"{count:,} {word}" for count, word in counts if count]
        return "; ".join([", ".join(said) or "In step", *self.notes])

    def as_json(self) -> dict[str, Any]:
        """For the job's item."""
        names = ("added", "changed", "sent", "conflicts", "files", "state")
        return {"new": self.words(), **{name: getattr(self, name) for name in names if getattr(self, name)}}
