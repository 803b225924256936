"""Messages to CSV, against a bare cursor and CSV writer, and against django-import-export's own export."""

from __future__ import annotations

from statistics import median
from typing import Any

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import Place, Places

EVERYTHING = 1_000_000
SOME = 100_000
TIMES = 3


def run(places: Places) -> list[Measure]:
    """Time over the bare writer's, memory over the idle process, and the rate over the library's."""
    place = places.get("big")
    ours, bare = _pairs(place)
    slow = place.inside("exports", "library", str(SOME))
    quick = place.inside("exports", "ours", str(SOME))
    seconds = [median(found["seconds"] for found in each) for each in (ours, bare)]
    return [
        Measure(
            "export of 1,000,000 messages over a bare writer",
            seconds[0] / seconds[1],
            1.5,
            note=f"{seconds[0]:.1f} s against {seconds[1]:.1f} s",
        ),
        Measure("export of 1,000,000 messages, memory", max(found["mb"] for found in ours), 150, " MB"),
        Measure(
            "export of 100,000 messages, rate over django-import-export",
            slow["seconds"] / quick["seconds"],
            4.0,
            note=f"{quick['seconds']:.1f} s against {slow['seconds']:.1f} s and {slow['mb']:.0f} MB",
            more_is_better=True,
        ),
    ]


def _pairs(place: Place) -> tuple[list[Any], list[Any]]:
    """Both in turn, so that what slows the machine down slows both."""
    ours, bare = [], []
    for _ in range(TIMES):
        bare.append(place.inside("exports", "bare", str(EVERYTHING)))
        ours.append(place.inside("exports", "ours", str(EVERYTHING)))
    return ours, bare
