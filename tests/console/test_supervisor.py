"""`make run`: what is started, kept running, and stopped."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from console.env import PROJECT
from console.supervisor import children
from console.supervisor.children import Child

ME = "tests.console.processes"


def alive(pid: int) -> bool:
    """A process that is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def eventually(condition: Callable[[], bool], *, seconds: float = 10) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


class TestChild:
    def test_is_started_again_when_it_dies_and_says_so(self) -> None:
        said: list[str] = []
        child = Child(name="worker", command=(ME, "meek"), say=said.append)
        child.start(at=100.0)
        first = child.process
        assert first is not None

        first.kill()
        first.wait()
        child.look_after(at=101.0)
        child.look_after(at=101.2)
        early = child.process
        child.look_after(at=101.6)
        second = child.process
        assert second is not None
        children.stop([second], patience=0.1)

        assert early is None
        assert second.pid != first.pid
        assert said == [
            "The worker died (killed by SIGKILL). It is started again in 0.5 s.",
            "The worker is running again.",
        ]

    def test_waits_longer_each_time_it_dies_young(self) -> None:
        said: list[str] = []
        child = Child(name="worker", command=("no_such_module",), say=said.append)

        for at in (0.0, 100.0, 200.0):
            child.start(at=at)
            assert child.process is not None
            child.process.wait()
            child.look_after(at=at + 1)

        assert [line.split("again in ")[1] for line in said] == ["0.5 s.", "1 s.", "2 s."]
        assert child.deaths == 3


class TestStop:
    def test_leaves_nothing_of_a_process_that_will_not_end(self, tmp_path: Path) -> None:
        note = tmp_path / "pid"
        process = children.start(ME, "parent", str(note))
        assert eventually(lambda: note.exists() and bool(note.read_text()))
        grandchild = int(note.read_text())

        children.stop([process], patience=0.5)

        assert process.returncode == -signal.SIGKILL
        assert eventually(lambda: not alive(grandchild), seconds=2)


def test_a_child_ends_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    note = tmp_path / "note"
    script = (
        f"import time; from console.supervisor import children; p = children.start({ME!r}, 'meek', {str(note)!r});"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    child = int(supervisor.stdout.readline())
    assert eventually(note.exists)

    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()

    assert eventually(lambda: not alive(child), seconds=3)


class Console:
    """A console started as `make run` starts it, on a home folder and a port of its own."""

    def __init__(self, home: Path, *, port: int) -> None:
        self.port, self.log = port, home / "log"
        environment = {
            name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "CELERY_BROKER_URL"}
        }
        environment |= {"CONSOLE_HOME": str(home / "home"), "PORT": str(port), "CONSOLE_DEMO": "false"}
        environment["DJANGO_SETTINGS_MODULE"] = "console.settings"
        with self.log.open("w") as log:
            command = [sys.executable, "-m", "console.supervisor"]
            self.process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=subprocess.STDOUT)

    @property
    def said(self) -> str:
        return self.log.read_text()

    def children(self) -> dict[str, int]:
        """The processes it keeps, by the module each runs."""
        found = {}
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            found[words[4].decode()] = int(pid)
        return found


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def console(tmp_path: Path, free_port: int) -> Iterator[Console]:
    started = Console(tmp_path, port=free_port)
    yield started
    started.process.kill()
    started.process.wait()


def test_a_console_starts_heals_and_stops(console: Console) -> None:
    ready = f"Console ready at http://127.0.0.1:{console.port}/"
    eventually(lambda: ready in console.said or console.process.poll() is not None, seconds=60)
    assert ready in console.said, console.said
    assert re.search(r"Log in as admin with the password \S{12,} \(it is shown this once\)", console.said)
    with urlopen(f"http://127.0.0.1:{console.port}/healthz") as answer:
        assert answer.status == 200

    os.kill(console.children()["celery"], signal.SIGKILL)
    assert eventually(lambda: "The worker is running again." in console.said), console.said
    assert "The worker died (killed by SIGKILL)" in console.said
    pids = list(console.children().values())
    assert len(pids) == 2

    started = time.monotonic()
    console.process.terminate()
    console.process.wait(timeout=10)

    assert time.monotonic() - started < 10
    assert console.process.returncode == 0
    assert not [pid for pid in pids if alive(pid)]


def test_a_taken_port_is_said_at_once(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        console = Console(tmp_path, port=other.getsockname()[1])

        code = console.process.wait(timeout=10)

    assert code == 1
    assert f"Port {console.port} on 127.0.0.1 cannot be used (Address already in use)" in console.said
    assert "make run PORT=" in console.said
