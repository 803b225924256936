"""Where new messages go in a thread that may have messages already: each beside those that the dump has it beside."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Standing:
    """A message of the thread."""

    key: UUID
    sequence: int
    at: datetime
    run_id: str | None = None


@dataclass(slots=True)
class Places:
    """The numbers of the new messages, and the new numbers of those that have to make room."""

    new: dict[UUID, int] = field(default_factory=dict)
    moved: dict[int, int] = field(default_factory=dict)
    last: int = 0


def find(standing: Sequence[Standing], told: Sequence[tuple[UUID, datetime]]) -> Places:
    """Places for the messages that the dump tells of, in its order, those that are here among them.

    A new message comes after the one that the dump has before it, before the one that it has after it, and between these
    by its time. Messages that are here keep their order.
    """
    between = _gaps(standing, told)
    places, number, shift = Places(), 0, 0
    for place, message in enumerate(standing):
        for key in between[place]:
            number, shift = number + 1, shift + 1
            places.new[key] = number
        number = message.sequence + shift
        if shift:
            places.moved[message.sequence] = number
    for key in between[len(standing)]:
        number += 1
        places.new[key] = number
    places.last = number
    return places


def _gaps(standing: Sequence[Standing], told: Sequence[tuple[UUID, datetime]]) -> dict[int, list[UUID]]:
    """The new messages, by the place in `standing` that they come before."""
    place_of = {message.key: place for place, message in enumerate(standing)}
    times = list(accumulate((message.at for message in standing), max))
    ends = _next_known([key for key, _ in told], place_of, end=len(standing))
    between: dict[int, list[UUID]] = defaultdict(list)
    earliest = 0
    for (key, at), latest in zip(told, ends, strict=True):
        if key in place_of:
            earliest = max(earliest, place_of[key] + 1)
        else:
            earliest = max(earliest, min(bisect_right(times, at), latest))
            between[earliest].append(key)
    return between


def _next_known(keys: Sequence[UUID], place_of: dict[UUID, int], *, end: int) -> Iterable[int]:
    """For each key the place of the first one from it on that is here."""
    found, latest = [], end
    for key in reversed(keys):
        latest = place_of.get(key, latest)
        found.append(latest)
    return reversed(found)
