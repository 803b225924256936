"""A web server of a place, as long as a benchmark asks it."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.benchmarks.places import ROOT, Place
from tests.journeys.running import free_port

START_SECONDS = 30.0


@dataclass(frozen=True)
class Server:
    """Where it answers, and its process."""

    url: str
    pid: int


@contextmanager
def web(place: Place) -> Iterator[Server]:
    """A web server that answers when this begins and is gone when it ends."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "console.asgi:application", "--port", str(port)]
    command += ["--no-access-log", "--log-level", "error", "--timeout-graceful-shutdown", "1"]
    process = subprocess.Popen(command, cwd=ROOT, env=place.environment())
    server = Server(f"http://127.0.0.1:{port}", process.pid)
    try:
        _wait(f"{server.url}/admin/login/", process)
        yield server
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
