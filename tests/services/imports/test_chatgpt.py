"""ChatGPT's data export: branches, every kind of content, and ratings."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ai.models import ChatThread, Message
from tests.services.imports import said
from tests.services.imports.conftest import Import

pytestmark = pytest.mark.django_db

Node = dict[str, Any]


def node(key: str, parent: str | None, content: Any = None, *, role: str = "user", **values: Any) -> Node:
    """A node with a message; a text is its words, an object its content."""
    words = {"content_type": "text", "parts": [content]} if isinstance(content, str) else content
    message = {
        "id": key,
        "author": {"role": role, "name": values.pop("name", None), "metadata": {}},
        "create_time": 1_700_000_000.5,
        "content": words,
        "recipient": values.pop("recipient", "all"),
        "metadata": {"model_slug": "gpt-4o"} if role == "assistant" else {},
    }
    return {"id": key, "message": {**message, **values} if content is not None else None, "parent": parent}


def conversation(*nodes: Node, current: str | None = None, **values: Any) -> dict[str, Any]:
    children = {each["id"]: [other["id"] for other in nodes if other["parent"] == each["id"]] for each in nodes}
    return {
        "id": "c1",
        "conversation_id": "c1",
        "title": "A talk",
        "create_time": 1_699_999_999.0,
        "update_time": 1_700_000_100.0,
        "current_node": current or nodes[-1]["id"],
        "mapping": {each["id"]: {**each, "children": children[each["id"]]} for each in nodes},
        **values,
    }


ROOT = node("root", None)
ASKED = node("q", "root", "What is up?")
SYSTEM = node("s", "root", "", role="system", metadata={"is_visually_hidden_from_conversation": True})


class TestBranches:
    BRANCHED = conversation(
        ROOT,
        ASKED,
        node("a1", "q", "Birds.", role="assistant"),
        node("a2", "q", "The sky.", role="assistant"),
        node("q2", "a1", "Which?"),
        node("a3", "q2", "Gulls.", role="assistant"),
        current="a2",
    )

    def test_what_is_shown_is_the_thread_and_the_others_are_forks(self, load: Import) -> None:
        load(self.BRANCHED)

        thread = said.thread("c1")
        assert said.lines(thread) == ["user: What is up?", "assistant: The sky."]
        assert said.forks(thread) == [["user: What is up?", "assistant: Birds.", "user: Which?", "assistant: Gulls."]]
        assert (thread.name, thread.model, thread.source) == ("A talk", "gpt-4o", "chatgpt")

    def test_again_change_nothing(self, load: Import) -> None:
        load(self.BRANCHED)

        again = load(self.BRANCHED)

        assert (again["thread"]["new"], again["message"]["new"]) == (0, 0)

    def test_a_circle_ends(self, load: Import) -> None:
        circle = conversation(node("a", "c", "one"), node("b", "a", "two", role="assistant"), node("c", "b", "three"))

        load(circle)

        assert sorted(said.lines(said.thread("c1"))) == ["assistant: two", "user: one", "user: three"]

    def test_a_current_node_that_is_missing_means_the_latest(self, load: Import) -> None:
        load({**self.BRANCHED, "current_node": "gone"})

        assert said.lines(said.thread("c1"))[-1] == "assistant: The sky."

    def test_too_many_of_them_are_refused(self, load: Import) -> None:
        trunk = [node(str(n), str(n - 1) if n else None, f"{n}") for n in range(1000)]
        leaves = [node(f"leaf{n}", "999", f"leaf {n}") for n in range(101)]

        load(conversation(*trunk, *leaves))

        assert load.refused[0].reason.startswith("Its branches hold more than 100,000 messages")
        assert not ChatThread.objects.exists()


class TestContents:
    def line(self, load: Import, *nodes: Node) -> list[str]:
        load(conversation(ROOT, SYSTEM, ASKED, *nodes))
        return said.lines(said.thread("c1"))

    def test_calls_of_tools_and_their_results_belong_together(self, load: Import) -> None:
        call = {"content_type": "code", "language": "python", "text": "print(1)"}
        result = {"content_type": "execution_output", "text": "1"}
        lines = self.line(
            load,
            node("c", "q", call, role="assistant", recipient="python"),
            node("r", "c", result, role="tool", name="python"),
        )

        asked, answered = said.messages(said.thread("c1"))[1:]
        assert lines[1:] == ['assistant: python({"input": "print(1)"})', "tool: 1"]
        assert asked["tool_calls"][0]["id"] == answered["tool_call_id"]

    def test_a_call_with_arguments_keeps_them(self, load: Import) -> None:
        call = {"content_type": "code", "language": "unknown", "text": '{"city": "Oslo"}'}
        lines = self.line(load, node("c", "q", call, role="assistant", recipient="functions.weather"))

        assert lines[1] == 'assistant: weather({"city": "Oslo"})'

    def test_thoughts_go_to_the_answer(self, load: Import) -> None:
        thoughts = {"content_type": "thoughts", "thoughts": [{"summary": "Hm", "content": "Let me see."}]}
        recap = {"content_type": "reasoning_recap", "content": "Thought for 3 s"}
        lines = self.line(
            load,
            node("t", "q", thoughts, role="assistant"),
            node("u", "t", recap, role="assistant"),
            node("a", "u", "Nothing.", role="assistant"),
        )

        assert lines == ["user: What is up?", "assistant: Nothing."]
        assert said.messages(said.thread("c1"))[-1]["reasoning_content"] == "Hm\nLet me see."

    @pytest.mark.parametrize(
        ("content", "shown"),
        [
            ({"content_type": "multimodal_text", "parts": [{"content_type": "audio_transcription", "text": "Hey"}]}, "Hey"),
            ({"content_type": "tether_quote", "url": "https://a.example", "title": "A", "text": "B"}, "A · https://a.example\nB"),
            ({"content_type": "tether_browsing_display", "result": "found", "summary": None}, "found"),
            ({"content_type": "text", "parts": ["a", None, "b"]}, "a\nb"),
            ({"content_type": "something_new", "text": "words"}, "words"),
        ],
    )  # fmt: skip
    def test_of_every_kind_have_words(self, load: Import, content: Any, shown: str) -> None:
        assert self.line(load, node("a", "q", content, role="assistant"))[1] == f"assistant: {shown}"

    @pytest.mark.parametrize(
        "content",
        [
            {"content_type": "text", "parts": [""]},
            {"content_type": "text", "parts": None},
            {"content_type": "user_editable_context", "user_profile": "x", "user_instructions": "y"},
            {"content_type": "model_editable_context", "model_set_context": "z"},
        ],
    )
    def test_that_say_nothing_are_no_messages(self, load: Import, content: Any) -> None:
        assert self.line(load, node("a", "q", content, role="assistant")) == ["user: What is up?"]

    def test_images_are_named_and_attached(self, load: Import) -> None:
        pointer = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_7", "size_bytes": 9}
        attached = {"attachments": [{"id": "file_7", "name": "cat.png", "size": 9, "mimeType": "image/png"}]}
        parts = {"content_type": "multimodal_text", "parts": [pointer, "Look"]}
        lines = self.line(load, node("i", "q", parts, metadata=attached))

        message = said.messages(said.thread("c1"))[-1]
        assert lines[1] == "user: Look"
        assert message["content"][0] == {"type": "image_file", "image_file": {"file_id": "file_7"}, "bytes": 9}
        assert message["attachments"] == [
            {"file_id": "file_7", "name": "cat.png", "bytes": 9, "mime_type": "image/png"}
        ]


class TestRatings:
    RATED = {
        "id": "a1",
        "conversation_id": "c1",
        "user_id": "user-1",
        "rating": "thumbsDown",
        "create_time": "2025-01-01T03:56:33.000000+00:00",
        "content": '{"text": "Wrong bird", "tags": ["false"]}',
    }

    def test_become_feedback_also_on_a_branch_that_is_not_shown(self, load: Import) -> None:
        load(TestBranches.BRANCHED)

        load(self.RATED)

        assert said.opinions() == [("down", "Wrong bird", "user-1", "Birds.")]
        assert ChatThread.objects.get(forked_from__isnull=False).feedback == "down"

    def test_of_a_conversation_that_is_not_here_are_refused(self, load: Import) -> None:
        load(self.RATED)

        assert load.reasons() == ["a1/user-1: Its thread c1 is not here: import the threads first."]

    def test_come_with_the_zip(self, load: Import, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
            archive.writestr("user.json", '{"id": "user-1", "email": "a@example.com"}')
            archive.writestr("message_feedback.json", json.dumps([self.RATED]))
            archive.writestr("conversations-001.json", json.dumps([{"id": "broken", "title": "No mapping"}]))
            archive.writestr("conversations-000.json", json.dumps([TestBranches.BRANCHED]))
            archive.writestr("chat.html", "<html>")

        foretold = load.path(tmp_path / "export.zip", dry_run=True)
        counts = load.path(tmp_path / "export.zip")

        assert (counts["thread"]["new"], counts["feedback"]["new"]) == (2, 1)
        assert foretold == counts
        assert load.reasons() == ["broken: It has no “mapping” with its messages."]
        assert load.refused[0].place == "conversations-001.json [0]"


def test_a_role_that_nobody_knows_refuses_its_conversation_alone(load: Import) -> None:
    load(
        conversation(ROOT, node("x", "root", "Hi", role="robot"), id="bad", conversation_id="bad"),
        conversation(ROOT, ASKED),
    )

    assert load.reasons() == ["bad: Its message 'x' has the role 'robot', which is unknown."]
    assert Message.objects.count() == 1


def test_a_title_that_says_nothing_is_replaced(load: Import) -> None:
    load(conversation(ROOT, ASKED, title="New chat"))

    assert said.thread("c1").name not in {"New chat", ""}
