"""What is measured, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass

WIDTHS = (58, 12, 10, 6)


@dataclass(frozen=True)
class Measure:
    """One figure; `goal` is the most it should be, or the least where `more_is_better`."""

    name: str
    value: float
    goal: float | None
    unit: str = "x"
    note: str = ""
    more_is_better: bool = False

    @property
    def is_reached(self) -> bool:
        """Whether the goal is reached."""
        if self.goal is None:
            return True
        return self.value >= self.goal if self.more_is_better else self.value <= self.goal

    def line(self) -> str:
        """The figure as a line of the table."""
        goal = "" if self.goal is None else f"{'≥' if self.more_is_better else '≤'} {_number(self.goal)}{self.unit}"
        verdict = "" if self.goal is None else "ok" if self.is_reached else "MISSED"
        cells = (self.name, f"{_number(self.value)}{self.unit}", goal, verdict)
        padded = [cells[0].ljust(WIDTHS[0]), *(c.rjust(w) for c, w in zip(cells[1:3], WIDTHS[1:3], strict=True))]
        return f"{' '.join(padded)}  {cells[3].ljust(WIDTHS[3])} {self.note}".rstrip()


HEADER = f"{'what'.ljust(WIDTHS[0])} {'measured'.rjust(WIDTHS[1])} {'goal'.rjust(WIDTHS[2])}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"
