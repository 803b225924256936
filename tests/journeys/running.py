"""A console that runs: the supervisor with its web server and worker, in a home folder of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PASSWORD = "a-long-password-for-journeys"
READY_SECONDS = 120


@dataclass
class Console:
    """Where the console answers, what it printed, and where its state is."""

    url: str
    home: Path
    lines: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The environment for `manage.py` commands on this console's data."""
        return _environment(self.home)

    def manage(self, *arguments: str) -> str:
        """What `manage.py` printed."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=PROJECT, env=self.environment, capture_output=True, text=True, check=True, timeout=120
        )
        return done.stdout


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not re.match(r"AI_|CONSOLE_|DJANGO_|DATABASE_", name)}
    for name in ("SECRET_KEY", "DEBUG", "CELERY_BROKER_URL", "CACHE_URL", "ALLOWED_HOSTS"):
        kept.pop(name, None)
    mine = {"CONSOLE_HOME": str(home), "CONSOLE_ADMIN_PASSWORD": PASSWORD, "CONSOLE_ENV_FILE": os.devnull}
    return {**kept, **mine, "PYTHONUNBUFFERED": "1"}


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def console() -> Iterator[Console]:
    """Start a console with the demo data, and stop it as Ctrl-C does."""
    with tempfile.TemporaryDirectory(prefix="console-journey-") as folder:
        port = free_port()
        home = Path(folder, "home")
        process = subprocess.Popen(
            [sys.executable, "-m", "console.supervisor"],
            cwd=PROJECT,
            env={**_environment(home), "PORT": str(port), "HOST": "127.0.0.1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running = Console(f"http://127.0.0.1:{port}", home)
        ready = threading.Event()
        threading.Thread(target=_listen, args=(process, running, ready), daemon=True).start()
        try:
            if not ready.wait(READY_SECONDS) or process.poll() is not None:
                raise RuntimeError("The console did not start:\n" + "".join(running.lines))
            yield running
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(15)
            (process.stdout or sys.stdin).close()


def _listen(process: subprocess.Popen[str], running: Console, ready: threading.Event) -> None:
    for line in process.stdout or ():
        running.lines.append(line)
        if "Console ready at" in line:
            ready.set()
    ready.set()
