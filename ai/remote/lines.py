"""A line to a remote server: the official client, guarded, patient with limits, with failures in plain words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from ai import conf
from ai.exceptions import AIError, Misconfigured, RemoteError, RemoteMissing, RemoteRefused
from ai.llm import guard
from ai.remote import gates

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

    from ai.models.connections import Address

T = TypeVar("T")
Json = dict[str, Any]

#: A server that takes no more calls for now has not failed: it is waited for so often.
LIMITED_TRIES = 8
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 120.0
#: Some servers of threads want to be told which version of them is meant.
BETA = {"OpenAI-Beta": "assistants=v2"}


def path(*parts: str) -> str:
    """A path of these parts; an id cannot lead out of its place."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


class Line:
    """Calls to one server with one key. Reading is tried again when that can help; what changes something is not."""

    def __init__(self, address: Address, *, first_wait: float = FIRST_WAIT_SECONDS) -> None:
        """A line to the address. After a failure it waits `first_wait` seconds, and twice as long after each that follows.

        Raises:
            InvalidInput: the base URL is one that nobody may call.
            Misconfigured: there is no key.
        """
        if not address.api_key:
            raise Misconfigured("The connection has no API key. Enter one on its page.")
        guard.check_url(address.base_url)
        self._address, self._first_wait = address, first_wait
        self._gate = gates.of(f"{address.base_url} {hash(address.api_key)}", address.concurrency)
        self._client: AsyncOpenAI | None = None
        self._refusal = ""

    @property
    def client(self) -> AsyncOpenAI:
        """The official client; made in the event loop that uses it."""
        if self._client is None:
            from openai import AsyncOpenAI

            from ai.llm import transports
            from ai.remote import bounds

            given, silent = self._address, conf.current().remote_timeout_seconds
            azure = {"api-key": given.api_key} if given.api_version else {}
            query = {"api-version": given.api_version} if given.api_version else None
            self._client = AsyncOpenAI(
                api_key=given.api_key,
                base_url=given.base_url,
                organization=given.organization or None,
                project=given.project or None,
                max_retries=0,
                http_client=transports.client2(headers={}, read=silent, transport=bounds.Transport()),
                default_headers={**BETA, **azure},
                default_query=query,
            )
        return self._client

    async def aclose(self) -> None:
        """Hang up."""
        if self._client is not None:
            await self._client.close()

    # -- Calls
    async def get(self, where: str, **query: Any) -> Json:
        """Read JSON, at most `AI_REMOTE_MAX_BYTES` of it."""
        params = {name: value for name, value in query.items() if value not in (None, "")}
        found: Json = await self._read(lambda: self.client.get(where, cast_to=object, options={"params": params}))
        return found

    async def post(self, where: str, body: Mapping[str, Any]) -> Json:
        """Change something; what the server answers."""
        answer: Any = await self._once(lambda: self.client.post(where, cast_to=object, body=dict(body)))
        return answer if isinstance(answer, dict) else {}

    async def upload(self, name: str, content: IO[bytes], purpose: str) -> str:
        """Keep a file there; its id."""

        def send() -> Any:
            content.seek(0)
            given: Any = {"file": (name, content), "purpose": purpose}
            return self.client.files.create(**given)

        made = await self._once(send)
        return str(made.id)

    @asynccontextmanager
    async def download(self, file_id: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """A file's content, piece by piece."""
        async with self._gate:
            await self._gate.rested()
            try:
                async with self.client.files.with_streaming_response.content(file_id) as answer:
                    yield answer.iter_bytes()
            except AIError:
                raise
            except Exception as error:
                raise self._discreet(_told(error)) from error

    # -- How they are made
    async def _once(self, call: Callable[[], Awaitable[T]]) -> T:
        """A call that is made again only when the server says that it did nothing."""
        return await self._try(call, again=lambda error: _status(error) == 429)

    async def _read(self, call: Callable[[], Awaitable[Any]]) -> Json:
        answer = await self._try(call, again=_may_pass)
        if not isinstance(answer, dict):
            raise RemoteError("The server answered something that is not JSON. Is the base URL right?")
        return answer

    async def _try(self, call: Callable[[], Awaitable[T]], *, again: Callable[[Exception], bool]) -> T:
        tries, allowed = 0, 1 + conf.current().remote_retries
        while True:
            if self._refusal:
                raise RemoteRefused(self._refusal)
            try:
                async with self._gate:
                    await self._gate.rested()
                    return await call()
            except Exception as error:
                tries += 1
                most = max(LIMITED_TRIES, allowed) if _status(error) == 429 else allowed
                if not again(error) or tries >= most:
                    raise self._final(error) from error
                await self._wait(error, tries)

    async def _wait(self, error: Exception, tries: int) -> None:
        asked = _retry_after(error)
        if asked is not None:
            self._gate.rest(min(asked, LONGEST_WAIT_SECONDS))
        else:
            await asyncio.sleep(min(self._first_wait * 2 ** (tries - 1), LONGEST_WAIT_SECONDS))

    def _discreet(self, told: AIError) -> AIError:
        """The failure without the key, which a server may repeat in what it says."""
        key = self._address.api_key
        return type(told)(told.message.replace(key, "…")) if key in told.message else told

    def _final(self, error: Exception) -> AIError:
        told = self._discreet(_told(error))
        if _status(error) in {401, 403}:  # the next call would be told the same
            self._refusal = told.message
        return told


def _status(error: Exception) -> int:
    return int(getattr(error, "status_code", 0) or 0)


def _may_pass(error: Exception) -> bool:
    """Whether reading again can help."""
    from openai import APIConnectionError

    if isinstance(error, APIConnectionError):
        return not isinstance(error.__cause__, AIError)
    return _status(error) in {408, 409, 429} or _status(error) >= 500


def _retry_after(error: Exception) -> float | None:
    """How long the server asks to wait, in seconds; longer than we would is not waited for in full."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(float(headers[name]) / unit, 0.0)
        except (KeyError, ValueError):
            continue
    try:
        return max(parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None


def _told(error: Exception) -> AIError:
    """The failure as a person understands it."""
    from openai import APIConnectionError, APIStatusError, APITimeoutError

    if isinstance(error, AIError):
        return error
    if isinstance(error, APITimeoutError):
        return RemoteError("The server did not answer in time.")
    if isinstance(error, APIConnectionError):
        cause = error.__cause__
        return RemoteError(cause.message if isinstance(cause, AIError) else f"The server cannot be reached: {cause}")
    if isinstance(error, APIStatusError):
        return _refused(error)
    return RemoteError(f"The server's answer cannot be understood: {error}"[:500])


def _refused(error: APIStatusError) -> AIError:
    said = _words(error)
    status = error.status_code
    if status in {401, 403}:
        return RemoteRefused(f"The server did not accept the API key. It said: {said}")
    if status == 404:
        if isinstance(error.body, dict) and "message" in error.body:
            return RemoteMissing(f"The server has no such thing. It said: {said}")
        return RemoteError("The server has no such address. Is the base URL right?")
    if status == 429:
        return RemoteError(f"The server takes no more calls for now. It said: {said}")
    kind = RemoteError if status >= 500 else RemoteRefused
    return kind(f"The server answered {status}. It said: {said}")


def _words(error: APIStatusError) -> str:
    body: Any = error.body
    if isinstance(body, dict):
        inner = body.get("error")
        body = inner.get("message") if isinstance(inner, dict) else body.get("message", inner)
    return " ".join(str(body or "nothing").split())[:300]
