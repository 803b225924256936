"""Titles of conversations that people had: by rule for all of them, and by the embedded model where its answer is one."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ai.services import titles
from ai.services.titling import languages
from ai.services.titling.conversations import Conversation
from ai.services.titling.text import count_words
from tests.services.test_hostile_titles import is_title

pytestmark = pytest.mark.data

#: How many of the words of the intents that made a title have to be in ours, on average.
SHARED = 0.65


def sample(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(Path(os.environ["CONSOLE_DATA"], name), "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def title_of(thread: dict[str, Any]) -> str:
    return Conversation.of_messages(thread["messages"]).by_rule()


def stems(text: str) -> set[str]:
    small = {"then", "find", "get", "search", "and", "in", "for"}
    return {word[:5].rstrip("s") for word in re.findall(r"[a-z]{3,}", text.lower()) if word not in small}


class TestByRule:
    @pytest.mark.parametrize(
        "name",
        [
            "sgd_threads.jsonl.gz",
            "multilingual_threads.jsonl.gz",
            "oasst_threads.jsonl.gz",
            "vicuna_bench_threads.jsonl.gz",
            "feedback_threads.jsonl.gz",
        ],
    )
    def test_every_conversation_gets_a_title(self, name: str) -> None:
        bad = {thread["id"]: title for thread in sample(name) if not is_title(title := title_of(thread))}

        assert bad == {}

    def test_titles_of_task_dialogues_name_what_was_done(self) -> None:
        with Path(os.environ["CONSOLE_DATA"], "retitle_sample.csv").open(newline="", encoding="utf-8") as file:
            made = {row["thread_id"]: row["title"] for row in csv.DictReader(file)}
        shares = []
        for thread in sample("sgd_threads.jsonl.gz"):
            wanted = stems(thread.get("title") or made[thread["id"]])
            ours = stems(title_of(thread))
            shares.append(len(wanted & ours) / len(wanted) if wanted else 1.0)

        assert len(shares) == 2000
        assert sum(shares) / len(shares) > SHARED

    def test_titles_are_in_the_writing_of_the_thread(self) -> None:
        seen = set()
        for thread in sample("multilingual_threads.jsonl.gz"):
            said = Conversation.of_messages(thread["messages"]).said
            title = title_of(thread)
            seen.add(thread["metadata"]["language"])

            assert languages.script_of(title) in languages.scripts_of(said) | {""}
            assert count_words(title) <= 5
        assert len(seen) == 13


@pytest.mark.django_db
def test_the_embedded_model_writes_a_title_or_leaves_it_to_the_rule() -> None:
    threads = [thread for _, thread in zip(range(2), sample("oasst_threads.jsonl.gz"), strict=False)]
    conversations = [Conversation.of_messages(thread["messages"]) for thread in threads]

    found = titles.find(conversations, spec=titles.model_spec("local:smollm2"))

    assert all(is_title(each.title) for each in found)
    assert all(each.source == "local:smollm2" or each.note for each in found)
    assert all(each.cost == 0 for each in found)
    assert all(each.input_tokens > 0 or "in time" in each.note for each in found)
