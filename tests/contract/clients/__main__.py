"""Runs scenarios of the Python SDK whose names come on standard input, some at a time; see `tests.contract.sdks`."""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

from tests.contract.clients import scenarios
from tests.contract.clients.api import Api

AT_A_TIME = 4
_printing = threading.Lock()


def run(name: str) -> None:
    """Run one, and tell how it went."""
    url, keys = os.environ["CONTRACT_URL"], json.loads(os.environ["CONTRACT_KEYS"])
    error = ""
    try:
        scenarios.found()[name](Api(url, *keys))
    except Exception as problem:  # noqa: BLE001 - whatever it is, the test shows it
        error = traceback.format_exc() + _values(problem)
    with _printing:
        sys.stdout.write(json.dumps({"name": name, "error": error}) + "\n")
        sys.stdout.flush()


def _values(problem: BaseException) -> str:
    """What the scenario's names stood for: no test runner shows it here."""
    frames = [
        frame for frame, _ in traceback.walk_tb(problem.__traceback__) if "/contract/" in frame.f_code.co_filename
    ]
    return "".join(f"    {name} = {str(value)[:600]}\n" for name, value in frames[-1].f_locals.items())


if __name__ == "__main__":
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for line in sys.stdin:
            pool.submit(run, line.strip())
