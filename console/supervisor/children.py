"""One process that is kept running."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from console.env import PROJECT

PATIENCE_SECONDS = 6.0
"""How long a process may take to end when it is asked to."""

QUIET = {"PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges"}
"""Celery says so at length; in a container it is as it should be."""

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, STEADY_SECONDS = 0.5, 30.0, 60.0


def start(module: str, *args: str, stdout: int | None = None) -> subprocess.Popen[bytes]:
    """Run a module in a process group of its own, that ends when this process does."""
    command = [sys.executable, "-m", "console.supervisor.leash", str(PATIENCE_SECONDS), module, *args]
    return subprocess.Popen(  # noqa: S603 - our own words
        command, cwd=PROJECT, env=os.environ | QUIET, stdin=subprocess.PIPE, stdout=stdout, start_new_session=True
    )


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a process and to all it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a process and of what it started."""
    signal_group(process, signal.SIGKILL)
    process.wait()
    if process.stdin:
        process.stdin.close()


def describe(code: int) -> str:
    """How a process ended, in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


@dataclass
class Child:
    """A process that is started again when it dies, later each time it dies young."""

    name: str
    command: tuple[str, ...]
    say: Callable[[str], None]
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    _started_at: float = 0.0
    _start_again_at: float = field(default=0.0)

    def start(self, *, at: float) -> None:
        """Start it; `at` is the time on a clock that never goes back, in seconds."""
        self.process = start(*self.command)
        self._started_at = at

    def look_after(self, *, at: float) -> None:
        """Notice a death and say so; start it again when its time has come."""
        if self.process is None:
            if at >= self._start_again_at:
                self.start(at=at)
                self.say(f"The {self.name} is running again.")
            return
        code = self.process.poll()
        if code is None:
            return
        end(self.process)
        self.process = None
        self.deaths = 1 if at - self._started_at >= STEADY_SECONDS else self.deaths + 1
        delay = min(FIRST_DELAY_SECONDS * 2 ** (self.deaths - 1), LONGEST_DELAY_SECONDS)
        self._start_again_at = at + delay
        self.say(f"The {self.name} died ({describe(code)}). It is started again in {delay:g} s.")


def stop(processes: list[subprocess.Popen[bytes]], *, patience: float = PATIENCE_SECONDS) -> None:
    """End processes together: ask, wait, then insist. Nothing of their groups is left."""
    for process in processes:
        signal_group(process, signal.SIGTERM)
    try:
        _wait(processes, until=time.monotonic() + patience)
    finally:
        for process in processes:
            end(process)


def _wait(processes: list[subprocess.Popen[bytes]], *, until: float) -> None:
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=max(0.0, until - time.monotonic()))
