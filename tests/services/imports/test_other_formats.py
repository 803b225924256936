"""ShareGPT, Open WebUI and LibreChat: what becomes of a conversation."""

from __future__ import annotations

from typing import Any

import pytest

from ai.models import ChatThread
from tests.services.imports import said
from tests.services.imports.conftest import Import

pytestmark = pytest.mark.django_db


class TestShareGPT:
    TALK = {
        "id": "t1",
        "conversations": [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": "Weather?"},
            {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Oslo"}}'},
            {"from": "observation", "value": "rain"},
            {"from": "gpt", "value": "Rain."},
        ],
    }

    def test_says_who_spoke(self, load: Import) -> None:
        load(self.TALK)

        thread = said.thread("t1")
        assert thread.source == "sharegpt"
        assert said.lines(thread) == [
            "system: Be brief.",
            "user: Weather?",
            'assistant: weather({"city": "Oslo"})',
            "tool: rain",
            "assistant: Rain.",
        ]

    def test_again_changes_nothing(self, load: Import) -> None:
        unnamed = {"conversations": self.TALK["conversations"]}
        load(self.TALK, unnamed, unnamed)

        again = load(self.TALK, unnamed, unnamed)

        assert (again["thread"], again["message"]["new"]) == ({"new": 0, "unchanged": 3, "refused": 0}, 0)

    def test_of_a_stranger_is_refused_whole(self, load: Import) -> None:
        load(
            {"id": "x", "conversations": [{"from": "human", "value": "a"}, {"from": "alien", "value": "b"}]}, self.TALK
        )

        assert load.reasons() == ["x: Message 2: It is from 'alien', which is unknown."]
        assert ChatThread.objects.count() == 1


class TestOpenWebUI:
    def chat(self, **values: Any) -> dict[str, Any]:
        history = {
            "currentId": "a2",
            "messages": {
                "q": {"id": "q", "parentId": None, "role": "user", "content": "15 * 17?", "timestamp": 1_700_000_000},
                "a1": {"id": "a1", "parentId": "q", "role": "assistant", "content": "250", "model": "small"},
                "a2": {
                    "id": "a2",
                    "parentId": "q",
                    "role": "assistant",
                    "model": "deepseek-r1",
                    "content": '<details type="reasoning" done="true"><summary>…</summary>&gt; Hm</details>\n255',
                    "annotation": {"rating": 1, "comment": "Right", "reason": "accurate"},
                    "timestamp": 1_700_000_010,
                },
            },
        }
        return {
            "id": "w1",
            "user_id": "u1",
            "title": "Sums",
            "chat": {"history": history, "models": ["deepseek-r1"]},
            "meta": {"tags": ["maths"]},
            "created_at": 1_700_000_000,
            "updated_at": 1_700_000_010,
            **values,
        }

    def test_keeps_branches_tags_and_opinions(self, load: Import) -> None:
        load(self.chat())

        thread = said.thread("w1")
        assert said.lines(thread) == ["user: 15 * 17?", "assistant: 255"]
        assert said.forks(thread) == [["user: 15 * 17?", "assistant: 250"]]
        assert (thread.user_id, thread.tags, thread.model) == ("u1", ["maths"], "deepseek-r1")
        assert said.opinions() == [("up", "Right", "u1", "255")]

    def test_again_changes_nothing(self, load: Import) -> None:
        load(self.chat())

        again = load(self.chat())

        assert {kind: numbers["new"] for kind, numbers in again.items()} == {"thread": 0, "message": 0, "feedback": 0}

    def test_output_items_are_calls_and_results(self, load: Import) -> None:
        output = [
            {"type": "reasoning", "content": [{"type": "output_text", "text": "Ask the tool."}]},
            {"type": "function_call", "call_id": "k", "name": "times", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "k", "output": [{"type": "input_text", "text": "255"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It is 255."}]},
        ]
        chat = self.chat()
        chat["chat"]["history"]["messages"]["a2"]["output"] = output
        load(chat)

        thread = said.thread("w1")
        assert said.lines(thread)[1:] == ["assistant: times({})", "tool: 255", "assistant: It is 255."]
        assert said.messages(thread)[1]["reasoning_content"] == "Ask the tool."

    def test_a_list_of_messages_is_enough(self, load: Import) -> None:
        load(
            {
                "id": "w2",
                "chat": {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
            }
        )

        assert said.lines(said.thread("w2")) == ["user: a", "assistant: b"]

    def test_feedback_comes_in_a_file_of_its_own(self, load: Import) -> None:
        load(self.chat())
        rating = {
            "id": "f1",
            "user_id": "u2",
            "type": "rating",
            "data": {"rating": "-1", "comment": "No", "reason": "style"},
            "meta": {"chat_id": "w1", "message_id": "a2"},
            "created_at": 1_700_000_500,
        }

        load(rating)

        assert said.opinions()[-1] == ("down", "No", "u2", "255")


class TestLibreChat:
    def message(self, key: str, parent: str | None, text: str, *, user: bool = False, **values: Any) -> dict[str, Any]:
        return {
            "messageId": key,
            "parentMessageId": parent or "00000000-0000-0000-0000-000000000000",
            "conversationId": "l1",
            "sender": "User" if user else "GPT",
            "text": text,
            "isCreatedByUser": user,
            "createdAt": "2024-05-28T18:08:55.014Z",
            "model": None if user else "gpt-4o",
            **values,
        }

    def talk(self, name: str = "messages", *messages: dict[str, Any], **values: Any) -> dict[str, Any]:
        return {"conversationId": "l1", "endpoint": "openAI", "title": "Stories", name: list(messages), **values}

    def test_the_latest_branch_is_the_thread(self, load: Import) -> None:
        load(
            self.talk(
                "messages",
                self.message("q", None, "A story", user=True),
                self.message("a1", "q", "Once"),
                self.message("a2", "q", "Twice", feedback={"rating": "thumbsUp", "text": "Nice"}),
            )
        )

        thread = said.thread("l1")
        assert (thread.name, thread.model, thread.source) == ("Stories", "gpt-4o", "librechat")
        assert said.lines(thread) == ["user: A story", "assistant: Twice"]
        assert said.forks(thread) == [["user: A story", "assistant: Once"]]
        assert said.opinions() == [("up", "Nice", "librechat", "Twice")]

    def test_a_tree_is_the_same_as_a_list(self, load: Import) -> None:
        answer = self.message("a1", "q", "Once", children=[])
        load(self.talk("messagesTree", self.message("q", None, "A story", user=True, children=[answer])))

        assert said.lines(said.thread("l1")) == ["user: A story", "assistant: Once"]

    def test_parts_are_thoughts_calls_and_results(self, load: Import) -> None:
        content = [
            {"type": "think", "think": "Look it up."},
            {"type": "tool_call", "tool_call": {"id": "k", "name": "find", "args": "{}", "output": "7"}},
            {"type": "text", "text": {"value": "Seven."}},
        ]
        load(self.talk("messages", self.message("a1", None, "", content=content)))

        thread = said.thread("l1")
        assert said.lines(thread) == ["assistant: find({})", "tool: 7", "assistant: Seven."]
        assert said.messages(thread)[0]["reasoning_content"] == "Look it up."

    def test_two_messages_with_one_id_refuse_it(self, load: Import) -> None:
        load(self.talk("messages", self.message("q", None, "a"), self.message("q", None, "b")))

        assert load.reasons() == ["l1: Two of its messages have the id q."]
        assert not ChatThread.objects.exists()
