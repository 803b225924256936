"""Answering tool calls from what was recorded."""

from __future__ import annotations

from typing import Any

import pytest

from ai.runner.tools import Live, Recorded, recording_of, recording_of_steps
from ai.tools import Registry

CALL: dict[str, Any] = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}


class TestRecorded:
    async def test_gives_several_results_in_order_and_then_the_last_again(self) -> None:
        box = Recorded([("t", "{}", "one"), ("t", "{ }", "two")])

        outputs = [answer.output for _ in range(3) if (answer := await box.answer("t", "{}"))]

        assert outputs == ["one", "two", "two"]

    async def test_prefers_the_replayed_answer_to_what_came_before(self) -> None:
        box = Recorded([("t", "{}", "now")], earlier=[("t", "{}", "old"), ("u", "{}", "first"), ("u", "{}", "last")])

        answers = [await box.answer(name, "{}") for name in ("t", "u")]

        assert [answer and answer.output for answer in answers] == ["now", "last"]

    async def test_other_arguments_are_another_call(self) -> None:
        answer = await Recorded([("t", '{"a":1}', "one")]).answer("t", '{"a":2}')

        assert answer is not None
        assert answer.recorded is False
        assert answer.failed


class TestLive:
    @pytest.fixture
    def box(self) -> Live:
        registry = Registry()

        def slow() -> str:
            raise TimeoutError

        def broken(x: int) -> str:
            raise KeyError("a secret")

        registry.add(slow)
        registry.add(broken)
        return Live(registry)

    @pytest.mark.parametrize(
        ("name", "arguments", "said"),
        [
            ("slow", "{}", "took longer than 30 seconds"),
            ("broken", "{}", "arguments of broken are wrong: x: Field required"),
            ("broken", '{"x": 1}', "Error: broken failed (KeyError)."),
        ],
    )
    async def test_tells_the_model_what_went_wrong(self, box: Live, name: str, arguments: str, said: str) -> None:
        answer = await box.answer(name, arguments)

        assert answer is not None
        assert answer.failed
        assert said in answer.output
        assert "secret" not in answer.output

    async def test_leaves_other_functions_to_the_client(self, box: Live) -> None:
        assert await box.answer("unknown", "{}") is None


class TestRecordings:
    def test_pairs_calls_and_results_of_messages(self) -> None:
        messages: list[dict[str, Any]] = [
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "rain"}]},
            {"role": "tool", "tool_call_id": "unknown", "content": "lost"},
        ]

        assert recording_of(messages) == [("weather", '{"city":"Oslo"}', "rain")]

    def test_reads_the_steps_of_the_assistants_api(self) -> None:
        function = {**CALL["function"], "output": "rain"}
        details = [{"type": "tool_calls", "tool_calls": [{"type": "function", "function": function}, CALL, None]}, {}]

        assert recording_of_steps(details) == [("weather", '{"city":"Oslo"}', "rain")]
