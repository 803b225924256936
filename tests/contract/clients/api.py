"""The API as a scenario gets it: clients that take nothing on trust, and what is asked of it again and again."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import openai
from openai import AsyncOpenAI, OpenAI

from tests.contract.clients import shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai.types.beta import Assistant, FunctionToolParam, Thread
    from openai.types.beta.threads import Message, Run

WEATHER: FunctionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
PACK: FunctionToolParam = {
    "type": "function",
    "function": {
        "name": "pack",
        "parameters": {"type": "object", "properties": {"weather": {"type": "string"}}, "required": ["weather"]},
    },
}
PATIENCE_SECONDS = 30
T = TypeVar("T")


class Api:
    """What a tenant's client and a stranger's can do at `url`.

    The clients validate each answer strictly against the SDK's types, and its JSON against the required keys of the
    Assistants API; they never try again, so that no error is hidden.
    """

    def __init__(self, url: str, key: str, strangers_key: str) -> None:
        self._url, self._key, self._strangers_key = url, key, strangers_key

    @cached_property
    def client(self) -> OpenAI:
        """A tenant's client."""
        return self.with_key(self._key)

    @cached_property
    def stranger(self) -> OpenAI:
        """Another tenant's client."""
        return self.with_key(self._strangers_key)

    def with_key(self, key: str) -> OpenAI:
        """A client with any key."""
        watching = openai.DefaultHttpxClient(event_hooks={"response": [shapes.look_at]})
        return OpenAI(
            base_url=self._url, api_key=key, max_retries=0, http_client=watching, _strict_response_validation=True
        )

    def asynchronous(self) -> AsyncOpenAI:
        """A tenant's client for the event loop of the caller."""
        return AsyncOpenAI(base_url=self._url, api_key=self._key, max_retries=0, _strict_response_validation=True)

    def assistant(self, **given: Any) -> Assistant:
        """A new assistant on a model of old."""
        return self.client.beta.assistants.create(**{"model": "gpt-4o", "name": "Ada", **given})

    def thread(self, *asks: str) -> Thread:
        """A new thread in which the user has said these."""
        return self.client.beta.threads.create(messages=[{"role": "user", "content": ask} for ask in asks])

    def run(self, ask: str, **assistant: Any) -> Run:
        """A run in a new thread, as far as it goes by itself."""
        thread, made = self.thread(ask), self.assistant(**assistant)
        return self.client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=made.id)

    def texts(self, thread_id: str) -> list[str]:
        """All that was said in a thread, oldest first."""
        return [text_of(each) for each in self.client.beta.threads.messages.list(thread_id=thread_id, order="asc")]

    def wait_for(self, run: Run, *statuses: str) -> Run:
        """The run when it is in one of these states."""

        def now() -> Run | None:
            seen = self.client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
            return seen if seen.status in statuses else None

        return until(now)


def text_of(message: Message) -> str:
    """A message's texts, joined."""
    return "".join(part.text.value for part in message.content if part.type == "text")


def until(ready: Callable[[], T | None]) -> T:
    """What `ready` gives as soon as it gives something."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = ready()
        if found is not None:
            return found
        assert time.monotonic() < end, f"not within {PATIENCE_SECONDS} s"
        time.sleep(0.05)
