"""The API over real HTTP: uvicorn in this process, on a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from console.asgi import application

START_SECONDS = 10.0


@contextmanager
def served() -> Iterator[str]:
    """The base URL of a server that answers until the context is left; its database is the test's."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        config = uvicorn.Config(application, log_level="warning", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=[place])), name="uvicorn", daemon=True
        )
        thread.start()
        try:
            _wait(server, thread)
            yield f"http://127.0.0.1:{place.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    pause = threading.Event()
    for _ in range(int(START_SECONDS / 0.02)):
        if server.started:
            return
        if not thread.is_alive():
            break
        pause.wait(0.02)
    raise RuntimeError("The server did not start.")
