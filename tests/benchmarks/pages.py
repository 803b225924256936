"""List pages and transcripts of a big console against those of a small one."""

from __future__ import annotations

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import Places, say

ROUNDS = 2


def run(places: Places) -> list[Measure]:
    """The median time of each page at 1,000,000 messages over that at 10,000, the better of two rounds of each."""
    best: dict[str, dict[str, float]] = {"small": {}, "big": {}}
    for name in best:
        places.get(name)
    for number in range(ROUNDS):
        for name, found in best.items():
            say(f"pages of the {name} console, round {number + 1}")
            for page, ms in places.get(name).inside("pages").items():
                found[page] = min(ms, found.get(page, ms))
    return [
        Measure(page, big / best["small"][page], 1.5, note=f"{big:.0f} ms against {best['small'][page]:.0f} ms")
        for page, big in best["big"].items()
    ]
