"""The runner against the vendor's own SDK, on the same scripted server."""

from __future__ import annotations

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import Places


def run(places: Places) -> list[Measure]:
    """Time of many answers, and time to the first token of one."""
    found = places.get("empty").inside("runner")
    ours, bare = found["paced"]
    ours_fast, bare_fast = found["fast"]
    ours_first, bare_first = found["first_ms"]
    return [
        Measure(
            "runner, 100 answers, 20 at once, 50 words/s, over the SDK",
            ours / bare,
            1.15,
            note=f"{ours:.2f} s against {bare:.2f} s",
        ),
        Measure(
            "runner, words as fast as they come, over the SDK",
            ours_fast / bare_fast,
            None,
            note=f"{ours_fast:.2f} s against {bare_fast:.2f} s for 40,000 words",
        ),
        Measure(
            "runner, time to first token more than the SDK's",
            ours_first - bare_first,
            15,
            " ms",
            note=f"{ours_first:.1f} ms against {bare_first:.1f} ms",
        ),
    ]
