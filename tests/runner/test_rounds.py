"""The loop's rounds: tools are called, answered, recorded, and the model is asked again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pydantic_ai.models.function import DeltaToolCall

from ai.runner import Limits
from ai.runner.tools import Live, Recorded
from ai.tools import Registry
from tests.fakes.vendors import Call, Reply, VendorServer
from tests.runner.conftest import BEGIN, CALL, MESSAGE, TOOLS, acting, names, one_call, runner, scripted


class Weather:
    """A registered function that counts its calls."""

    def __init__(self, *, safe_to_replay: bool = False) -> None:
        self.calls, self.registry = 0, Registry()
        self.registry.add(self.weather, safe_to_replay=safe_to_replay)

    def weather(self, city: str) -> str:
        """The weather."""
        self.calls += 1
        return f"sunny in {city}"


class TestTools:
    async def test_calls_a_registered_function_and_asks_again(self) -> None:
        tool = Weather()
        run = runner(acting(one_call), tools=TOOLS, toolbox=Live(tool.registry))

        told = await names(run)

        over = ["message.completed", "run.step.completed", "run.completed", "done"]
        deltas = ["message.delta"]
        assert told == [*BEGIN, *CALL, "run.step.completed", *MESSAGE, *deltas, *over]
        assert run.state.output[-1]["content"] == "It is sunny in Oslo"
        call = run.state.steps[0].json["step_details"]["tool_calls"][0]
        assert call["function"] == {"name": "weather", "arguments": '{"city":"Oslo"}', "output": "sunny in Oslo"}
        assert "recorded" not in call

    async def test_leaves_an_unknown_function_to_the_client(self) -> None:
        run = runner(acting(one_call), tools=TOOLS, toolbox=Live(Registry()))

        told = await names(run)

        assert told[-2:] == ["run.requires_action", "done"]
        wanted = run.state.required_action
        assert wanted is not None
        assert [c["function"]["name"] for c in wanted["submit_tool_outputs"]["tool_calls"]] == ["weather"]
        assert run.state.steps[0].json["status"] == "in_progress"

    async def test_a_replay_gets_the_recorded_result(self) -> None:
        tool = Weather()
        box = Recorded([("weather", '{ "city" : "Oslo" }', "rain")], registry=tool.registry)
        run = runner(acting(one_call), tools=TOOLS, toolbox=box)

        await names(run)

        assert run.state.output[-1]["content"] == "It is rain"
        assert run.state.output[1] == {
            "role": "tool",
            "tool_call_id": "c1",
            "name": "weather",
            "content": "rain",
            "recorded": True,
        }
        assert tool.calls == 0

    async def test_a_replay_without_a_recording_executes_nothing_and_says_so(self) -> None:
        tool = Weather()
        run = runner(acting(one_call), tools=TOOLS, toolbox=Recorded([], registry=tool.registry))

        await names(run)

        assert tool.calls == 0
        assert run.state.output[1]["recorded"] is False
        assert "No recorded result" in run.state.output[-1]["content"]
        assert run.state.steps[0].json["step_details"]["tool_calls"][0]["recorded"] is False

    async def test_a_replay_calls_what_is_safe_to_replay(self) -> None:
        tool = Weather(safe_to_replay=True)
        run = runner(acting(one_call), tools=TOOLS, toolbox=Recorded([], registry=tool.registry))

        await names(run)

        assert tool.calls == 1
        assert run.state.output[1]["recorded"] is False

    async def test_text_and_calls_of_one_answer_are_one_message(self, vendors: VendorServer) -> None:
        vendors.script(
            Reply(chunks=("Let me see.",), calls=(Call("weather", '{"city":"Oslo"}'),)), Reply(chunks=("Rain.",))
        )
        box = Recorded([("weather", '{"city":"Oslo"}', "rain")])
        run = runner(scripted(vendors), tools=TOOLS, toolbox=box)

        await names(run)

        assert [(m["role"], m["content"]) for m in run.state.output] == [
            ("assistant", "Let me see."),
            ("tool", "rain"),
            ("assistant", "Rain."),
        ]
        sent = vendors.requests[1].json["messages"]
        assert [m["role"] for m in sent] == ["user", "assistant", "tool"]
        assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"]

    async def test_stops_after_so_many_rounds(self) -> None:
        async def forever(_: Any, __: Any) -> AsyncIterator[Any]:
            yield {0: DeltaToolCall(name="weather", json_args="{}")}

        run = runner(acting(forever), toolbox=Recorded([]), limits=Limits(rounds=3))

        await names(run)

        assert (run.state.status, run.state.incomplete_reason) == ("incomplete", "max_rounds")
        assert len(run.state.steps) == 3

    async def test_stops_when_the_run_has_used_its_tokens(self, vendors: VendorServer) -> None:
        vendors.script(Reply(chunks=(), calls=(Call("weather"),), completion_tokens=300))
        settings = {"max_completion_tokens": 500}
        run = runner(scripted(vendors), tools=TOOLS, settings=settings, toolbox=Recorded([]))

        await names(run)

        assert (run.state.status, run.state.incomplete_reason) == ("incomplete", "max_completion_tokens")
        first, second = (request.json for request in vendors.requests)
        assert 500 in {first.get("max_tokens"), first.get("max_completion_tokens")}
        assert 200 in {second.get("max_tokens"), second.get("max_completion_tokens")}
