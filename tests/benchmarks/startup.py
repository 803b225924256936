"""What starting costs: `manage.py check`, and the memory of an idle web process."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from statistics import median

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import ROOT, Place, Places

ROUNDS = 9
WITHOUT = "tests.benchmarks.without_ai"
START_SECONDS = 30


def run(places: Places) -> list[Measure]:
    """Times taken in turns; memory after the first pages."""
    place = places.get("empty")
    times: dict[str, list[float]] = {"console.settings": [], WITHOUT: []}
    for number in range(ROUNDS + 1):
        for settings, found in times.items():
            begin = time.perf_counter()
            place.manage("check", DJANGO_SETTINGS_MODULE=settings)
            if number:  # the first one compiles
                found.append(time.perf_counter() - begin)
    ours, without = (median(found) for found in times.values())
    note = f"{ours * 1000:.0f} ms against {without * 1000:.0f} ms"
    return [
        Measure("manage.py check over the same project without ai", ours / without, 1.5, note=note),
        Measure("memory of the idle web process", _idle_megabytes(place), 200, " MB"),
    ]


def _idle_megabytes(place: Place) -> float:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "console.asgi:application", "--port", str(port), "--log-level", "error"]
    process = subprocess.Popen(command, cwd=ROOT, env=place.environment())
    try:
        _wait_for(f"http://127.0.0.1:{port}/admin/login/")
        return _resident_megabytes(process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own loopback server
                answer.read()
                return
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(0.1)


def _resident_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) / 1024
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(shown.stdout) / 1024
