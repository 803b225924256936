"""List pages and transcripts of a big console against those of a small one."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import Places

TIMES = 11


def run(places: Places) -> list[Measure]:
    """The median time of each page at 1,000,000 messages over that at 10,000, the two taking turns."""
    with places.get("small").conversation("pages") as small, places.get("big").conversation("pages") as big:
        pages = small("")
        big("")
        return [_measure(page, small, big) for page in pages]


def _measure(page: str, small: Callable[[str], Any], big: Callable[[str], Any]) -> Measure:
    times = [(small(page), big(page)) for _ in range(TIMES + 1)][1:]  # the first ones fill caches
    ours, reference = median(b for _, b in times), median(s for s, _ in times)
    return Measure(page, ours / reference, 1.5, note=f"{ours:.0f} ms against {reference:.0f} ms")
