"""Marvin agents on models that follow a script; `AI_AGENTS` may name what is here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import marvin
from marvin.memory.memory import MemoryProvider
from pydantic_ai.messages import ModelMessage, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from ai import tenancy

#: What Marvin and pydantic-ai 1.94 say about each other.
KNOWN_WARNINGS = (
    "ignore:`result` is deprecated, use `part` instead:DeprecationWarning:marvin",
    "ignore:`Usage` is deprecated, use `RunUsage` instead:DeprecationWarning",
)

#: The orders that tools have been asked about, in order.
looked_up: list[int] = []


def look_up(order: int) -> str:
    """Where an order is."""
    looked_up.append(order)
    if order < 0:
        raise LookupError("no such order")
    return f"Order {order} left Hamburg."


def scripted(*answers: Any, name: str = "script") -> FunctionModel:
    """A model that gives one answer after the other, the last one again and again.

    An answer is a text that ends Marvin's task, or all arguments of the tool that ends it, (tool, arguments) for a call of
    another one, a list of such calls, an exception to raise, or a function of the messages that gives one of these.
    """
    left = list(answers)
    read: list[list[ModelMessage]] = []

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        read.append(list(messages))
        answer = left.pop(0) if len(left) > 1 else left[0]
        if callable(answer):
            answer = answer(messages)
        if isinstance(answer, BaseException):
            raise answer
        for piece in _pieces(answer, info):
            yield piece

    model = FunctionModel(stream_function=stream, model_name=name)
    model.read = read  # type: ignore[attr-defined]
    return model


def _pieces(answer: Any, info: AgentInfo) -> list[dict[int, DeltaToolCall]]:
    if isinstance(answer, str | dict):
        text = json.dumps({"result": answer} if isinstance(answer, str) else answer)
        half = len(text) // 2
        return [{0: DeltaToolCall(info.output_tools[0].name, text[:half])}, {0: DeltaToolCall(json_args=text[half:])}]
    calls: Sequence[tuple[str, Any]] = answer if isinstance(answer, list) else [answer]
    return [{place: DeltaToolCall(name, json.dumps(given))} for place, (name, given) in enumerate(calls)]


def agent(*answers: Any, **more: Any) -> marvin.Agent:
    """An agent on a scripted model."""
    given: dict[str, Any] = {"name": "Support", "instructions": "You help the customers of a shop.", **more}
    return marvin.Agent(model=scripted(*answers), **given)


def read(made: marvin.Agent) -> list[list[ModelMessage]]:
    """What the agent's model was asked, request by request."""
    found: list[list[ModelMessage]] = made.model.read  # type: ignore[union-attr]
    return found


def question(messages: Sequence[ModelMessage]) -> str:
    """The last thing that a user said."""
    parts = [part for message in messages for part in message.parts if isinstance(part, UserPromptPart)]
    content = parts[-1].content
    return content if isinstance(content, str) else "\n\n".join(item for item in content if isinstance(item, str))


def results(messages: Sequence[ModelMessage]) -> list[str]:
    """What tools have returned."""
    return [str(part.content) for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]


def looks_up_first(messages: Sequence[ModelMessage]) -> Any:
    """Look order 7 up, then say what was found."""
    found = results(messages)
    return found[-1] if found else ("look_up", {"order": 7})


support = agent(looks_up_first, tools=[look_up])
sales = agent("We have three of them.", name="Sales")
not_an_agent = 7


def make_support() -> marvin.Agent:
    """An agent made anew each time."""
    return agent("Made for you.")


async def _plain(_messages: list[ModelMessage], _info: AgentInfo) -> AsyncIterator[str]:
    yield "Just "
    yield "text."


async def _chatty(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    if not results(messages):
        yield "Let me see."
        yield {1: DeltaToolCall("look_up", '{"order": 7}')}
    else:
        yield "In Hamburg."
        yield {1: DeltaToolCall(info.output_tools[0].name, '{"result": "In Hamburg."}')}


chatty = marvin.Agent(name="Chatty", tools=[look_up], model=FunctionModel(stream_function=_chatty))
plain = marvin.Agent(name="Plain", model=FunctionModel(stream_function=_plain))
porter = agent(("open_door", {}), name="Porter")

#: What has become of `sleeper`.
waiting: list[str] = []


async def _sleep() -> str:
    """Sleep for ever."""
    waiting.append("began")
    try:
        await asyncio.sleep(60)
    finally:
        waiting.append("stopped")
    return ""


sleeper = agent(("_sleep", {}), tools=[_sleep], name="Sleeper")
on_ollama = marvin.Agent(name="On Ollama", model="ollama:qwen3")  # type: ignore[arg-type]


class Diary(MemoryProvider):
    """Remembers one thing, whatever it is told."""

    async def add(self, memory_key: str, content: str) -> str:
        return "1"

    async def delete(self, memory_key: str, memory_id: str) -> None:
        """It stays."""

    async def search(self, memory_key: str, query: str, n: int = 20) -> dict[str, str]:
        return {"1": f"{query} Anna likes blue."}


rememberer = agent("Blue.", memories=[marvin.Memory("diary", provider=Diary(), auto_use=True)], name="Rememberer")


def whose_is_it() -> str:
    """Whose data this is."""
    return str(tenancy.get_current_tenant_id())


def _says_whose(messages: Sequence[ModelMessage]) -> Any:
    found = results(messages)
    return found[-1] if found else ("whose_is_it", {})


clerk = agent(_says_whose, tools=[whose_is_it], name="Clerk")
