"""Importing again: nothing twice, and what is new in its place."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from django.db import connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai import ids, tenancy
from ai.models import ChatThread, Message, Run, RunStep, Tenant
from ai.models.threads import NEW_NAME
from tests import factories
from tests.services.imports import dumps
from tests.services.imports.conftest import Import

pytestmark = pytest.mark.django_db


def everything() -> dict[str, list[Any]]:
    """All that is here, apart from when it was written."""
    own = {"modified"}
    return {
        model.__name__: [
            {name: value for name, value in row.items() if name not in own}
            for row in model.objects.order_by("pk").values()
        ]
        for model in (ChatThread, Message, Run, RunStep)
    }


def contents() -> list[str]:
    """What was said, in order."""
    rows = Message.objects.order_by("thread_id", "sequence")
    return [str((row.message or {}).get("content") or "call") for row in rows]


def test_the_same_dump_changes_nothing(load: Import) -> None:
    messages, runs, steps = dumps.talk(turns=3)
    dump = [dumps.assistant(), dumps.thread(), *messages, *runs, *steps]
    load(*dump)
    before = everything()

    counts = load(*dump)

    assert {kind: (c["new"], c["refused"]) for kind, c in counts.items()} == dict.fromkeys(counts, (0, 0))
    assert counts["message"]["unchanged"] == 6
    assert everything() == before


def test_a_dump_that_has_grown_adds_what_is_new(load: Import) -> None:
    messages, runs, steps = dumps.talk(turns=3)
    load(dumps.thread(), *messages[:2], *runs[:1], *steps[:2])

    counts = load(dumps.thread(), *messages, *runs, *steps)

    assert counts["message"] == {"new": 4, "unchanged": 2, "refused": 0}
    assert [row.sequence for row in Message.objects.order_by("sequence")] == list(range(1, 13))
    assert [run.history_until for run in Run.objects.order_by("created")] == [1, 5, 9]
    thread = ChatThread.objects.get()
    assert (thread.message_count, thread.last_sequence) == (12, 12)


def test_older_messages_go_before_those_that_are_here(load: Import) -> None:
    messages, runs, steps = dumps.talk(turns=3)
    load(dumps.thread(), *messages[2:], *runs[2:], *steps[4:])

    load(*messages[:2], *runs[:1], *steps[:2])

    whole = contents()
    assert whole[:2] == ["What is the weather in city 0?", "call"]
    assert [row.sequence for row in Message.objects.order_by("sequence")] == list(range(1, 11))
    assert [run.history_until for run in Run.objects.order_by("created")] == [1, 7]


def test_runs_that_come_later_put_their_calls_where_they_were_made(load: Import) -> None:
    messages, runs, steps = dumps.talk(turns=2)
    load(dumps.thread(), *messages)

    load(*messages, *runs, *steps)

    grown = everything()
    assert contents() == [
        "What is the weather in city 0?", "call", "0 mm", "It rains 0 mm.",
        "What is the weather in city 1?", "call", "1 mm", "It rains 1 mm.",
    ]  # fmt: skip
    assert [run["history_until"] for run in sorted(grown["Run"], key=lambda run: run["created"])] == [1, 5]


def test_calls_that_come_later_join_the_text_before_them(load: Import) -> None:
    messages = [dumps.message("q"), dumps.message("a", "Let me look.", role="assistant", at=2, run_id="run_abc")]
    load(*messages)

    load(
        *messages,
        dumps.run(at=1),
        dumps.step("1", dumps.writing("a"), at=2),
        dumps.step("2", dumps.calling(("call_1", "{}", "rain")), at=3),
    )

    rows = [row.message or {} for row in Message.objects.order_by("sequence")]
    assert [row["content"] for row in rows] == ["Hello", "Let me look.", "rain"]
    assert rows[1]["tool_calls"][0]["id"] == "call_1"


def test_a_conversation_that_went_on_here_keeps_its_replays(load: Import, tenant: Tenant) -> None:
    load(dumps.thread(), dumps.message("q", at=100), dumps.message("a", "Yes", role="assistant", at=101))
    thread = ChatThread.objects.get()
    thread.add_message({"role": "user", "content": "And now?"})
    replay = Run.objects.create(
        tenant_id=tenant.pk,
        model="scripted",
        status="completed",
        ended_at=thread.created,
        replay_of_thread=thread.pk,
        history_until=1,
        replay_from=2,
        replay_to=2,
    )

    load(dumps.message("older", "Before", at=50), dumps.message("newer", "Since", at=200))

    replay.refresh_from_db()
    assert contents() == ["Before", "Hello", "Yes", "Since", "And now?"]
    assert (replay.history_until, replay.replay_from, replay.replay_to) == (2, 3, 3)


def test_steps_that_come_later_follow_those_of_the_run(load: Import) -> None:
    messages, runs, steps = dumps.talk()
    load(dumps.thread(), *messages, *runs, steps[0])

    load(steps[1])

    assert [(row.index, row.type) for row in RunStep.objects.order_by("index")] == [
        (0, "tool_calls"),
        (1, "message_creation"),
    ]


def test_a_deleted_thread_comes_back(load: Import) -> None:
    messages, runs, steps = dumps.talk()
    dump = [dumps.thread(), *messages, *runs, *steps]
    load(*dump)
    before = everything()
    ChatThread.objects.delete_thread(ChatThread.objects.get().pk)

    counts = load(*dump)

    assert counts["message"]["new"] == 2
    assert everything() == before


def test_a_thread_of_this_console_is_known_by_its_own_id(load: Import, tenant: Tenant) -> None:
    mine = factories.thread(tenant, {"role": "user", "content": "Hello"})
    row = Message.objects.get()
    shown, key = ids.public("thread", mine.pk), ids.public("message", row.pk)

    counts = load(
        dumps.thread(id=shown),
        dumps.message("x", id=key, thread_id=shown),
        dumps.message("new", "Later", thread_id=shown, at=2_000_000_000 - dumps.BEGAN),
    )

    assert counts["thread"]["unchanged"] == 1
    assert counts["message"] == {"new": 1, "unchanged": 1, "refused": 0}
    assert contents() == ["Hello", "Later"]


def test_two_tenants_may_import_the_same(load: Import, tenant: Tenant) -> None:
    dump = [dumps.thread(), dumps.message("q")]
    load(*dump)
    other = factories.tenant()

    with tenancy.scope(other.pk):
        counts = Import(other, load.folder)(*dump)

    assert counts["message"]["new"] == 1
    assert ChatThread.objects.count() == 1


def test_a_message_that_is_in_another_thread_here_is_refused(load: Import) -> None:
    load(dumps.thread(), dumps.message("q"))

    load(dumps.thread("b"), dumps.message("q", of="b"), dumps.message("p", of="b"))

    assert load.reasons() == ["msg_q: The message with this id belongs to something else here."]
    assert contents() == ["Hello", "Hello"]


def test_a_thread_without_a_title_gets_one_from_what_comes_later(load: Import) -> None:
    load(dumps.message("a", "Welcome!", role="assistant"))
    assert ChatThread.objects.get().name == NEW_NAME

    load(dumps.message("q", "Where is the museum?", at=5))

    assert ChatThread.objects.get().name == "Where is the museum?"


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_at_once_write_it_once(load: Import, tenant: Tenant) -> None:
    dump = [part for name in ("a", "b", "c", "d") for parts in dumps.talk(name) for part in parts]
    path = dumps.lines(load.folder / "dump.jsonl", *dump)
    both = [Import(tenant, load.folder) for _ in range(2)]
    start = threading.Barrier(2)

    def work(one: Import) -> None:
        try:
            with tenancy.scope(tenant.pk):
                start.wait(10)
                one.path(path)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work, args=(one,)) for one in both]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert [one.refused for one in both] == [[], []]
    assert sum(one.report.new["message"] for one in both) == 8
    assert sum(one.report.unchanged["message"] for one in both) == 8
    assert Message.objects.count() == 16


def test_a_dry_run_counts_the_same_and_writes_nothing(load: Import) -> None:
    messages, runs, steps = dumps.talk()
    dump = [dumps.assistant(), dumps.thread(), *messages, *runs, *steps, dumps.message("x", role="robot")]

    foretold = load(*dump, dry_run=True)

    assert everything() == {"ChatThread": [], "Message": [], "Run": [], "RunStep": []}
    assert load(*dump) == foretold


@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 40), max_size=2))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_and_any_portions_give_the_same(load: Import, seed: int, cuts: list[int]) -> None:
    messages, runs, steps = dumps.talk(turns=3)
    dump = [dumps.thread(), *messages, *runs, *steps]
    load(*dump)
    whole = everything()
    ChatThread.objects.delete_thread(ChatThread.objects.get().pk)
    random.Random(seed).shuffle(dump)
    # A step goes with its run: without it, it is refused, as a test above says.
    dump.sort(key=lambda item: item["object"] == "thread.run.step")

    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(dump)], strict=True):
        load(*dump[start:end], format_="assistants")

    again = everything()
    ChatThread.objects.delete_thread(ChatThread.objects.get().pk)
    assert [m["message"] for m in by_sequence(again)] == [m["message"] for m in by_sequence(whole)]
    assert [m["sequence"] for m in by_sequence(again)] == list(range(1, 13))
    assert {r["id"]: r["history_until"] for r in again["Run"]} == {r["id"]: r["history_until"] for r in whole["Run"]}


def by_sequence(found: dict[str, list[Any]]) -> list[Any]:
    return sorted(found["Message"], key=lambda message: message["sequence"])
