"""Our server for clients: a web server and a worker in processes of their own, a scripted model in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from console.env import Env
from console.supervisor import children
from console.supervisor.__main__ import commands, health
from tests.contract import brain
from tests.fakes.vendors import VendorServer
from tests.journeys.running import PROJECT, free_port

READY_SECONDS = 60
_OURS = ("AI_", "CONSOLE_", "DATABASE_", "CELERY_", "CACHE_", "DJANGO_", "FILES_", "OPENAI_")
_REDIS_DATABASES_BELOW = 8


@dataclass(frozen=True)
class Served:
    """Where the API answers, with which keys, and what its processes have written."""

    base_url: str
    keys: dict[str, str]
    """By the tenant's name."""
    home: Path

    def log(self) -> str:
        """The last that the web server and the worker have logged."""
        written = {name: (self.home / f"{name}.log").read_text(errors="replace") for name in ("web server", "worker")}
        return "\n".join(f"-- {name} --\n{text[-6000:]}" for name, text in written.items())


@contextmanager
def served() -> Iterator[Served]:
    """Start everything in a new home, and leave nothing behind."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="console-contract-")))
        vendor = stack.enter_context(VendorServer())
        vendor.keep_requests = False
        vendor.script(brain.answer)
        environment = _environment(home, stack.enter_context(_database()))
        keys = _prepare(environment, vendor.url("openai-compatible"))
        port = free_port()
        for name, command in commands(Env(host="127.0.0.1", port=port)).items():
            stack.enter_context(_running(command, environment, home / f"{name}.log"))
        running = Served(f"http://127.0.0.1:{port}/v1", keys, home)
        _wait_until_ready(running, port)
        yield running


def _environment(home: Path, database_url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    mine = {
        "CONSOLE_HOME": str(home),
        "CONSOLE_ENV_FILE": os.devnull,
        "DATABASE_URL": database_url,
        "CELERY_BROKER_URL": _broker(os.environ.get("TEST_BROKER_URL", "")),
        "DJANGO_SETTINGS_MODULE": "console.settings",
        "PYTHONWARNINGS": "ignore",
        # Comments between events, often: no client may stumble over one.
        "AI_HEARTBEAT_SECONDS": "0.2",
        # What fails, fails at once.
        "AI_MODEL_RETRIES": "0",
    }
    return {**kept, **mine}


def _broker(given: str) -> str:
    """Not the Redis database of this process's other tests, whose messages are not for our worker."""
    server, _, number = given.rpartition("/")
    return f"{server}/{int(number) - _REDIS_DATABASES_BELOW}" if given.startswith("redis") else given


@contextmanager
def _database() -> Iterator[str]:
    """The address of a database of its own on the server under test; empty for SQLite in the home folder."""
    given = os.environ.get("TEST_DATABASE_URL", "")
    if not given.startswith("postgres"):
        yield ""
        return
    import psycopg

    name = f"contract_{os.getpid()}"
    with psycopg.connect(urlunsplit(urlsplit(given)._replace(path="/postgres")), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield urlunsplit(urlsplit(given)._replace(path=f"/{name}"))
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _prepare(environment: dict[str, str], model_url: str) -> dict[str, str]:
    command = [sys.executable, "-m", "tests.contract.prepare", model_url]
    done = subprocess.run(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, check=True, timeout=120)
    keys: dict[str, str] = json.loads(done.stdout)
    return keys


@contextmanager
def _running(command: tuple[str, ...], environment: dict[str, str], log: Path) -> Iterator[None]:
    """A module that runs, and ends at the latest with this process."""
    leash = [sys.executable, "-m", "console.supervisor.leash", "5", *command]
    with log.open("ab") as output:
        process = subprocess.Popen(
            leash,
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        children.stop([process])


def _wait_until_ready(running: Served, port: int) -> None:
    end = time.monotonic() + READY_SECONDS
    while health("127.0.0.1", port).get("status") != "ok":
        if time.monotonic() > end:
            raise RuntimeError(f"The server did not become ready.\n{running.log()}")
        time.sleep(0.1)
