"""Models that stream: an answer in one piece is the folded stream, so that there is one way to test."""

from __future__ import annotations

from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings


class Folding(Model):
    """Goes before the class that streams."""

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The folded stream."""
        async with self.request_stream(messages, model_settings, model_request_parameters) as stream:
            async for _event in stream:
                pass
        return stream.get()
