"""What starting costs: `manage.py check`, and the memory of an idle web process."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from statistics import median

from tests.benchmarks.measures import Measure
from tests.benchmarks.places import Place, Places
from tests.benchmarks.serving import web

ROUNDS = 9
WITHOUT = "tests.benchmarks.without_ai"


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
    with web(place) as server:
        return _resident_megabytes(server.pid)


def _resident_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) / 1024
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(shown.stdout) / 1024
