"""The console's search against the SQL that finds the same."""

from __future__ import annotations

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import Places


def run(places: Places) -> list[Measure]:
    """The median time of each search at 1,000,000 messages over that of the query by hand."""
    found = places.get("big").inside("search")
    ours, raw = (sum(times) for times in zip(*found.values(), strict=True))
    together = Measure("search, all of these together", ours / raw, 2.0, note=f"{ours:.1f} ms against {raw:.1f} ms")
    return [
        *(
            Measure(f"search, {name}", ours / raw, None, note=f"{ours:.2f} ms against {raw:.2f} ms")
            for name, (ours, raw) in found.items()
        ),
        together,
    ]
