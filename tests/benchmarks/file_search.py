"""The search in a vector store of 10,000 files."""

from __future__ import annotations

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import Places

GOAL_MS = 50.0


def run(places: Places) -> list[Measure]:
    """The 95th percentile of the time of a search, of each kind of question."""
    found = places.get("empty").inside("file_search")
    return [
        Measure(f"file_search, {name}, p95", slow, GOAL_MS, " ms", note=f"median {usual:.1f} ms")
        for name, (usual, slow) in found.items()
    ]
