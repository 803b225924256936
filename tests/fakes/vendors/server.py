"""The server: raw asyncio, so that it costs next to nothing beside the client under test."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from threading import Event, Thread
from typing import Any, Self
from urllib.parse import unquote

from tests.fakes.vendors import wire
from tests.fakes.vendors.script import Failure, Reply, Step

_REASONS = {200: "OK", 307: "Temporary Redirect", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}
START_SECONDS = 10.0


@dataclass
class Recorded:
    """A request as it arrived."""

    vendor: str
    method: str
    path: str
    """Without the vendor's prefix, with the query."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    arrived: float
    """`time.monotonic()`."""
    client_left: float | None = None
    """When the client closed the connection before its answer was complete."""
    answered: bool = False
    _gone: Event = field(default_factory=Event, repr=False)

    @cached_property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body or b"null")

    @property
    def model(self) -> str:
        """The model asked for."""
        return wire.of(self.vendor).model(self)

    def wait_for_hang_up(self, seconds: float = 5.0) -> bool:
        """Whether the client hangs up before its answer is complete, within `seconds`."""
        return self._gone.wait(seconds)


class VendorServer:
    """Every vendor on one loopback port; a context manager. All methods may be called from any thread."""

    def __init__(self, *, port: int = 0) -> None:
        self.port = port
        self.requests: list[Recorded] = []
        self.keep_requests = True
        """Turn off in benchmarks."""
        self.embeddings_fail: Failure | None = None
        """How requests for embeddings are refused; the script is for answers alone."""
        self.thinking = self.most_thinking = 0
        """How many requests wait for an answer with a `first_byte_delay`, and how many ever did at a time."""
        self._steps: deque[Step] = deque()
        self._last: Step = Reply()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = Event()
        self._thread: Thread | None = None
        self._open: set[_Connection] = set()

    def __enter__(self) -> Self:
        self._thread = Thread(target=lambda: asyncio.run(self.serve()), name="vendors", daemon=True)
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise RuntimeError("The scripted server did not start.")
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop and self._thread:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(START_SECONDS)

    @property
    def is_listening(self) -> bool:
        """Whether `port` is open."""
        return self._ready.is_set()

    def url(self, vendor: str) -> str:
        """The base URL to give the vendor's SDK."""
        return f"http://127.0.0.1:{self.port}/{vendor}{wire.of(vendor).base}"

    def script(self, *steps: Step) -> None:
        """Answer the coming requests with these, in order; the last one is repeated for ever."""
        self._steps = deque(steps)
        self._last = steps[-1] if steps else Reply()

    def clear(self) -> None:
        """Forget the script and the recorded requests."""
        self.script()
        self.requests.clear()

    async def serve(self) -> None:
        """Listen until the context is left."""
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            await self._stopping.wait()
        finally:
            server.close()
            for connection in list(self._open):
                connection.abort()
            await asyncio.sleep(0)

    def next_step(self, request: Recorded) -> Reply | Failure:
        """The answer to `request`."""
        step = self._steps.popleft() if self._steps else self._last
        return step if isinstance(step, Reply | Failure) else step(request)

    async def think(self, seconds: float) -> None:
        """Let an answer wait."""
        self.thinking += 1
        self.most_thinking = max(self.most_thinking, self.thinking)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.thinking -= 1

    def enter(self, connection: _Connection) -> None:
        """A client has connected."""
        self._open.add(connection)

    def leave(self, connection: _Connection) -> None:
        """A client has gone."""
        self._open.discard(connection)


class _Connection(asyncio.Protocol):
    def __init__(self, server: VendorServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._request: Recorded | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._server.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.leave(self)
        if self._task and not self._task.done():
            self._task.cancel()
            if self._request and not self._request.answered:
                self._request.client_left = time.monotonic()
                self._request._gone.set()

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        lines = self._buffer[:head_end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        end = head_end + 4 + int(headers.get("content-length", 0))
        if len(self._buffer) < end:
            if headers.get("expect", "").lower() == "100-continue" and len(self._buffer) == head_end + 4:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        body = bytes(self._buffer[head_end + 4 : end])
        del self._buffer[:end]
        method, target, _version = lines[0].split(" ", 2)
        vendor, _, path = target.lstrip("/").partition("/")
        self._request = Recorded(vendor, method, "/" + unquote(path), headers, body, time.monotonic())
        if self._server.keep_requests:
            self._server.requests.append(self._request)
        self._task = asyncio.ensure_future(self._answer(self._request))

    async def _answer(self, request: Recorded) -> None:
        vendor = wire.VENDORS.get(request.vendor)
        if vendor is not None and request.path.partition("?")[0].endswith("/embeddings"):
            failure = self._server.embeddings_fail
            self._send(
                *(vendor.refusal(failure, request) if failure else (200, {}, wire.embedded(request.json))), request
            )
            return
        if vendor is None or request.method != "POST" or not vendor.accepts(request):
            self._send(404, {}, b'{"error":{"message":"There is no such path here."}}', request)
            return
        step = self._server.next_step(request)
        if step.first_byte_delay:
            await self._server.think(step.first_byte_delay)
        if isinstance(step, Failure):
            self._send(*vendor.refusal(step, request), request)
        elif vendor.streams(request):
            await self._stream(vendor, step, request)
        elif step.broken == "disconnect":
            self.abort()
        elif step.broken == "error":
            self._send(*vendor.refusal(Failure("server_error"), request), request)
        else:
            whole = b'{"broken": [' if step.broken else wire.whole(vendor, step, request)
            self._send(200, {}, whole, request)

    def _send(self, status: int, headers: Mapping[str, str], body: bytes, request: Recorded) -> None:
        fields = {"content-type": "application/json", **headers, "content-length": str(len(body))}
        request.answered = True
        self._transport.write(_head(status, fields) + body)

    async def _stream(self, vendor: wire.Vendor, reply: Reply, request: Recorded) -> None:
        content_type = vendor.stream_type
        self._transport.write(_head(200, {"content-type": content_type, "transfer-encoding": "chunked"}))
        frames = wire.frames(vendor, reply, request)
        if not reply.chunk_delay and not reply.broken:
            request.answered = True
            self._transport.write(b"".join(_chunk(frame.data) for frame in frames) + b"0\r\n\r\n")
            return
        texts = 0
        for frame in frames:
            if frame.is_text and reply.chunk_delay:
                await asyncio.sleep(reply.chunk_delay)
            if reply.broken and frame.is_text and texts == reply.broken_after:
                break
            texts += frame.is_text
            self._transport.write(_chunk(frame.data))
        request.answered = True
        if not reply.broken:
            self._transport.write(b"0\r\n\r\n")
        elif reply.broken == "disconnect":
            await asyncio.sleep(0.01)
            self.abort()
        else:
            last = vendor.garbage if reply.broken == "garbage" else vendor.stream_error(request)
            self._transport.write(_chunk(last) + b"0\r\n\r\n")


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Unlucky')}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
