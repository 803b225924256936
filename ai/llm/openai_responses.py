"""OpenAI's Responses API, with the endings that pydantic-ai's model passes over: a failed response, and a cut one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.messages import FinishReason, ModelMessage
from pydantic_ai.models import ModelRequestParameters, StreamedResponse
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.settings import ModelSettings

if TYPE_CHECKING:
    from pydantic_ai._run_context import RunContext

_CUTS: dict[str | None, FinishReason] = {"max_output_tokens": "length", "content_filter": "content_filter"}


class EndingResponsesModel(OpenAIResponsesModel):
    """pydantic-ai's model, whose stream raises when the response failed and tells when it was cut."""

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncIterator[StreamedResponse]:
        """Stream an answer."""
        async with super().request_stream(messages, model_settings, model_request_parameters, run_context) as stream:
            watched: Any = stream
            watched._response = _Watched(watched._response, stream)
            yield stream


class _Watched:
    """The SDK's events on their way through."""

    def __init__(self, events: Any, stream: StreamedResponse) -> None:
        self.source = events.source
        self._events = events
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for event in self._events:
            yield event
            if event.type == "response.failed":
                raise ModelAPIError(self._stream.model_name, _reason(event.response.error))
            if event.type == "response.incomplete":
                details = event.response.incomplete_details
                self._stream.finish_reason = _CUTS.get(details.reason if details else None, "length")


def _reason(error: Any) -> str:
    return f"{error.message} ({error.code})" if error else "The response failed."
