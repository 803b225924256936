"""Stored messages become what providers accept."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from ai.runner import context

PIXEL = "data:image/png;base64,iVBORw0KGgo="


def call(call_id: str = "c1", name: str = "weather", arguments: Any = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def parts(*history: dict[str, Any]) -> list[Any]:
    return [part for message in context.messages(history) for part in message.parts]


class TestMessages:
    def test_gives_each_role_its_part(self) -> None:
        found = parts(
            {"role": "system", "content": "S"},
            {"role": "developer", "content": "D"},
            {"role": "user", "content": "U"},
            {"role": "assistant", "content": "A", "tool_calls": [call(arguments={"city": "Oslo"})]},
            {"role": "tool", "tool_call_id": "c1", "content": "rain"},
        )

        assert [type(part) for part in found] == [
            SystemPromptPart,
            SystemPromptPart,
            UserPromptPart,
            TextPart,
            ToolCallPart,
            ToolReturnPart,
        ]
        assert found[4].args == '{"city": "Oslo"}'
        assert (found[5].tool_name, found[5].tool_call_id, found[5].content) == ("weather", "c1", "rain")

    def test_joins_what_belongs_to_one_request(self) -> None:
        built = context.messages([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])

        assert [type(message) for message in built] == [ModelRequest]

    def test_fills_in_a_result_that_is_missing(self) -> None:
        found = parts(
            {"role": "assistant", "content": None, "tool_calls": [call("c1"), call("c2", "time")]},
            {"role": "tool", "tool_call_id": "c2", "content": "noon"},
            {"role": "user", "content": "go on"},
        )

        results = {part.tool_call_id: part.content for part in found if isinstance(part, ToolReturnPart)}
        assert results == {"c1": context.NO_RESULT, "c2": "noon"}

    def test_gives_an_orphaned_result_as_text(self) -> None:
        found = parts({"role": "tool", "tool_call_id": "lost", "name": "weather", "content": "rain"})

        assert found[0].content == "Result of weather: rain"

    def test_leaves_out_an_empty_answer(self) -> None:
        built = context.messages([{"role": "user", "content": "a"}, {"role": "assistant", "content": ""}])

        assert not any(isinstance(message, ModelResponse) for message in built)

    @pytest.mark.parametrize("content", [None, 7, [], [None], {"type": "text"}])
    def test_takes_malformed_content(self, content: Any) -> None:
        assert parts({"role": "user", "content": content})


class TestUserContent:
    def test_keeps_plain_text_plain(self) -> None:
        assert context.user_content({"content": "Hi"}) == "Hi"
        assert context.user_content({"content": [{"type": "text", "text": {"value": "Hi"}}]}) == "Hi"

    def test_passes_images_on(self) -> None:
        images = [{"type": "image_url", "image_url": {"url": url}} for url in ("https://example.com/a.png", PIXEL)]

        found = context.user_content({"content": [{"type": "text", "text": "What is it?"}, *images]})

        assert [isinstance(part, kind) for part, kind in zip(found, (str, ImageUrl, BinaryContent), strict=True)] == [
            True
        ] * 3

    @pytest.mark.parametrize("url", ["file:///etc/passwd", "data:broken", "", "ftp://x"])
    def test_reads_no_other_address(self, url: str) -> None:
        found = context.user_content({"content": [{"type": "image_url", "image_url": {"url": url}}]})

        assert isinstance(found, str)
        assert found.startswith("[An image")

    def test_names_attached_files(self) -> None:
        found = context.user_content({"content": "See", "attachments": [{"file_id": "file-1"}, {"name": "a.csv"}, 3]})

        assert found == "See\n\n[Attached file: file-1]\n\n[Attached file: a.csv]"


class TestParameters:
    def test_leaves_out_tools_that_are_no_functions(self) -> None:
        given = context.parameters([{"type": "file_search"}, {"type": "function", "function": {"name": "f"}}])

        assert [tool.name for tool in given.function_tools] == ["f"]

    def test_holds_a_model_that_can_to_a_schema(self) -> None:
        wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}

        held = context.parameters([], response_format=wanted, schema_output=True)
        free = context.parameters([], response_format=wanted, schema_output=False)

        assert held.output_object is not None
        assert held.output_object.json_schema == {"type": "object"}
        assert (held.output_mode, free.output_mode) == ("native", "prompted")
        assert free.output_object == held.output_object

    def test_asks_for_json_without_a_word_to_the_model(self) -> None:
        given = context.parameters([], response_format={"type": "json_object"}, schema_output=True)

        assert (given.output_mode, given.prompted_output_template) == ("prompted", False)
        assert given.prompted_output_instructions is None

    def test_has_the_provider_run_code(self) -> None:
        given = context.parameters([{"type": "code_interpreter"}])

        assert [tool.kind for tool in given.builtin_tools] == ["code_execution"]


class TestModelSettings:
    def test_translates_names(self) -> None:
        given = {"temperature": 0, "stop": ["a"], "reasoning_effort": "none", "unknown": 1, "seed": None}

        assert context.model_settings(given) == {"temperature": 0, "stop_sequences": ["a"], "thinking": False}

    @pytest.mark.parametrize(
        ("choice", "expected"),
        [
            ("auto", None),
            ("none", "none"),
            ("required", "required"),
            ({"type": "function", "function": {"name": "f"}}, ["f"]),
            ({"type": "file_search"}, ["file_search"]),
        ],
    )
    def test_translates_the_choice_of_a_tool(self, choice: Any, expected: Any) -> None:
        assert context.model_settings({"tool_choice": choice}).get("tool_choice") == expected

    @pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "f"}}])
    def test_lets_a_model_answer_that_was_made_to_call_and_has(self, choice: Any) -> None:
        assert "tool_choice" not in context.model_settings({"tool_choice": choice}, called=True)

    def test_keeps_a_model_from_calling_in_every_round(self) -> None:
        assert context.model_settings({"tool_choice": "none"}, called=True) == {"tool_choice": "none"}

    def test_takes_the_smaller_limit(self) -> None:
        assert context.model_settings({"max_tokens": 10}, max_tokens=99)["max_tokens"] == 10
        assert context.model_settings({"max_tokens": 10}, max_tokens=5)["max_tokens"] == 5
