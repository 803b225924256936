"""Streams of the API, in the official SDK's hands, against the SDK talking to the same scripted server itself."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import ROOT, Place, Places
from tests.fakes.vendors.processes import VendorProcess
from tests.journeys.running import free_port

START_SECONDS = 30.0
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
        with web(place) as (url, pid):
            found = place.inside("streams", url, key, str(pid), *(f"{alias}={to}" for alias, to in urls.items()))
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


@contextmanager
def web(place: Place) -> Iterator[tuple[str, int]]:
    """A web server of the place: the API's base URL, and its process."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "console.asgi:application", "--port", str(port)]
    command += ["--no-access-log", "--log-level", "error", "--timeout-graceful-shutdown", "1"]
    process = subprocess.Popen(command, cwd=ROOT, env=place.environment())
    try:
        _wait(f"http://127.0.0.1:{port}/v1/openapi.json", process)
        yield f"http://127.0.0.1:{port}/v1", process.pid
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError("The web server did not start.")
