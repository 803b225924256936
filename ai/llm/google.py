"""Google's Gemini on our connections, which hang up when a stream is left early: the SDK leaves that to garbage collection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from google.genai.client import Client
from google.genai.types import HttpOptions
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models import ModelRequestParameters, StreamedResponse
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.settings import ModelSettings

from ai.llm import transports
from ai.llm.specs import ModelSpec

if TYPE_CHECKING:
    import httpx2
    from pydantic_ai._run_context import RunContext

API_VERSION = "v1beta"
"""What pydantic-ai 1.94 is written against; google-genai 3 asks for v1 by itself."""


def build_google(spec: ModelSpec, http_client: httpx2.AsyncClient, settings: ModelSettings) -> GoogleModel:
    """The model on `http_client`."""
    verify = {"verify": transports.tls()}
    options = HttpOptions(
        base_url=spec.url(),
        api_version=API_VERSION,
        timeout=int(transports.read_seconds(spec.settings) * 1000),
        httpx_async_client=http_client,
        client_args=dict(verify),
        async_client_args=dict(verify),
    )
    provider = GoogleProvider(client=Client(vertexai=False, api_key=spec.key(), http_options=options))
    return HangingUpGoogleModel(spec.model, provider=provider, settings=settings)


class HangingUpGoogleModel(GoogleModel):
    """pydantic-ai's model that leaves no connection behind."""

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncIterator[StreamedResponse]:
        """Stream an answer."""
        upstream = super().request_stream(messages, model_settings, model_request_parameters, run_context)
        async with transports.hanging_up(upstream) as stream:
            yield stream
