"""Orders for the runner, on models that ship with pydantic-ai and on the scripted server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage, ModelRequest, ToolReturnPart
from pydantic_ai.models import Model, override_allow_model_requests
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from ai import ids, llm
from ai.events import StreamEvent
from ai.llm import ModelSpec
from ai.runner import Limits, Order, Runner
from tests.fakes.vendors import VendorServer

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
QUICK = Limits(seconds=20, first_token_seconds=10, backoff_seconds=0.001)

#: What a run sends when it begins, for a message, and for a call of a tool.
BEGIN = ["run.created", "run.queued", "run.in_progress"]
MESSAGE = ["run.step.created", "run.step.in_progress", "message.created", "message.in_progress"]
CALL = ["run.step.created", "run.step.in_progress", "run.step.delta", "run.step.delta"]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]


@pytest.fixture(scope="session")
def server() -> Iterator[VendorServer]:
    """Every vendor, on one loopback port."""
    with VendorServer() as running:
        yield running


@pytest.fixture
async def vendors(server: VendorServer) -> AsyncIterator[VendorServer]:
    """The server without a script, and its clients closed when the test ends."""
    server.clear()
    with override_allow_model_requests(True):
        yield server
        await llm.aclose()


def scripted(server: VendorServer) -> Model:
    """An OpenAI-compatible model on the scripted server."""
    spec = ModelSpec(alias="m", provider="openai-compatible", model="m", base_url=server.url("openai-compatible"))
    return llm.resolve(spec)


def saying(*pieces: str) -> Model:
    """A model that says this."""

    async def stream(_messages: Any, _info: Any) -> AsyncIterator[str]:
        for piece in pieces:
            yield piece

    return FunctionModel(stream_function=stream)


def acting(function: Callable[..., Any]) -> Model:
    """A model that does what the function of the messages and the request's information yields."""
    return FunctionModel(stream_function=function)


async def one_call(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[Any]:
    """A model that asks for the weather in Oslo, and says what it was told."""
    last = messages[-1]
    results = [p for p in last.parts if isinstance(p, ToolReturnPart)] if isinstance(last, ModelRequest) else []
    if results:
        yield f"It is {results[0].content}"
        return
    yield {0: DeltaToolCall(name="weather", json_args='{"city":', tool_call_id="c1")}
    yield {0: DeltaToolCall(json_args='"Oslo"}')}


def order(model: Model, **values: Any) -> Order:
    """What a run is to do."""
    fixed: dict[str, Any] = {"history": [{"role": "user", "content": "Hi"}], "limits": QUICK, "alias": "m"}
    return Order(run_id=ids.new(), model=model, **(fixed | values))


def runner(model: Model, **values: Any) -> Runner:
    """A runner whose clock stands still."""
    return Runner(order(model, **values), now=lambda: AT)


async def names(run: Runner) -> list[str]:
    """The names of the run's events."""
    return [event.name.removeprefix("thread.") async for event in run.stream()]


async def events(run: Runner) -> list[StreamEvent]:
    """The run's events."""
    return [event async for event in run.stream()]
