"""Streams of the API, in the official SDK's hands, against the SDK talking to the same scripted server itself."""

from __future__ import annotations

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import Places
from tests.benchmarks.serving import web
from tests.fakes.vendors.processes import VendorProcess

TENANT = "Benchmark"


def run(places: Places) -> list[Measure]:
    """Time to the first token, 64 clients at once, 200 open streams."""
    place = places.get("empty")
    key = place.manage("create_api_key", "--tenant", TENANT).splitlines()[-1]
    with (
        VendorProcess(delay_ms=50, chunks=5) as thinking,
        VendorProcess(chunks=100) as fast,
        VendorProcess(chunks=100, chunk_ms=20) as paced,
        VendorProcess(chunks=40, chunk_ms=250) as slow,
    ):
        vendors = {"thinking": thinking, "fast": fast, "paced": paced, "slow": slow}
        urls = {alias: vendor.url("openai-compatible") for alias, vendor in vendors.items()}
        for alias, url in urls.items():
            place.manage("add_model", alias, "--provider", "openai-compatible", "--model", "m", "--base-url", url)
        with web(place) as server:
            found = place.inside(
                "streams", f"{server.url}/v1", key, str(server.pid), *(f"{alias}={to}" for alias, to in urls.items())
            )
    return [
        Measure(
            "stream, time to first token more than the SDK's",
            found["first_ms"][0] - found["first_ms"][1],
            15,
            " ms",
            note="{:.1f} ms against {:.1f} ms".format(*found["first_ms"]),
        ),
        Measure("stream, first event after the request", found["event_ms"], 50, " ms", note="p95, one client"),
        _ratio("64 streams of 100 words at 50 words/s, over the SDK", found["paced"], 2),
        _ratio("64 streams of 100 words as fast as they come, over the SDK", found["fast"], 2),
        Measure("200 open streams in one process, memory for each", found["mb_each"], 1, " MB"),
        Measure("of 200 open streams, those that ended rightly", found["whole"], 200, "", more_is_better=True),
    ]


def _ratio(name: str, taken: list[float], goal: float) -> Measure:
    ours, bare = taken
    return Measure(name, ours / bare, goal, note=f"{ours:.2f} s against {bare:.2f} s")
