"""
The program that serves a GGUF file with llama.cpp: `ai.llm.embedded` runs it as a child.

It reads one line of JSON (path, name, key, sizes) from its standard input, answers one line (url, or error), and ends when
its input does: with its parent, however that ended. In the parent itself, llama.cpp could not be left with an answer under
way (xllamacpp 2026.10 then waits for ever), and a file that it chokes on would take the worker along.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def serve(order: dict[str, Any]) -> Any:
    """A server as ordered. By default llama.cpp's has no key and lets every web origin in."""
    import xllamacpp  # noqa: PLC0415 - an optional dependency

    params = xllamacpp.CommonParams()
    params.model.path = order["path"]
    params.model_alias = {order["name"]}
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.api_keys, params.cors_origins, params.cors_credentials = [order["key"]], "", False
    params.ui = params.endpoint_slots = False
    params.use_jinja = True
    params.n_parallel, params.n_ctx = order["parallel"], order["context"] * order["parallel"]
    params.n_predict = order["answer"]
    for threads in (params.cpuparams, params.cpuparams_batch):
        threads.n_threads, threads.poll = order["threads"], 0
    params.verbosity = -1
    # What a request does not set: little chance, and the same each time; a model this small loses its thread otherwise.
    params.sampling.temp, params.sampling.seed = 0.3, 7
    # Threads that wait for each other in a busy loop collapse as soon as anything else wants a core: on two busy cores
    # one thread wrote a token in 80 ms, two took 300 to 900 ms. Reading the prompt gains from every core.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    params.cpuparams.n_threads, params.cpuparams_batch.n_threads = max(1, cores // 2), cores
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    return xllamacpp.Server(params)


def main() -> None:
    """Serve until the parent goes."""
    try:
        server = serve(json.loads(sys.stdin.readline()))
        said = {"url": server.listening_address}
    except (RuntimeError, ValueError) as error:
        said = {"error": str(error)}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
