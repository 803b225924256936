"""
Amazon Bedrock: boto3 in threads, with the address check and the prompt hang-up that its sockets lack.

A cancelled task leaves its thread behind, blocked in a read. So every request notes the sockets it uses, and leaving the
stream early shuts those sockets down, which ends the read, the thread and the provider's work at once.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import boto3
from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSHTTPSConnection, AWSHTTPSConnectionPool
from botocore.config import Config
from botocore.exceptions import NoCredentialsError
from botocore.session import Session
from botocore.tokens import FrozenAuthToken
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models import ModelRequestParameters, StreamedResponse, check_allow_model_requests
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.providers.bedrock import BedrockProvider
from pydantic_ai.settings import ModelSettings

from ai.exceptions import ModelError
from ai.llm import guard, transports
from ai.llm.specs import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic_ai._run_context import RunContext

DEFAULT_REGION = "us-east-1"
MAX_CONNECTIONS = 100
NO_CREDENTIALS = (
    "There are no credentials for Amazon Bedrock: set the environment variable AWS_BEARER_TOKEN_BEDROCK (or AWS's usual "
    "ones), or store a key with the language model in the admin."
)

_sockets: ContextVar[list[socket.socket] | None] = ContextVar("bedrock_sockets", default=None)


def build_bedrock(
    spec: ModelSpec, settings: ModelSettings
) -> tuple[HangingUpBedrockModel, Callable[[], Awaitable[None]]]:
    """The model, and what closes its client. Without a bearer token, AWS's usual credentials are used.

    The region is the one in the base URL or in `AWS_REGION`/`AWS_DEFAULT_REGION`, else us-east-1.
    """
    token = spec.key()
    config = Config(
        connect_timeout=transports.CONNECT_SECONDS,
        read_timeout=transports.read_seconds(spec.settings),
        retries={"total_max_attempts": 1},
        max_pool_connections=MAX_CONNECTIONS,
        proxies={},
        **({"signature_version": "bearer"} if token else {}),
    )
    session = boto3.Session(botocore_session=_TokenSession(token) if token else Session())
    client = session.client(
        "bedrock-runtime",
        region_name=_region(spec) or session.region_name or DEFAULT_REGION,
        endpoint_url=spec.url() or None,
        config=config,
    )
    manager = client._endpoint.http_session._manager
    manager.pool_classes_by_scheme = {"http": _CheckedPool, "https": _CheckedTLSPool}
    model = HangingUpBedrockModel(spec.model, provider=BedrockProvider(bedrock_client=client), settings=settings)

    async def close() -> None:
        await asyncio.to_thread(client.close)

    return model, close


def _region(spec: ModelSpec) -> str:
    host = spec.base_url.partition("://")[2].partition("/")[0].split(".")
    return host[1] if len(host) > 2 and host[0].startswith("bedrock-runtime") else ""


class _TokenSession(Session):
    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def get_auth_token(self, **_options: Any) -> FrozenAuthToken:
        return FrozenAuthToken(self._token)

    def get_credentials(self) -> None:
        return None


class _CheckedConnection:
    """Refuses addresses before a byte is sent, and notes the socket with the request that uses it."""

    host: str
    sock: Any

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        _note(self.sock)

    def _new_conn(self) -> Any:
        connection = super()._new_conn()  # type: ignore[misc]
        try:
            guard.check_addresses([str(connection.getpeername()[0])], host=self.host)
        except ModelError:
            connection.close()
            raise
        return connection

    def request(self, *args: Any, **options: Any) -> Any:
        if self.sock is not None:
            _note(self.sock)
        return super().request(*args, **options)  # type: ignore[misc]


class _CheckedHTTPConnection(_CheckedConnection, AWSHTTPConnection):
    pass


class _CheckedHTTPSConnection(_CheckedConnection, AWSHTTPSConnection):
    pass


class _CheckedPool(AWSHTTPConnectionPool):
    ConnectionCls = _CheckedHTTPConnection


class _CheckedTLSPool(AWSHTTPSConnectionPool):
    ConnectionCls = _CheckedHTTPSConnection


def _note(connection: socket.socket) -> None:
    if (noted := _sockets.get()) is not None:
        noted.append(connection)


class HangingUpBedrockModel(BedrockConverseModel):
    """pydantic-ai's Bedrock model that leaves no connection behind when its stream is left early."""

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncIterator[StreamedResponse]:
        """Stream an answer."""
        check_allow_model_requests()
        used: list[socket.socket] = []
        token = _sockets.set(used)
        upstream = super().request_stream(messages, model_settings, model_request_parameters, run_context)
        try:
            stream = await upstream.__aenter__()
        except (asyncio.CancelledError, GeneratorExit):
            _hang_up(used)
            raise
        except NoCredentialsError as error:
            raise ModelError(NO_CREDENTIALS, code="authentication_failed") from error
        finally:
            _sockets.reset(token)
        try:
            yield stream
        finally:
            _leave(stream, used)
            await upstream.__aexit__(None, None, None)


def _leave(stream: Any, used: list[socket.socket]) -> None:
    """Hang up when the connection is still this stream's: a finished one is back in the pool, perhaps in use again."""
    events = stream._event_stream
    if events._raw_stream.connection is None:
        return
    _hang_up(used)
    asyncio.get_running_loop().run_in_executor(None, _close, events)


def _close(events: Any) -> None:
    with suppress(Exception):  # the thread that reads may close it at the same time
        events.close()


def _hang_up(used: list[socket.socket]) -> None:
    for connection in used:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
