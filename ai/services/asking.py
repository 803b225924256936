"""
Asking a model through Marvin: counted, bounded, and kept nowhere.

Importing this brings Marvin and pydantic-ai along.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import marvin
from marvin.engine.llm import PydanticAIMessage
from marvin.thread import Message as MarvinMessage
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, SystemPromptPart
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from ai import conf, llm
from ai.exceptions import ModelError
from ai.runner import retry
from ai.runner.order import Limits

#: Marvin warns, twice a task, of pydantic-ai's events that it does not know. It does not need them.
logging.getLogger("marvin.engine.streaming").setLevel(logging.ERROR)

MOST_ANSWERS = 4
LONGEST_WAIT = 6.0


async def patiently(ask: Callable[[], Awaitable[None]]) -> None:
    """Ask again where that can help. A vendor that asks for a pause gets it, as far as a worker may be silent meanwhile."""
    limits = Limits(retries=conf.current().model_retries, longest_wait_seconds=LONGEST_WAIT)
    for attempt in itertools.count(1):
        try:
            return await ask()
        except Exception as error:
            pause = retry.delay(llm.translate(error), attempt=attempt, limits=limits)
            if pause is None:
                raise
        await asyncio.sleep(pause)
    return None


class Metered(WrapperModel):
    """Counts what a model uses, and stops asking when it does not come to an end."""

    def __init__(self, wrapped: Model, *, most_answers: int = MOST_ANSWERS) -> None:
        super().__init__(wrapped)
        self._most = most_answers
        self.used = RequestUsage()
        self.answers = 0

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """As the wrapped model does it."""
        self._check()
        response = await super().request(messages, model_settings, model_request_parameters)
        self.answers += 1
        self.used = self.used + response.usage
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: Any = None,
    ) -> AsyncIterator[StreamedResponse]:
        """As the wrapped model does it."""
        self._check()
        async with super().request_stream(messages, model_settings, model_request_parameters, run_context) as stream:
            self.answers += 1
            try:
                yield stream
            finally:
                self.used = self.used + stream.usage()

    def _check(self) -> None:
        if self.answers >= self._most:
            raise ModelError("The model did not come to an end.")


class Passing(marvin.Thread):
    """A thread that is kept nowhere: what people said in a conversation is not Marvin's to keep."""

    def __post_init__(self) -> None:
        super().__post_init__()  # type: ignore[no-untyped-call]
        self._kept: list[MarvinMessage] = []

    async def add_messages_async(self, messages: list[PydanticAIMessage]) -> list[MarvinMessage]:
        """Keep messages while the task goes on."""
        added = [MarvinMessage(thread_id=self.id, message=message) for message in messages]
        self._kept += added
        return added

    async def get_messages_async(
        self,
        before: datetime | None = None,
        after: datetime | None = None,
        limit: int | None = None,
        include_system_messages: bool = False,
    ) -> list[MarvinMessage]:
        """The messages in order."""
        found = [each for each in self._kept if include_system_messages or not _is_prompt(each.message)]
        return found if limit is None else found[max(0, len(found) - limit) :]


def _is_prompt(message: ModelMessage) -> bool:
    return isinstance(message, ModelRequest) and any(isinstance(part, SystemPromptPart) for part in message.parts)
