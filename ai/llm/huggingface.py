"""Hugging Face's inference client on our own connections: its own would follow redirects and stay open after a cancel."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
from huggingface_hub import AsyncInferenceClient
from huggingface_hub.utils._http import hf_raise_for_status
from pydantic_ai.models.huggingface import HuggingFaceModel
from pydantic_ai.providers.huggingface import HuggingFaceProvider

from ai.llm.specs import ModelSpec

if TYPE_CHECKING:
    from pydantic_ai.settings import ModelSettings


def build_huggingface(
    spec: ModelSpec, http_client: httpx.AsyncClient, settings: ModelSettings, *, url: str
) -> HuggingFaceModel:
    """The model behind `url` on `http_client`."""
    sdk = GuardedInferenceClient(base_url=url, api_key=spec.key(), http_client=http_client)
    provider = HuggingFaceProvider(hf_client=sdk, api_key=spec.key())
    return HuggingFaceModel(spec.model, provider=provider, settings=settings)


class GuardedInferenceClient(AsyncInferenceClient):
    """The inference client on a given HTTP client, closing each response when its stream ends or is given up."""

    def __init__(self, *, base_url: str, api_key: str, http_client: httpx.AsyncClient) -> None:
        super().__init__(base_url=base_url, api_key=api_key)
        self._http_client = http_client

    async def _get_async_client(self) -> httpx.AsyncClient:
        return self._http_client

    async def _inner_post(self, request_parameters: Any, *, stream: bool = False) -> Any:
        request = self._http_client.build_request(
            "POST",
            request_parameters.url,
            json=request_parameters.json,
            content=request_parameters.data,
            headers=request_parameters.headers,
        )
        response = await self._http_client.send(request, stream=True)
        if stream and response.is_success:
            return _lines(response)
        try:
            await response.aread()
        finally:
            await response.aclose()
        hf_raise_for_status(response)
        return response.content


async def _lines(response: httpx.Response) -> AsyncIterator[str]:
    try:
        lines: AsyncIterable[str] = response.aiter_lines()
        async for line in lines:
            yield line.strip()
    finally:
        await response.aclose()
