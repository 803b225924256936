"""Cohere, with the streaming that pydantic-ai's Cohere model lacks (Cohere's API v2, https://docs.cohere.com/v2/docs/streaming)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cohere import AsyncClientV2
from cohere.core.api_error import ApiError
from pydantic_ai._utils import now_utc
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError, UnexpectedModelBehavior
from pydantic_ai.messages import FinishReason, ModelMessage, ModelResponseStreamEvent
from pydantic_ai.models import ModelRequestParameters, StreamedResponse, check_allow_model_requests
from pydantic_ai.models.cohere import CohereModel
from pydantic_ai.providers.cohere import CohereProvider
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from ai.llm import transports
from ai.llm.specs import ModelSpec

if TYPE_CHECKING:
    import httpx
    from pydantic_ai._run_context import RunContext

_FINISHES: dict[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_call",
    "ERROR": "error",
    "TIMEOUT": "error",
}

#: pydantic-ai's setting → Cohere's parameter.
_KNOBS = {
    "max_tokens": "max_tokens",
    "stop_sequences": "stop_sequences",
    "temperature": "temperature",
    "top_p": "p",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}


def build_cohere(spec: ModelSpec, http_client: httpx.AsyncClient, settings: ModelSettings) -> StreamingCohereModel:
    """The model on `http_client`, without retries."""
    sdk = AsyncClientV2(
        api_key=spec.key(),
        base_url=spec.url(),
        httpx_client=http_client,
        max_retries=0,
        timeout=transports.read_seconds(spec.settings),
        log_warning_experimental_features=False,
    )
    return StreamingCohereModel(spec.model, provider=CohereProvider(cohere_client=sdk), settings=settings)


@contextmanager
def _map_errors(model_name: str) -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        if error.status_code and error.status_code >= 400:
            raise ModelHTTPError(status_code=error.status_code, model_name=model_name, body=error.body) from error
        raise ModelAPIError(model_name=model_name, message=str(error)) from error


class StreamingCohereModel(CohereModel):
    """pydantic-ai's Cohere model that also streams."""

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncIterator[StreamedResponse]:
        """Stream an answer; a setting that Cohere lacks is ignored."""
        check_allow_model_requests()
        settings, parameters = self.prepare_request(model_settings, model_request_parameters)
        given: dict[str, Any] = dict(settings or {})
        options = {theirs: given[ours] for ours, theirs in _KNOBS.items() if given.get(ours) is not None}
        if tools := self._get_tools(parameters):
            options["tools"] = tools
            if not parameters.allow_text_output:
                options["tool_choice"] = "REQUIRED"
        source = self.client.chat_stream(
            model=self.model_name, messages=self._map_messages(messages, parameters), **options
        )
        async with aclosing(source):  # type: ignore[type-var]  # an async generator, typed as an iterator
            yield CohereStreamedResponse(
                model_request_parameters=parameters,
                _model_name=self.model_name,
                _source=source,
                _provider_url=self.base_url,
            )


@dataclass
class CohereStreamedResponse(StreamedResponse):
    """An answer of Cohere's while it arrives."""

    _model_name: str
    _source: AsyncIterator[Any]
    _provider_url: str
    _timestamp: datetime = field(default_factory=now_utc)

    async def close_stream(self) -> None:
        """Close the connection."""
        await self._source.aclose()  # type: ignore[attr-defined]

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        with _map_errors(self._model_name):
            async for event in self._source:
                for found in self._handle(event):
                    yield found
        # The SDK skips what it cannot read, the end of the message included.
        if self.provider_details is None:
            raise UnexpectedModelBehavior("Cohere's answer ended in the middle.")

    def _handle(self, event: Any) -> Iterator[ModelResponseStreamEvent]:
        message = getattr(getattr(event, "delta", None), "message", None)
        match event.type:
            case "message-start":
                self.provider_response_id = event.id
            case "content-start" | "content-delta" if message and message.content:
                yield from self._content(event.index, message.content)
            case "tool-call-start" | "tool-call-delta" if message and message.tool_calls:
                yield from self._tool_call(event.index, message.tool_calls)
            case "message-end" if event.delta:
                self._finish(event.delta)
            case _:
                pass

    def _content(self, index: int | None, content: Any) -> Iterator[ModelResponseStreamEvent]:
        if content.thinking:
            yield from self._parts_manager.handle_thinking_delta(vendor_part_id=index, content=content.thinking)
        if content.text:
            yield from self._parts_manager.handle_text_delta(vendor_part_id=index, content=content.text)

    def _tool_call(self, index: int | None, call: Any) -> Iterator[ModelResponseStreamEvent]:
        function = call.function
        found = self._parts_manager.handle_tool_call_delta(
            vendor_part_id=f"tool-{index}",
            tool_name=getattr(function, "name", None),
            args=function.arguments if function else None,
            tool_call_id=getattr(call, "id", None),
        )
        if found is not None:
            yield found

    def _finish(self, delta: Any) -> None:
        if delta.error:
            raise ModelAPIError(model_name=self._model_name, message=delta.error)
        self.provider_details = {"finish_reason": delta.finish_reason}
        self.finish_reason = _FINISHES.get(delta.finish_reason or "")
        tokens = delta.usage.tokens if delta.usage else None
        self._usage = RequestUsage(
            input_tokens=int(tokens.input_tokens or 0) if tokens else 0,
            output_tokens=int(tokens.output_tokens or 0) if tokens else 0,
            cache_read_tokens=int(delta.usage.cached_tokens or 0) if delta.usage else 0,
        )

    @property
    def model_name(self) -> str:
        """The model's name."""
        return self._model_name

    @property
    def provider_name(self) -> str:
        """Always `cohere`."""
        return "cohere"

    @property
    def provider_url(self) -> str:
        """Where the model lives."""
        return self._provider_url

    @property
    def timestamp(self) -> datetime:
        """When the answer began."""
        return self._timestamp
