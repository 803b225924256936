"""How fast made-up conversations are written."""

from __future__ import annotations

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import Places


def run(places: Places) -> list[Measure]:
    """Messages a second into an empty database, search index included, the start of the command too."""
    places.get("big")
    messages = places.SIZES["big"][1]
    rate = messages / places.seconds["big"]
    return [Measure("generate_load, 1,000,000 messages", rate, 20_000, "/s", more_is_better=True)]
