"""Real conversations, which are not in this repository: everything arrives, and the same again changes nothing."""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ai.models import ChatThread, Feedback, Message
from ai.stores.content import tool_calls_of
from tests.services.imports.conftest import Import

pytestmark = [pytest.mark.django_db, pytest.mark.data, pytest.mark.timeout(300)]


@pytest.fixture
def folder() -> Path:
    return Path(os.environ["CONSOLE_DATA"])


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as opened:
        yield from map(json.loads, opened)


def stored() -> dict[str, tuple[str | None, list[Any]]]:
    """Title and messages of every thread that has an id of its own."""
    said: dict[str, list[Any]] = {}
    for thread_id, message in Message.objects.order_by("thread_id", "sequence").values_list("thread_id", "message"):
        said.setdefault(str(thread_id), []).append(message)
    rows = ChatThread.objects.filter(external_id__isnull=False).values_list("pk", "external_id", "name")
    return {external_id: (name, said.get(str(key), [])) for key, external_id, name in rows}


def written(counts: dict[str, dict[str, int]], column: str) -> dict[str, int]:
    return {kind: numbers[column] for kind, numbers in counts.items() if numbers[column]}


def shown(message: dict[str, Any]) -> str:
    """What people see of a message from ChatGPT: its text parts, or what it gave a tool."""
    content = message.get("content")
    if calls := tool_calls_of(message):
        arguments = json.loads(calls[0]["arguments"])
        return str(arguments["input"] if arguments.keys() == {"input"} else calls[0]["arguments"])
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    return "\n".join(str(part["text"]) for part in parts if part["type"] == "text")


@pytest.mark.parametrize(
    ("name", "threads", "messages"),
    [
        ("sgd_threads.jsonl.gz", 2000, 47_666),
        ("multilingual_threads.jsonl.gz", 517, 1346),
        ("oasst_threads.jsonl.gz", 42, 147),
        ("vicuna_bench_threads.jsonl.gz", 80, 90),
        ("feedback_threads.jsonl.gz", 970, 1940),
    ],
)
def test_threads_in_chat_format_arrive_whole(
    load: Import, folder: Path, name: str, threads: int, messages: int
) -> None:
    first = load.path(folder / name)
    again = load.path(folder / name)

    found = stored()
    assert written(first, "new") == written(again, "unchanged") == {"thread": threads, "message": messages}
    assert written(again, "new") == {}
    for thread in lines(folder / name):
        title, said = found[thread["id"]]
        assert said == thread["messages"]
        assert title == thread["title"] if thread.get("title") else title


class TestChatGPT:
    def test_shows_of_every_conversation_what_people_saw(self, load: Import, folder: Path) -> None:
        expected = json.loads((folder / "chatgpt_export_expected.json").read_bytes())

        counts = load.path(folder / "chatgpt_export_sample.json")

        found = stored()
        assert written(counts, "refused") == {}
        assert len(found) == len(expected) == 162
        for conversation in expected:
            _, said = found[conversation["id"]]
            assert [
                (message["role"], len(shown(message)), sha256(shown(message).encode()).hexdigest()) for message in said
            ] == [(each["role"], each["chars"], each["sha256"]) for each in conversation["visible"]]

    def test_has_a_fork_for_every_other_branch(self, load: Import, folder: Path) -> None:
        expected = json.loads((folder / "chatgpt_export_expected.json").read_bytes())

        load.path(folder / "chatgpt_export_sample.json")

        keys = {row.external_id: row.pk for row in ChatThread.objects.filter(external_id__isnull=False)}
        forks = {
            conversation["id"]: ChatThread.objects.filter(forked_from=keys[conversation["id"]]).count()
            for conversation in expected
        }
        assert forks == {conversation["id"]: conversation["leaves"] - 1 for conversation in expected}

    def test_keeps_the_ratings(self, load: Import, folder: Path) -> None:
        given = json.loads((folder / "chatgpt_message_feedback_sample.json").read_bytes())
        load.path(folder / "chatgpt_export_sample.json")

        first = load.path(folder / "chatgpt_message_feedback_sample.json")
        again = load.path(folder / "chatgpt_message_feedback_sample.json")

        assert written(first, "new") == written(again, "unchanged") == {"feedback": 201}
        rated = {row.message_id: row.rating for row in Feedback.objects.all()}
        named = dict(Message.objects.filter(pk__in=rated).values_list("pk", "external_id"))
        thumbs = {"thumbsUp": "up", "thumbsDown": "down"}
        assert {named[key]: rating for key, rating in rated.items()} == {
            each["id"]: thumbs[each["rating"]] for each in given
        }

    def test_again_changes_nothing(self, load: Import, folder: Path) -> None:
        first = load.path(folder / "chatgpt_export_sample.json")

        again = load.path(folder / "chatgpt_export_sample.json")

        assert written(again, "new") == {}
        assert written(again, "unchanged") == written(first, "new")


class TestShareGPT:
    def test_keeps_who_said_what(self, load: Import, folder: Path) -> None:
        given = json.loads((folder / "sharegpt_sample.json").read_bytes())
        roles = {"human": "user", "gpt": "assistant"}

        first = load.path(folder / "sharegpt_sample.json")
        again = load.path(folder / "sharegpt_sample.json")

        found = stored()
        assert len(given) == first["thread"]["new"] == again["thread"]["unchanged"] == 50
        assert written(again, "new") == {}
        for conversation in given:
            assert [(message["role"], message["content"]) for message in found[conversation["id"]][1]] == [
                (roles[turn["from"]], turn["value"]) for turn in conversation["conversations"]
            ]


class TestFeedback:
    def test_of_a_csv_file_is_on_the_messages_that_it_is_about(self, load: Import, folder: Path) -> None:
        load.path(folder / "feedback_threads.jsonl.gz")
        with (folder / "feedback_sample.csv").open(encoding="utf-8", newline="") as opened:
            given = list(csv.DictReader(opened))

        first = load.path(folder / "feedback_sample.csv")
        again = load.path(folder / "feedback_sample.csv")

        assert written(first, "new") == written(again, "unchanged") == {"feedback": 2506}
        threads = dict(ChatThread.objects.values_list("external_id", "pk"))
        places = {(row.thread_id, row.sequence): row.pk for row in Message.objects.all()}
        rows = {row.user_id: row for row in Feedback.objects.all()}
        for each in given:
            row = rows[each["feedback_id"]]
            assert (row.rating, row.score, row.label, row.comment) == (
                each["rating"],
                float(each["score"]),
                each["label"],
                each["comment"],
            )
            assert row.message_id == places[str(threads[each["thread_id"]]), int(each["message_index"]) + 1]
