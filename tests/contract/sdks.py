"""The SDKs, each in a process of its own that runs scenarios on request.

The process reads names of scenarios, a line each, and answers each with a line of JSON when it is done: `{"name", "error"}`.
It runs some of them at the same time, as clients do; so do all processes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from tests.contract.clients import scenarios
from tests.contract.server import Served
from tests.journeys.running import PROJECT

CLIENTS = Path(__file__).parent / "clients"
_PYTHON = ("-m", "tests.contract.clients")
_NODE = PROJECT / ".node-contract"
_EXPORTED = re.compile(r"^export async function (\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Sdk:
    """How a client is started, and the scenarios that it has."""

    name: str
    command: tuple[str, ...]
    scenarios: tuple[str, ...]


def _node() -> str:
    own = _NODE / "node_modules" / ".bin" / "node"
    return str(own) if own.exists() else "node"


def _node_scenarios() -> tuple[str, ...]:
    files = sorted(file for file in CLIENTS.glob("node/*.mjs") if file.name != "api.mjs")
    return tuple(name for file in files for name in _EXPORTED.findall(file.read_text()))


NEWEST = Sdk("openai-3", (sys.executable, *_PYTHON), tuple(scenarios.found()))
OTHERS = (
    Sdk("openai-1", (".venv-openai-1/bin/python", *_PYTHON), NEWEST.scenarios),
    Sdk("openai-2", (".venv-openai-2/bin/python", *_PYTHON), NEWEST.scenarios),
    Sdk("marvin-2", (".venv-marvin-2/bin/python", "-m", "tests.contract.clients.marvin_2"), ("two_turns_with_a_tool",)),
    Sdk("node", (_node(), "tests/contract/clients/main.mjs", str(_NODE)), _node_scenarios()),
)


class Running:
    """A client's process at work on `wanted` scenarios."""

    def __init__(self, sdk: Sdk, served: Served, wanted: Iterable[str]) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "MARVIN_"))}
        given = {"CONTRACT_URL": served.base_url, "CONTRACT_KEYS": json.dumps(list(served.keys.values()))}
        self._log = served.home / f"{sdk.name}.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*sdk.command],
                cwd=PROJECT,
                env={**kept, **given, "HOME": str(served.home), "PYTHONWARNINGS": "ignore"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._results: defaultdict[str, Future[str]] = defaultdict(Future)
        self._listening = Thread(target=self._listen, daemon=True)
        self._listening.start()
        assert self._process.stdin
        self._process.stdin.write("".join(f"{name}\n" for name in wanted))
        self._process.stdin.close()

    def error(self, name: str, *, seconds: float) -> str:
        """Why the scenario failed; empty when it went well."""
        return self._results[name].result(timeout=seconds)

    def close(self) -> None:
        """End it if it has not ended."""
        self._process.kill()
        self._process.wait()
        self._listening.join()

    def _listen(self) -> None:
        assert self._process.stdout
        with self._process.stdout as told:
            for line in told:
                result = json.loads(line)
                self._results[result["name"]].set_result(result["error"])
        for pending in [each for each in self._results.values() if not each.done()]:
            pending.set_result(f"The client ended: {self._log.read_text()[-3000:]}")
