"""Messages of ours as the remotes take them, and theirs as we keep them."""

from __future__ import annotations

from typing import Any

import pytest

from ai.models.connections import Address
from ai.remote import assistants, digests, items
from ai.remote.lines import Line

PICTURE = {"type": "image_file", "image_file": {"file_id": "file-1"}}
LINK = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}


def taken(message: dict[str, Any]) -> bool:
    return assistants.AssistantsThreads(Line(Address("https://example.com/v1", "key"))).takes(message)


class TestAssistants:
    @pytest.mark.parametrize(
        ("message", "is_taken"),
        [
            ({"role": "user", "content": "hello"}, True),
            ({"role": "user", "content": [PICTURE]}, True),
            ({"role": "user", "content": "  "}, False),
            ({"role": "system", "content": "hello"}, False),
            ({"role": "tool", "content": "sunny", "tool_call_id": "c"}, False),
            ({"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f"}}]}, False),
        ],
    )
    def test_takes_what_can_be_said_there(self, message: dict[str, Any], is_taken: bool) -> None:
        assert taken(message) is is_taken

    def test_sends_words_then_pictures_and_attachments_with_a_tool(self) -> None:
        content = [{"type": "text", "text": {"value": "Look", "annotations": []}}, PICTURE, LINK, {"type": "odd"}]

        body = assistants._body({"role": "user", "content": content, "attachments": [{"file_id": "file-2"}]})

        assert body["content"] == [{"type": "text", "text": "Look"}, PICTURE, LINK]
        assert body["attachments"] == [{"file_id": "file-2", "tools": [{"type": "file_search"}]}]

    def test_cuts_metadata_to_what_the_api_takes(self) -> None:
        given = {f"name {n} {'x' * 100}": "y" * 1000 for n in range(20)}

        body = assistants._body({"role": "user", "content": "hello", "metadata": given})

        assert len(body["metadata"]) == 16
        assert max(map(len, body["metadata"])) == 64
        assert set(map(len, body["metadata"].values())) == {512}

    def test_keeps_citations_and_why_a_message_broke_off(self) -> None:
        note = {"type": "file_citation", "text": "[1]", "file_citation": {"file_id": "file-1"}}
        text = {"type": "text", "text": {"value": "So it says [1]", "annotations": [note]}}
        broken = {"status": "incomplete", "incomplete_details": {"reason": "max_tokens"}}

        message = assistants.message_of({"id": "msg_1", "role": "assistant", "content": [text], **broken}).message

        assert message == {"role": "assistant", "content": "So it says [1]", "annotations": [note], **broken}

    @pytest.mark.parametrize("seconds", [None, "today", True, 10**30])
    def test_a_time_that_is_none_is_none(self, seconds: Any) -> None:
        assert assistants.moment(seconds) is None


class TestItems:
    def test_pictures_and_files_go_and_come(self) -> None:
        given = {"role": "user", "content": [{"type": "text", "text": "Look"}, PICTURE, LINK]}
        given["attachments"] = [{"file_id": "file-2"}]

        (sent,) = items.items_of(given)
        back = items.Group([{"id": "item_1", **sent}]).message().message

        assert sent["content"][1] == {"type": "input_image", "detail": "auto", "file_id": "file-1"}
        assert sent["content"][2] == {"type": "input_image", "detail": "low", "image_url": "https://example.com/a.png"}
        assert back["content"][1] == PICTURE
        assert back["attachments"] == [{"file_id": "file-2"}]
        assert digests.of_words(back) == digests.of_words(given)

    def test_odd_calls_and_results_are_kept_as_text(self) -> None:
        custom = {"id": "i1", "type": "custom_tool_call", "call_id": "c1", "name": "sql", "input": "SELECT 1"}
        output = {"id": "i2", "type": "function_call_output", "call_id": "c1", "output": {"rows": [1]}}
        parts = {**output, "id": "i3", "output": [{"type": "input_text", "text": "one"}]}

        found = [each.message for each in items.messages_of([custom, output, parts])]

        assert found[0]["tool_calls"][0]["function"] == {"name": "sql", "arguments": "SELECT 1"}
        assert [each["content"] for each in found[1:]] == ['{"rows": [1]}', "one"]

    def test_what_has_no_form_there_is_not_taken(self) -> None:
        assert not items.takes({"role": "assistant", "content": ""})
        assert not items.takes({"role": "tool", "content": "orphan"})
        assert not items.takes({"role": "robot", "content": "beep"})


class TestDigests:
    def test_forms_of_the_same_words_are_the_same(self) -> None:
        forms: list[Any] = [
            "hello",
            [{"type": "text", "text": "hello"}],
            [{"type": "text", "text": {"value": "hello", "annotations": []}}],
            [{"type": "output_text", "text": "hello"}],
        ]

        assert len({digests.of({"role": "user", "content": form}) for form in forms}) == 1

    def test_metadata_and_calls_count(self) -> None:
        plain = {"role": "assistant", "content": "x"}

        def call(arguments: str) -> dict[str, Any]:
            return {**plain, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": arguments}}]}

        assert digests.of(plain) != digests.of({**plain, "metadata": {"a": "b"}})
        assert digests.of_words(plain) == digests.of_words({**plain, "metadata": {"a": "b"}})
        assert digests.of(call('{"a": 1, "b": 2}')) == digests.of(call('{"b":2,"a":1}'))
        assert digests.of(call("{broken")) != digests.of(call("{}"))
