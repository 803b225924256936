"""An HTTP client for the official SDK where code that waits uses it: guarded like the others, and unredirected."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httpcore2
import httpx2

from ai.llm import guard, transports


class _Backend(httpcore2.SyncBackend):
    """Connects to checked addresses only; TLS goes on verifying the name."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore2.ConnectError(f"{host} cannot be looked up: {error}") from error
        addresses = guard.check_addresses((str(info[4][0]) for info in infos), host=host)
        for address in addresses[:-1]:
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return super().connect_tcp(addresses[-1], port, timeout, local_address, socket_options)


class Transport(httpx2.HTTPTransport):
    """httpx2's transport, with every connection checked by `ai.llm.guard` and no redirect let through."""

    def __init__(self) -> None:
        super().__init__(verify=transports.tls())
        self._pool = httpcore2.ConnectionPool(ssl_context=transports.tls(), network_backend=_Backend())

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request when its address is allowed."""
        transports.check_request(request.url)
        response = super().handle_request(request)
        transports.check_response(response.status_code, response.headers.get("location"))
        return response


class Client(httpx2.Client):
    """Hangs up when nobody uses it any more, as the SDK's own does."""

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()


def client(*, read: float = transports.READ_SECONDS) -> httpx2.Client:
    """A client; `read` is in seconds."""
    timeout = httpx2.Timeout(connect=transports.CONNECT_SECONDS, read=read, write=transports.WRITE_SECONDS, pool=None)
    return Client(transport=Transport(), timeout=timeout, follow_redirects=False, trust_env=False)
