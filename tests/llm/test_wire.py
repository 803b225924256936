"""Every provider family on the wire: a scripted server speaks the vendor's real format."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    SystemPromptPart,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from ai import llm
from ai.exceptions import ModelError
from tests.fakes.vendors import VENDORS, Call, Failure, Reply, VendorServer
from tests.llm.conftest import KEY, spec_of

pytestmark = pytest.mark.usefixtures("closing")
FAMILIES = sorted(VENDORS)
every_family = pytest.mark.parametrize("family", FAMILIES)

QUESTION: list[ModelMessage] = [
    ModelRequest(parts=[SystemPromptPart("Be brief."), UserPromptPart("How is the weather?")])
]
WEATHER = ToolDefinition(
    name="weather",
    description="The weather in a city.",
    parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
TOOLS = ModelRequestParameters(function_tools=[WEATHER])
CALL = Call("weather", '{"city": "Łódź"}')


@dataclass
class Seen:
    """What came out of a stream."""

    response: ModelResponse | None = None
    deltas: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text of the folded response."""
        return (
            "".join(part.content for part in self.response.parts if isinstance(part, TextPart)) if self.response else ""
        )


async def stream(
    model: Model,
    messages: list[ModelMessage] = QUESTION,
    parameters: ModelRequestParameters | None = None,
    settings: ModelSettings | None = None,
    seen: Seen | None = None,
) -> Seen:
    """Read a whole stream; errors arrive translated."""
    seen = seen or Seen()
    try:
        async with model.request_stream(messages, settings, parameters or ModelRequestParameters()) as response:
            async for event in response:
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart) and event.part.content:
                    seen.deltas.append(event.part.content)
                if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    seen.deltas.append(event.delta.content_delta)
    except Exception as error:
        raise llm.translate(error) from error
    seen.response = response.get()
    return seen


async def failure_of(model: Model, seen: Seen | None = None) -> ModelError:
    """The error that a stream ends with."""
    with pytest.raises(ModelError) as caught:
        await stream(model, seen=seen)
    return caught.value


@every_family
class TestAnswers:
    async def test_streams_text_as_it_comes(self, vendors: VendorServer, family: str) -> None:
        vendors.script(Reply(chunks=("Grüße", ", ", "世界", "!"), chunk_delay=0.001, cached_tokens=3))

        seen = await stream(llm.resolve(spec_of(vendors, family)))

        assert seen.deltas == ["Grüße", ", ", "世界", "!"]
        assert seen.text == "Grüße, 世界!"
        assert seen.response is not None
        assert seen.response.finish_reason == "stop"

    async def test_counts_tokens(self, vendors: VendorServer, family: str) -> None:
        vendors.script(Reply(prompt_tokens=11, completion_tokens=7, cached_tokens=3))

        seen = await stream(llm.resolve(spec_of(vendors, family)))

        assert seen.response is not None
        usage = seen.response.usage
        assert (usage.input_tokens, usage.output_tokens) == (11, 7)

    async def test_answers_in_one_piece(self, vendors: VendorServer, family: str) -> None:
        vendors.script(Reply(chunks=("Sunny", ".")))

        response = await llm.resolve(spec_of(vendors, family)).request(QUESTION, None, ModelRequestParameters())

        assert [part.content for part in response.parts if isinstance(part, TextPart)] == ["Sunny."]
        assert response.usage.output_tokens == 7

    async def test_streams_a_tool_call(self, vendors: VendorServer, family: str) -> None:
        vendors.script(Reply(chunks=(), calls=(CALL,)))

        seen = await stream(llm.resolve(spec_of(vendors, family)), parameters=TOOLS)

        assert seen.response is not None
        [call] = [part for part in seen.response.parts if isinstance(part, ToolCallPart)]
        assert (call.tool_name, call.args_as_dict()) == ("weather", {"city": "Łódź"})

    async def test_calls_a_tool_in_one_piece(self, vendors: VendorServer, family: str) -> None:
        vendors.script(Reply(chunks=(), calls=(CALL,)))

        response = await llm.resolve(spec_of(vendors, family)).request(QUESTION, None, TOOLS)

        [call] = [part for part in response.parts if isinstance(part, ToolCallPart)]
        assert (call.tool_name, call.args_as_dict()) == ("weather", {"city": "Łódź"})

    async def test_sends_history_tools_settings_and_key(self, vendors: VendorServer, family: str) -> None:
        history: list[ModelMessage] = [
            *QUESTION,
            ModelResponse(parts=[ToolCallPart("weather", {"city": "Łódź"}, tool_call_id="call_1")]),
            ModelRequest(parts=[ToolReturnPart("weather", "14 °C and rain", tool_call_id="call_1")]),
        ]

        await stream(
            llm.resolve(spec_of(vendors, family, settings={"temperature": 0.25}, headers={"x-team": "blue"})),
            history,
            TOOLS,
            ModelSettings(max_tokens=99),
        )

        [request] = vendors.requests
        sent = request.body.decode()
        for word in ("Be brief.", "How is the weather?", "14 °C and rain", "The weather in a city.", "0.25", "99"):
            assert word in sent or word.encode("ascii", "backslashreplace").decode() in sent.replace("\\u00b0", "\\xb0")
        assert VENDORS[family].key(request) == KEY
        assert request.model.endswith("some-model")
        if family != "bedrock":
            assert request.headers["x-team"] == "blue"

    async def test_tells_that_an_answer_was_cut(self, vendors: VendorServer, family: str) -> None:
        vendors.script(Reply(finish="length"))

        seen = await stream(llm.resolve(spec_of(vendors, family)))

        assert seen.response is not None
        assert seen.response.finish_reason == "length"

    async def test_an_empty_answer_is_empty_or_an_error_worth_a_retry(self, vendors: VendorServer, family: str) -> None:
        vendors.script(Reply(chunks=(), completion_tokens=0))

        try:
            outcome: Seen | ModelError = await stream(llm.resolve(spec_of(vendors, family)))
        except ModelError as error:
            outcome = error

        if isinstance(outcome, Seen):
            assert outcome.text == ""
        else:
            assert (outcome.code, outcome.retryable) == ("server_error", True)


REFUSALS = [
    ("rate_limit", "rate_limit_exceeded", True),
    ("server_error", "server_error", True),
    ("context", "context_length_exceeded", False),
    ("unauthorized", "authentication_failed", False),
    ("no_model", "model_not_found", False),
    ("redirect", "server_error", False),
]


@every_family
class TestRefusals:
    @pytest.mark.parametrize(("kind", "code", "retryable"), REFUSALS, ids=[kind for kind, _, _ in REFUSALS])
    async def test_becomes_a_code_and_words(
        self, vendors: VendorServer, family: str, kind: Any, code: str, *, retryable: bool
    ) -> None:
        vendors.script(Failure(kind, retry_after=2.0 if kind == "rate_limit" else None))

        error = await failure_of(llm.resolve(spec_of(vendors, family)))

        assert (error.code, error.retryable) == (code, retryable)
        assert error.retry_after == (2.0 if kind == "rate_limit" else None)
        assert len(error.message) > 30
        assert KEY not in error.message

    async def test_is_not_tried_again_by_the_sdk(self, vendors: VendorServer, family: str) -> None:
        vendors.script(Failure("server_error"))

        await failure_of(llm.resolve(spec_of(vendors, family)))

        assert len(vendors.requests) == 1

    async def test_translates_in_one_piece_too(self, vendors: VendorServer, family: str) -> None:
        vendors.script(Failure("rate_limit", retry_after=3))

        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the vendor's SDK raises
            await llm.resolve(spec_of(vendors, family)).request(QUESTION, None, ModelRequestParameters())

        error = llm.translate(caught.value)
        assert (error.code, error.retry_after) == ("rate_limit_exceeded", 3.0)


@every_family
class TestBrokenStreams:
    @pytest.mark.parametrize("broken", ["disconnect", "garbage", "error"])
    async def test_a_break_in_the_middle_is_a_server_error(
        self, vendors: VendorServer, family: str, broken: Any
    ) -> None:
        vendors.script(Reply(chunks=("one ", "two ", "three"), broken=broken, broken_after=2, chunk_delay=0.005))
        seen = Seen()

        error = await failure_of(llm.resolve(spec_of(vendors, family)), seen)

        assert (error.code, error.retryable) == ("server_error", True)
        assert "".join(seen.deltas).startswith("one ")

    async def test_a_slow_first_byte_is_a_timeout(self, vendors: VendorServer, family: str) -> None:
        vendors.script(Reply(first_byte_delay=5))

        error = await failure_of(llm.resolve(spec_of(vendors, family, settings={"timeout": 0.2})))

        assert (error.code, error.retryable) == ("timeout", True)

    @pytest.mark.parametrize("slow", [Reply(first_byte_delay=30), Reply(chunks=("a", "b"), chunk_delay=30)])
    async def test_a_cancelled_task_hangs_up_at_once(self, vendors: VendorServer, family: str, slow: Reply) -> None:
        vendors.script(slow)
        task = asyncio.create_task(stream(llm.resolve(spec_of(vendors, family))))
        while not vendors.requests:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)

        begun = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert await asyncio.to_thread(vendors.requests[0].wait_for_hang_up)
        assert time.monotonic() - begun < 1

    async def test_leaving_the_stream_hangs_up_at_once(self, vendors: VendorServer, family: str) -> None:
        vendors.script(Reply(chunks=("a", "b", "c", "d"), chunk_delay=0.05))
        begun = 0.0

        async with llm.resolve(spec_of(vendors, family)).request_stream(
            QUESTION, None, ModelRequestParameters()
        ) as response:
            async for _event in response:
                begun = time.monotonic()
                break

        assert await asyncio.to_thread(vendors.requests[0].wait_for_hang_up)
        assert time.monotonic() - begun < 1


@every_family
async def test_a_loop_carries_many_at_once(vendors: VendorServer, family: str) -> None:
    vendors.script(Reply(first_byte_delay=0.1))
    model = llm.resolve(spec_of(vendors, family))

    found = await asyncio.gather(*(stream(model) for _ in range(10)))

    assert [seen.text for seen in found] == ["Hello there."] * 10
