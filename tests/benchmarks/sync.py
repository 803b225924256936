"""Many threads fetched from a server that takes 50 ms for each call."""

from __future__ import annotations

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import Places

GOAL = 0.7


def run(places: Places) -> list[Measure]:
    """200 threads of 50 messages, the first time and once more, over the ideal for the connection's calls at a time."""
    found = places.get("empty").inside("sync")
    first, again, ideal = found["first"], found["again"], found["ideal"]
    note = f"{first:.2f} s for {found['messages']:,} messages, ideal {ideal:.2f} s"
    return [
        Measure("ideal over a sync of 200 threads of 50 messages", ideal / first, GOAL, note=note, more_is_better=True),
        Measure(
            "ideal over a sync of the same, unchanged", ideal / again, GOAL, note=f"{again:.2f} s", more_is_better=True
        ),
        Measure(
            "the same calls in a bare loop over the SDK", ideal / found["bare"], None, note=f"{found['bare']:.2f} s"
        ),
    ]
