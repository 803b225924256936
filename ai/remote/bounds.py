"""Answers that are read whole are read up to a limit, however small the server has packed them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx2

from ai import conf
from ai.exceptions import RemoteError
from ai.llm import transports


class _Answer(httpx2.Response):
    """An answer that ends with an error when it is read whole and is too big; piece by piece it may be of any size."""

    _is_whole = False

    async def aread(self) -> bytes:
        """All of it, unpacked.

        Raises:
            RemoteError.
        """
        self._is_whole = True
        return await super().aread()

    async def aiter_bytes(self, chunk_size: int | None = None) -> AsyncGenerator[bytes, None]:
        """Its pieces, unpacked."""
        count, most = 0, conf.current().remote_max_bytes
        async for piece in super().aiter_bytes(chunk_size):
            count += len(piece)
            if self._is_whole and count > most:
                raise RemoteError(
                    f"The server's answer is larger than the {most:,} bytes that AI_REMOTE_MAX_BYTES allows."
                )
            yield piece


class Transport(transports.Transport2):
    """The guarded transport, whose answers are bounded."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request when its address is allowed."""
        given = await super().handle_async_request(request)
        return _Answer(given.status_code, headers=given.headers, stream=given.stream, extensions=given.extensions)
