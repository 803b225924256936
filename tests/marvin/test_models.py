"""Marvin agents as models: chosen by alias, answering in memory, their own tools shown and never executed in a replay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
from pydantic_ai.messages import InstructionPart, ModelMessage, ModelRequest, SystemPromptPart, TextPart, UserPromptPart
from pydantic_ai.models import ModelRequestParameters, override_allow_model_requests
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.usage import RequestUsage

from ai import checks, llm
from ai.exceptions import Misconfigured, NotFound, UnsupportedByModel
from ai.llm import ModelSpec
from ai.services import language_models
from tests import factories
from tests.fakes.vendors import Reply, VendorServer
from tests.marvin import agents

HERE = "tests.marvin.agents"
ASKED: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart("Where is it?")])]


@pytest.fixture(autouse=True)
async def _closing() -> AsyncIterator[None]:
    yield
    await llm.aclose()


def spec(name: str) -> ModelSpec:
    return ModelSpec(alias=name, provider=llm.AGENT, model=f"{HERE}.{name}")


async def answer(name: str, **parameters: Any) -> Any:
    return await llm.resolve(spec(name)).request(ASKED, None, ModelRequestParameters(**parameters))


def text_of(response: Any) -> str:
    return "".join(part.content for part in response.parts if isinstance(part, TextPart))


class TestChoosing:
    def test_by_alias(self, settings: Any, db: None) -> None:
        settings.AI_AGENTS = {"support": f"{HERE}.support", "sales": f"{HERE}.sales"}

        assert llm.spec("support") == spec("support")
        assert llm.spec("sales") == spec("sales")
        with pytest.raises(NotFound):
            llm.spec("nobody")

    def test_is_offered_after_the_models(self, settings: Any, db: None) -> None:
        settings.AI_AGENTS = {"fast": f"{HERE}.sales", "support": f"{HERE}.support"}
        factories.language_model(alias="fast")

        offered = language_models.choices()

        assert [(choice.alias, choice.provider) for choice in offered] == [
            ("fast", "openai-compatible"), ("support", "agent")
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("support", "no dotted path"),
            ("tests.marvin.nowhere.support", "there is no module tests.marvin.nowhere"),
            ("nowhere.at.all.support", "the packages around nowhere.at.all cannot be imported"),
        ],
    )
    async def test_what_is_nowhere_says_so_at_once(self, settings: Any, path: str, words: str) -> None:
        settings.AI_AGENTS = {"support": path}

        with pytest.raises(Misconfigured, match=words):
            llm.resolve(ModelSpec(alias="support", provider=llm.AGENT, model=path))
        [problem] = checks.settings_are_valid(None)
        assert problem.id == "ai.E003"
        assert words in problem.msg
        assert "marvin.Agent" in str(problem.hint)

    @pytest.mark.parametrize(("name", "words"), [("not_an_agent", "that is a int"), ("nobody", "has no nobody")])
    async def test_what_is_no_agent_says_so_when_it_is_asked(self, name: str, words: str) -> None:
        with pytest.raises(Misconfigured, match=words):
            await answer(name)

    async def test_a_module_that_fails_is_named(self) -> None:
        path = "tests.marvin.broken.support"

        with pytest.raises(Misconfigured, match=r"tests\.marvin\.broken cannot be imported: ZeroDivisionError"):
            await llm.resolve(ModelSpec(alias="x", provider=llm.AGENT, model=path)).request(
                ASKED, None, ModelRequestParameters()
            )


class TestAnswering:
    async def test_streams_its_text(self) -> None:
        pieces: list[Any] = []

        async with llm.resolve(spec("sales")).request_stream(ASKED, None, ModelRequestParameters()) as stream:
            async for event in stream:
                if event.event_kind == "part_start" and isinstance(event.part, TextPart):
                    pieces.append(event.part.content)
                elif event.event_kind == "part_delta":
                    pieces.append(getattr(event.delta, "content_delta", ""))

        assert len(pieces) > 1
        assert "".join(pieces) == "We have three of them."
        assert (stream.finish_reason, stream.model_name, stream.provider_name) == ("stop", "script", "agent")

    async def test_uses_its_own_tools_and_shows_it(self) -> None:
        response = await answer("support")

        assert [part.part_kind for part in response.parts] == ["builtin-tool-call", "builtin-tool-return", "text"]
        assert response.parts[0].args_as_dict() == {"order": 7}
        assert response.parts[1].content == text_of(response) == "Order 7 left Hamburg."
        assert not response.tool_calls
        assert response.usage.output_tokens > 0

    async def test_says_what_it_ends_with_once(self) -> None:
        response = await answer("chatty")

        assert [part.content for part in response.parts if isinstance(part, TextPart)] == ["Let me see.", "In Hamburg."]

    async def test_counts_what_all_its_requests_used(self) -> None:
        once, twice = await answer("sales"), await answer("support")

        assert twice.usage.input_tokens == 2 * once.usage.input_tokens

    async def test_may_be_made_by_a_function(self) -> None:
        assert text_of(await answer("make_support")) == "Made for you."

    async def test_may_answer_in_plain_text(self) -> None:
        assert text_of(await answer("plain")) == "Just text."

    async def test_is_told_what_the_run_and_its_author_say(self) -> None:
        agents.read(agents.sales).clear()
        told: list[ModelMessage] = [ModelRequest(parts=[SystemPromptPart("A shop."), UserPromptPart("Hi")])]
        await llm.resolve(spec("sales")).request(
            told, {"temperature": 0.1}, ModelRequestParameters(instruction_parts=[InstructionPart("Be brief.")])
        )

        [[request]] = agents.read(agents.sales)
        assert request.parts == told[0].parts
        instructions = str(getattr(request, "instructions", ""))
        assert "You help the customers of a shop." in instructions
        assert "Be brief." in instructions

    async def test_passes_calls_of_the_clients_tools_on(self) -> None:
        tool = ToolDefinition(name="open_door", parameters_json_schema={"type": "object", "properties": {}})

        response = await answer("porter", function_tools=[tool])

        assert [call.tool_name for call in response.tool_calls] == ["open_door"]
        assert response.finish_reason == "tool_call"

    async def test_cannot_be_held_to_a_tool(self) -> None:
        tool = ToolDefinition(name="final", parameters_json_schema={"type": "object", "properties": {}}, kind="output")

        with pytest.raises(UnsupportedByModel, match="answers in words"):
            await answer("sales", output_tools=[tool], output_mode="tool", allow_text_output=False)

    async def test_tools_that_somebody_answers_are_not_executed(self) -> None:
        agents.looked_up.clear()
        asked = []

        async def recorded(name: str, arguments: str) -> str:
            asked.append((name, arguments))
            return "As it was then."

        model = llm.answered(llm.resolve(spec("support")), recorded)
        response = await model.request(ASKED, None, ModelRequestParameters())

        assert (asked, agents.looked_up) == ([("look_up", '{"order": 7}')], [])
        assert text_of(response) == "As it was then."

    async def test_stops_when_nobody_listens(self) -> None:
        agents.waiting.clear()

        async with llm.resolve(spec("sleeper")).request_stream(ASKED, None, ModelRequestParameters()) as stream:
            async for _ in stream:
                break

        await asyncio.sleep(0)
        assert agents.waiting == ["began", "stopped"]

    async def test_remembers_what_its_memory_says(self) -> None:
        await answer("rememberer")

        [[request]] = agents.read(agents.rememberer)
        assert "Anna likes blue" in str(getattr(request, "instructions", ""))


class TestOnAVendorsModel:
    @pytest.fixture
    def server(self) -> Iterator[VendorServer]:
        with VendorServer() as running, override_allow_model_requests(True):
            yield running

    async def test_named_by_provider_it_has_a_client_of_ours(
        self, server: VendorServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OLLAMA_BASE_URL", server.url("ollama"))
        server.script(Reply(chunks=("Hel", "lo")))

        assert text_of(await answer("on_ollama")) == "Hello"

        assert server.requests[0].json["model"] == "qwen3"
        assert llm.cost(spec("on_ollama"), RequestUsage(input_tokens=1_000)) == Decimal(0)

    async def test_of_which_nobody_knows_the_price_it_has_none(self) -> None:
        await answer("sales")

        assert llm.cost(spec("sales"), RequestUsage(input_tokens=1_000)) is None
        assert llm.cost(spec("never_asked"), RequestUsage(input_tokens=1_000)) is None
