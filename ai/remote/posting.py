"""Posting to an address that somebody typed in: guarded when connecting, never redirected, with little read of the answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ai.exceptions import AIError, InvalidInput
from ai.llm import guard

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS, READ_SECONDS = 5.0, 10.0
#: However slowly a server answers, it is not waited for longer.
TOTAL_SECONDS = 20.0
MOST_BYTES = 16 * 1024


@dataclass(frozen=True)
class Answer:
    """What a server answered; `status` is None where it did not, and `error` says why."""

    status: int | None = None
    text: str = ""
    error: str = ""
    retry_after: float | None = None
    milliseconds: int = 0

    @property
    def is_fine(self) -> bool:
        """Whether the server has taken it."""
        return self.status is not None and 200 <= self.status < 300


def check(url: str) -> str:
    """Return `url` when events may be posted there: by HTTPS, or by HTTP to a private host that the installation allows.

    Raises:
        InvalidInput: why not.
    """
    try:
        guard.check_url(url)
    except InvalidInput as error:
        raise InvalidInput(_reworded(error.message)) from None
    parts = urlsplit(url)
    if parts.scheme != "https" and not guard.is_private_host(parts.hostname or ""):
        raise InvalidInput("The URL must begin with https://, so that nobody on the way reads what is sent.")
    return url


async def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Post JSON once. Whatever happens is an answer; a redirect is one too, and is not followed."""
    begun = time.perf_counter()
    try:
        check(url)
        async with asyncio.timeout(TOTAL_SECONDS):
            found = await _post(url, body, headers)
    except TimeoutError:
        found = Answer(error=f"The server took longer than {TOTAL_SECONDS:.0f} seconds.")
    except AIError as error:
        found = Answer(error=_reworded(error.message)[:300])
    except Exception as error:
        if not _is_http(error):
            raise
        found = Answer(error=f"The server cannot be reached: {error or type(error).__name__}"[:300])
    spent = round((time.perf_counter() - begun) * 1000)
    return Answer(found.status, found.text, found.error, found.retry_after, spent)


async def _post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    # Nothing is unpacked: a few bytes of an answer could become more than there is memory for.
    given = {**headers, "accept-encoding": "identity"}
    async with _client() as client, client.stream("POST", url, content=body, headers=given) as answer:
        pieces, size = [], 0
        async for piece in answer.aiter_raw(4096):
            pieces.append(piece)
            size += len(piece)
            if size >= MOST_BYTES:
                break
        text = b"".join(pieces)[:MOST_BYTES].decode(errors="replace").replace("\x00", "")
        return Answer(answer.status_code, text, retry_after=_seconds(answer.headers.get("retry-after", "")))


def _client() -> httpx.AsyncClient:
    """A client for one request."""
    import httpx

    from ai.llm import transports

    class Transport(transports.Transport):
        """Checks each connection, and hands a redirect over as the answer that it is."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            """Send the request when its address is allowed."""
            transports.check_request(request.url)
            return await httpx.AsyncHTTPTransport.handle_async_request(self, request)

    timeout = httpx.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS, write=READ_SECONDS, pool=CONNECT_SECONDS)
    return httpx.AsyncClient(transport=Transport(), timeout=timeout, follow_redirects=False, trust_env=False)


def _is_http(error: Exception) -> bool:
    import httpx

    return isinstance(error, httpx.HTTPError | httpx.InvalidURL | OSError)


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 8 else None


def _reworded(message: str) -> str:
    """The guard speaks of models; its reasons are the same."""
    told = {
        "a model server": "a webhook",
        "The base URL": "The URL",
        "store the key in its own field": "requests are signed instead",
        "If that is where the model runs, add": "If that is meant, add",
    }
    for ours, theirs in told.items():
        message = message.replace(ours, theirs)
    return message
