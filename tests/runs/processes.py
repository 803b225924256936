"""Processes of a console on the test's database, which a test may kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from tests.journeys.running import free_port

ROOT = Path(__file__).parents[2]


class Process:
    """A module that runs in a process of its own."""

    def __init__(self, home: Path, *command: str, **environment: str) -> None:
        self._command = [sys.executable, "-m", *command]
        self._environment = {**os.environ, **environment_of(home), **environment}
        self._log = (home / f"{command[0]}.log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, cwd=ROOT, env=self._environment, stdout=self._log, stderr=subprocess.STDOUT
        )

    def end(self, how: int = signal.SIGTERM) -> float:
        """Send the signal; how many seconds the process took to end."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.send_signal(how)
        self.process.wait(20)
        return time.monotonic() - begun

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGKILL)
        self._log.close()


def worker(home: Path, **environment: str) -> Process:
    """A Celery worker on a queue in a folder, or on the lane's broker."""
    command = ("celery", "-A", "console", "worker", "--pool=threads", "-c", "4")
    return Process(home, *command, "--without-gossip", "--without-mingle", "--without-heartbeat", **environment)


@contextmanager
def web(home: Path, **environment: str) -> Iterator[tuple[Process, str]]:
    """A web server that starts, and the API's address."""
    port = free_port()
    place = ("--port", str(port), "--lifespan", "off", "--log-level", "warning")
    made = Process(home, "uvicorn", "console.asgi:application", *place, **environment)
    try:
        made.start()
        yield made, f"http://127.0.0.1:{port}/v1"
    finally:
        made.close()


@contextmanager
def crowd(
    home: Path, module: str, *arguments: str, processes: int, people_each: int
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes of a module, which are told who of the people are theirs; none is left behind."""
    environment = {**os.environ, **environment_of(home), "LOG_LEVEL": "ERROR"}
    firsts = range(0, processes * people_each, people_each)
    commands = [[sys.executable, "-m", module, *arguments, str(first), str(people_each)] for first in firsts]
    running = [subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) for command in commands]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def said(running: list[subprocess.Popen[bytes]]) -> dict[str, list[str]]:
    """What each person of a crowd got, when all are through."""
    texts = [process.communicate(timeout=200)[0] for process in running]
    assert [process.returncode for process in running] == [0] * len(running)
    return {name: keys for text in texts for name, keys in json.loads(text).items()}


def environment_of(home: Path) -> Mapping[str, str]:
    """What a process needs to work on the test's database."""
    return {
        "CONSOLE_HOME": str(home),
        "CELERY_BROKER_URL": os.environ.get("TEST_BROKER_URL", ""),
        "DJANGO_SETTINGS_MODULE": "console.settings",
        "DATABASE_URL": _database_url(),
        "AI_SECRETS_KEY": settings.AI_SECRETS_KEY,
        "PYTHONWARNINGS": "ignore",
    }


def _database_url() -> str:
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    place = f"{given['HOST']}:{given['PORT']}" if given["HOST"] else ""
    return f"postgresql://{given['USER']}:{given['PASSWORD']}@{place}/{given['NAME']}"


def until(done: Callable[[], Any], *, seconds: float = 40, saying: Callable[[], Any] = lambda: "") -> None:
    """Wait for something; `saying` tells what there was instead."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"not within {seconds} s; {saying()}"
        time.sleep(0.05)
