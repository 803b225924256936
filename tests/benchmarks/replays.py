"""Many replays against a model that takes 200 ms."""

from __future__ import annotations

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import Places

IDEAL_SECONDS = 2.0


def run(places: Places) -> list[Measure]:
    """500 replays, 50 at once, from the first claim to the last stored answer; and a bare loop over the SDK."""
    found = places.get("small").inside("replays")
    ours, bare = found["replays"], found["bare"]
    return [
        Measure("500 replays, 50 at once, over the ideal 2.0 s", ours / IDEAL_SECONDS, 1.5, note=f"{ours:.2f} s"),
        Measure("the same calls in a bare loop over the SDK", bare / IDEAL_SECONDS, None, note=f"{bare:.2f} s"),
    ]
