"""
HTTP clients for the vendors' SDKs: guarded, unredirected, with one TLS context for the whole process.

The SDKs come in two kinds: openai 3, mistralai 3 and google-genai 3 ride on httpx2; anthropic 0, groq, cohere and
huggingface_hub on httpx. Both kinds share everything here.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

import httpcore
import httpcore2
import httpx
import httpx2

from ai.exceptions import ModelError
from ai.llm import guard

T = TypeVar("T")
CONNECT_SECONDS = 10.0
READ_SECONDS = 300.0
"""How long a model may be silent between two chunks, where neither a request nor its model's settings say."""
WRITE_SECONDS = 60.0
MAX_CONNECTIONS = 1000
MAX_IDLE = 100
IDLE_SECONDS = 30.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@cache
def tls() -> ssl.SSLContext:
    """The process's TLS context; making one costs 10 to 20 ms."""
    return httpx2.create_ssl_context()


async def _connect(
    connect: Any, errors: Any, host: str, port: int, timeout: float | None, options: dict[str, Any]
) -> Any:
    """Connect to one of the checked addresses of `host`; TLS goes on verifying the name."""
    try:
        async with asyncio.timeout(timeout):
            addresses = await guard.lookup(host, port)
    except TimeoutError:
        raise errors.ConnectTimeout(f"Looking up {host} took too long.") from None
    except OSError as error:
        raise errors.ConnectError(f"{host} cannot be looked up: {error}") from error
    for address in addresses[:-1]:
        try:
            return await connect(address, port, timeout=timeout, **options)
        except (errors.ConnectError, errors.ConnectTimeout):
            continue
    return await connect(addresses[-1], port, timeout=timeout, **options)


class _Backend(httpcore.AnyIOBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        options = {"local_address": local_address, "socket_options": socket_options}
        stream: httpcore.AsyncNetworkStream = await _connect(
            super().connect_tcp, httpcore, host, port, timeout, options
        )
        return stream


class _Stream2(httpcore2.AsyncNetworkStream):
    """A stream that is cheap to ask whether its server has hung up.

    The pool asks that of every idle connection at every request, and the stream looks up all of its socket's attributes
    to answer: with 50 connections, a fifth of what a request costs.
    """

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._poll: Any = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return _Stream2(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        if info != "is_readable" or not hasattr(select, "poll"):
            return self._stream.get_extra_info(info)
        if self._poll is None:
            socket = self._stream.get_extra_info("socket")
            if socket is None or socket.fileno() < 0:
                return self._stream.get_extra_info(info)
            self._poll = select.poll()
            self._poll.register(socket, select.POLLIN)
        return bool(self._poll.poll(0))


class _Backend2(httpcore2.AnyIOBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        options = {"local_address": local_address, "socket_options": socket_options}
        stream = await _connect(super().connect_tcp, httpcore2, host, port, timeout, options)
        return _Stream2(stream)


#: The responses that the stream being opened has caused.
_opened: ContextVar[list[Any] | None] = ContextVar("opened", default=None)


@asynccontextmanager
async def hanging_up(upstream: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """Enter `upstream`, and on leaving it close every response that it has opened, read to the end or not."""
    opened: list[Any] = []
    token = _opened.set(opened)
    try:
        stream = await upstream.__aenter__()
    except BaseException:
        await _close(opened)
        raise
    finally:
        _opened.reset(token)
    try:
        yield stream
    finally:
        await _close(opened)
        await upstream.__aexit__(None, None, None)


async def _close(responses: list[Any]) -> None:
    for response in responses:
        await response.aclose()


def _note(response: Any) -> None:
    if (opened := _opened.get()) is not None:
        opened.append(response)


def check_request(url: Any) -> None:
    """Refuse a URL that nobody may call."""
    if url.scheme not in {"http", "https"}:
        raise guard.refuse(f"{url.scheme} is not http or https.")
    if problem := guard.host_problem(url.host):
        raise guard.refuse(problem)


def check_response(status: int, location: str | None) -> None:
    """Refuse to follow a server elsewhere."""
    if status in _REDIRECTS and location:
        raise ModelError(
            "The model server redirects elsewhere, which is not followed because the key would travel along. "
            "Correct the base URL.",
            code="server_error",
        )


class _Checked:
    """What both transports do: every connection is checked by `ai.llm.guard`, and no redirect is let through."""

    async def handle_async_request(self, request: Any) -> Any:
        """Send the request when its address is allowed."""
        check_request(request.url)
        response = await super().handle_async_request(request)  # type: ignore[misc]
        try:
            check_response(response.status_code, response.headers.get("location"))
        except ModelError:
            await response.aclose()
            raise
        _note(response)
        return response


def _pool(core: Any, backend: Any) -> Any:
    """A pool of connections of httpcore, or of httpcore2."""
    return core.AsyncConnectionPool(
        ssl_context=tls(),
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=MAX_IDLE,
        keepalive_expiry=IDLE_SECONDS,
        network_backend=backend,
    )


class Transport(_Checked, httpx.AsyncHTTPTransport):
    """httpx's transport, checked."""

    def __init__(self) -> None:
        super().__init__(verify=tls())
        self._pool = _pool(httpcore, _Backend())


class Transport2(_Checked, httpx2.AsyncHTTPTransport):
    """The same for httpx2."""

    def __init__(self) -> None:
        super().__init__(verify=tls())
        self._pool = _pool(httpcore2, _Backend2())


def read_seconds(settings: Mapping[str, Any]) -> float:
    """The read timeout in a model's settings (`timeout`, in seconds), else ours."""
    timeout = settings.get("timeout")
    return float(timeout) if isinstance(timeout, int | float) else READ_SECONDS


def client(*, headers: Mapping[str, str], read: float = READ_SECONDS) -> httpx.AsyncClient:
    """An httpx client for one event loop; `read` is in seconds."""
    timeout = httpx.Timeout(connect=CONNECT_SECONDS, read=read, write=WRITE_SECONDS, pool=None)
    return httpx.AsyncClient(
        transport=Transport(), headers=dict(headers), timeout=timeout, follow_redirects=False, trust_env=False
    )


def client2(
    *, headers: Mapping[str, str], read: float = READ_SECONDS, transport: Transport2 | None = None
) -> httpx2.AsyncClient:
    """An httpx2 client for one event loop; `read` is in seconds."""
    timeout = httpx2.Timeout(connect=CONNECT_SECONDS, read=read, write=WRITE_SECONDS, pool=None)
    return httpx2.AsyncClient(
        transport=transport or Transport2(),
        headers=dict(headers),
        timeout=timeout,
        follow_redirects=False,
        trust_env=False,
    )
