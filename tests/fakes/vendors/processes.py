"""The server in a process of its own, so that a benchmark's client does not share its interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.fakes.vendors.server import START_SECONDS, VendorServer

ROOT = Path(__file__).parents[3]


class VendorProcess:
    """Every vendor on one port of another process; a context manager. Each answer takes `delay_ms` and has `chunks` chunks."""

    def __init__(self, *, delay_ms: float = 0, chunks: int = 3, chunk_ms: float = 0) -> None:
        self._options = ["--delay-ms", str(delay_ms), "--chunks", str(chunks), "--chunk-ms", str(chunk_ms)]
        self._addresses = VendorServer()
        self._process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.fakes.vendors", *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._process.stdout
        self._addresses.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(START_SECONDS)
        if self._process.stdout:
            self._process.stdout.close()

    def url(self, vendor: str) -> str:
        """The base URL to give the vendor's SDK."""
        return self._addresses.url(vendor)
