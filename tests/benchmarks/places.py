"""Homes of consoles in a temporary folder, and processes that run in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
#: Of the environment; without bytecode every start would be one of a project that was never started before.
_OURS = ("PYTHONDONTWRITEBYTECODE", "AI_", "CONSOLE_", "DATABASE_", "CELERY_", "CACHE_", "DJANGO_", "FILES_")


@dataclass(frozen=True)
class Place:
    """The home of one console: its database, keys and files."""

    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a process that runs in it, deaf to the developer's settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        fixed = {"CONSOLE_HOME": str(self.home), "CONSOLE_ENV_FILE": os.devnull, "LOG_LEVEL": "ERROR"}
        return {**kept, **fixed, "DJANGO_SETTINGS_MODULE": "console.settings", **more}

    def run(self, *arguments: str, **more: str) -> str:
        """What `python ARGUMENTS` printed; its errors go to the terminal."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    @contextmanager
    def conversation(self, name: str) -> Iterator[Callable[[str], Any]]:
        """Asks the inner half of a benchmark, line by line; an empty line only reads."""
        command = [sys.executable, "-m", f"tests.benchmarks.inside.{name}"]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=ROOT, env=self.environment(), stdin=pipe, stdout=pipe, text=True)
        assert process.stdin
        assert process.stdout
        asking, answering = process.stdin, process.stdout

        def ask(line: str) -> Any:
            if line:
                asking.write(f"{line}\n")
                asking.flush()
            for answer in answering:
                if answer.strip():
                    return json.loads(answer)
            raise RuntimeError(f"The inner half of {name!r} ended; its error is above.")

        try:
            yield ask
        finally:
            asking.close()
            answering.close()
            process.wait()

    def manage(self, *arguments: str, **more: str) -> str:
        """What `manage.py ARGUMENTS` printed."""
        return self.run("manage.py", *arguments, **more)

    def inside(self, name: str, *arguments: str) -> Any:
        """What the inner half of a benchmark found."""
        return json.loads(self.run("-m", f"tests.benchmarks.inside.{name}", *arguments).splitlines()[-1])


@dataclass
class Places:
    """The homes of one run of the benchmarks, made when they are first asked for."""

    folder: Path

    #: Threads, messages.
    SIZES = {"empty": (0, 0), "small": (1_000, 10_000), "big": (100_000, 1_000_000)}

    def __post_init__(self) -> None:
        self._made: dict[str, Place] = {}
        self.seconds: dict[str, float] = {}

    def get(self, name: str) -> Place:
        """A console with so many threads."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Place:
        threads, messages = self.SIZES[name]
        place = Place(self.folder / name)
        place.home.mkdir()
        say(f"building a console with {threads:,} threads and {messages:,} messages")
        place.manage("migrate", "--verbosity", "0")
        begin = time.perf_counter()
        if threads:
            place.manage("generate_load", "--threads", str(threads), "--messages", str(messages), "--seed", "1")
        self.seconds[name] = time.perf_counter() - begin
        return place


def say(text: str) -> None:
    """Tell whoever waits what goes on."""
    sys.stderr.write(f"… {text}\n")
    sys.stderr.flush()
