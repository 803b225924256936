"""Messages into the database, against django-import-export's own bulk import into the same table."""

from __future__ import annotations

from statistics import median
from typing import Any

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import Place, Places

ROWS = 100_000
TIMES = 3


def run(places: Places) -> list[Measure]:
    """The rate over the library's for the same CSV file, the rate for chat JSON lines, and memory over the idle process."""
    place = places.get("empty")
    table, lines, library = _in_turn(place)
    seconds = [median(found["seconds"] for found in each) for each in (table, lines, library)]
    return [
        Measure(
            "import of 100,000 messages as CSV, rate over django-import-export",
            seconds[2] / seconds[0],
            3.0,
            note=f"{seconds[0]:.1f} s against {seconds[2]:.1f} s and {_most(library):.0f} MB, without search and threads",
            more_is_better=True,
        ),
        Measure("import of 100,000 messages as CSV, memory", _most(table), 200, " MB"),
        Measure(
            "import of 100,000 messages as chat lines",
            ROWS / seconds[1],
            None,
            "/s",
            note=f"{seconds[1]:.1f} s, {seconds[2] / seconds[1]:.1f} times the library's rate",
        ),
        Measure("import of 100,000 messages as chat lines, memory", _most(lines), 200, " MB"),
    ]


def _in_turn(place: Place) -> tuple[list[Any], list[Any], list[Any]]:
    """All three in turn, so that what slows the machine down slows all of them."""
    found: dict[str, list[Any]] = {"table": [], "lines": [], "library": []}
    for _ in range(TIMES):
        for who, measured in found.items():
            measured.append(place.inside("imports", who, str(ROWS)))
    return found["table"], found["lines"], found["library"]


def _most(measured: list[Any]) -> float:
    return float(max(each["mb"] for each in measured))
