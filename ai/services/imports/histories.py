"""What each run of a thread had read: everything up to a message's number."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from itertools import accumulate


class Histories:
    """The numbers of a thread's messages, with their times and runs."""

    def __init__(self, messages: Iterable[tuple[int, datetime, str | None]]) -> None:
        ordered = sorted(messages, key=lambda message: message[0])
        self._numbers = [number for number, _, _ in ordered]
        self._times = list(accumulate((at for _, at, _ in ordered), max))
        self._first: dict[str, int] = {}
        for number, _, run_id in ordered:
            if run_id:
                self._first.setdefault(run_id, number)

    def before(self, run_id: str, *, at: datetime) -> int:
        """The number of the last message that the run had read; by its time `at` where it wrote none."""
        if run_id in self._first:
            return self._first[run_id] - 1
        place = bisect_right(self._times, at)
        return self._numbers[place - 1] if place else 0
