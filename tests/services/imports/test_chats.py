"""Threads in OpenAI's chat format, with and without ids."""

from __future__ import annotations

from typing import Any

import pytest

from ai.models import AuditEntry, ChatThread, Message, Tenant
from tests import factories
from tests.services.imports.conftest import Import

pytestmark = pytest.mark.django_db

CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Will it rain in Oslo?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    {"role": "assistant", "content": "Yes."},
]
THREAD = {"id": "talk-1", "title": "Rain in “Oslo”: *yes*", "metadata": {"team": "sky", "n": 1}, "messages": TALK}


def said() -> list[Any]:
    return [row.message for row in Message.objects.order_by("thread_id", "sequence")]


def counts(report: dict[str, dict[str, int]], kind: str) -> tuple[int, ...]:
    return tuple(report[kind].values())


class TestThreads:
    def test_keep_what_they_are(self, load: Import) -> None:
        load({**THREAD, "user_id": "u7", "tags": ["rain"], "created_at": 1_714_564_800, "model": "gpt-4o"})

        thread = ChatThread.objects.get()
        assert (thread.name, thread.external_id, thread.source) == (THREAD["title"], "talk-1", "chat")
        assert (thread.user_id, thread.tags, thread.model, thread.message_count) == ("u7", ["rain"], "gpt-4o", 5)
        assert thread.data == {"metadata": {"team": "sky", "n": "1"}}
        assert thread.created.isoformat() == "2024-05-01T12:00:00+00:00"
        assert said() == TALK

    def test_again_change_nothing(self, load: Import) -> None:
        load(THREAD, {"messages": TALK}, {"messages": TALK})

        report = load(THREAD, {"messages": TALK}, {"messages": TALK})

        assert counts(report, "thread") == (0, 3, 0)
        assert counts(report, "message") == (0, 15, 0)
        assert (ChatThread.objects.count(), Message.objects.count()) == (3, 15)

    def test_that_went_on_get_what_is_new(self, load: Import) -> None:
        load(THREAD)

        report = load({**THREAD, "messages": [*TALK, {"role": "user", "content": "Thanks!"}]})

        assert counts(report, "message") == (1, 5, 0)
        assert said()[-1]["content"] == "Thanks!"

    def test_of_this_console_are_known_by_their_ids_and_words(self, load: Import, tenant: Tenant) -> None:
        own = factories.thread(tenant, *TALK)

        report = load({**THREAD, "id": str(own.pk)})

        assert (counts(report, "thread"), counts(report, "message")) == ((0, 1, 0), (0, 5, 0))

    def test_say_the_same_twice(self, load: Import) -> None:
        load({"messages": [{"role": "user", "content": "Hm"}] * 3})

        report = load({"messages": [{"role": "user", "content": "Hm"}] * 3})

        assert counts(report, "message") == (0, 3, 0)

    def test_with_an_id_twice_are_taken_once(self, load: Import) -> None:
        report = load(THREAD, {**THREAD, "messages": TALK[:2]}, THREAD)

        assert counts(report, "thread") == (1, 1, 1)
        assert load.reasons() == [
            "talk-1: Another thread with this id was read before, at dump1.jsonl, line 1; that one was taken."
        ]

    def test_are_in_the_audit_log(self, load: Import, tenant: Tenant) -> None:
        load(THREAD)

        entry = AuditEntry.objects.get(action="threads.imported")
        assert (entry.tenant_id, entry.actor_name) == (tenant.pk, "system")
        assert (entry.data["format"], entry.data["file"]) == ("chat", "dump1.jsonl")
        assert entry.data["counts"]["message"] == {"new": 5, "unchanged": 0, "refused": 0}

    @pytest.mark.parametrize("own", [17, "a b/c?", "ünï", "x" * 300, "a\x00"])
    def test_may_have_ids_of_any_kind(self, load: Import, own: Any) -> None:
        load({"id": own, "messages": [{"id": own, "role": "user", "content": "Hi"}]})

        again = load({"id": own, "messages": [{"id": own, "role": "user", "content": "Hi"}]})

        kept = str(own).replace("\x00", "\ufffd")[:255]
        assert (ChatThread.objects.get().external_id, Message.objects.get().external_id) == (kept, kept)
        assert (again["thread"]["new"], again["message"]["new"]) == (0, 0)

    def test_with_an_id_that_is_none_are_refused(self, load: Import) -> None:
        load({"id": ["a"], "messages": []}, THREAD)

        assert load.reasons() == [": Its “id” is no id: ['a']."]


class TestMessages:
    def test_keep_their_ids(self, load: Import) -> None:
        load({"id": "t", "messages": [{"id": "m1", "role": "user", "content": "Hi"}]})

        assert Message.objects.get().external_id == "m1"

    def test_of_old_functions_become_calls(self, load: Import) -> None:
        called = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
        load({"messages": [called, {"role": "function", "name": "f", "content": "1"}]})

        asked, answered = said()
        assert asked["tool_calls"][0]["id"] == answered["tool_call_id"]
        assert answered["role"] == "tool"

    @pytest.mark.parametrize(
        ("bad", "why"),
        [
            ({"role": "robot", "content": "x"}, "Message 2: Its role 'robot' is none of system, "),
            ({"content": "x"}, "Message 2: Its role None is none of"),
            ({"role": "user", "content": 7}, "Message 2: Its “content” is neither a text nor a list of parts: 7."),
            ({"role": "user", "content": "x", "tool_calls": {}}, "Message 2: Its “tool_calls” is no list of objects"),
            ("hello", "Message 2: It is no object."),
            ({"role": "user", "content": "x", "created_at": "soon"}, "Message 2: Its “created_at” is no time"),
        ],
    )
    def test_that_cannot_be_used_refuse_their_thread_alone(self, load: Import, bad: Any, why: str) -> None:
        report = load({"id": "bad", "messages": [TALK[0], bad]}, THREAD, format_="chat")

        assert [refusal.reason.startswith(why) for refusal in load.refused] == [True]
        assert (load.refused[0].id, load.refused[0].place) == ("bad", "dump1.jsonl, line 1")
        assert counts(report, "thread") == (1, 0, 1)
        assert Message.objects.count() == 5

    def test_may_be_empty(self, load: Import) -> None:
        load({"messages": [{"role": "user", "content": ""}, {"role": "assistant"}]}, {"id": "none", "messages": []})

        assert sorted(ChatThread.objects.values_list("message_count", flat=True)) == [0, 2]
