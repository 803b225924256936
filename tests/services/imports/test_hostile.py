"""Objects that are not what they should be: each has a clear outcome, and nothing else is lost."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from ai.exceptions import Forbidden, InvalidInput, NotFound
from ai.models import ChatThread, Message, Run, RunStep, Tenant
from ai.services.imports import loading
from tests import factories
from tests.services.imports import dumps
from tests.services.imports.conftest import Import

pytestmark = pytest.mark.django_db


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


GOOD = [dumps.thread("good"), dumps.message("good", "All is well", of="good")]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (dumps.message("x", role="robot"), "Its role “robot” is neither user nor assistant."),
        ({**dumps.message("x"), "role": None}, "Its role “” is neither user nor assistant."),
        (dumps.message("x", content=7), "Its “content” is neither a text nor a list of parts."),
        (dumps.message("x", content=[7]), "A part of its “content” is no object."),
        (dumps.message("x", content=[{"type": "text", "text": 7}]), "Its “text” is no text: 7."),
        (dumps.message("x", created_at=None), "It has no “created_at”."),
        (dumps.message("x", created_at="soon"), "Its “created_at” is no time: 'soon'."),
        (dumps.message("x", created_at=10**30), "Its “created_at” is no time: "),
        (dumps.message("x", created_at=True), "Its “created_at” is no time: True."),
        (dumps.message("x", thread_id=None), "It has no “thread_id”."),
        (dumps.message("x", thread_id=5), "Its “thread_id” is no id: 5."),
        (dumps.message("x", id=None), "It has no “id”."),
        (dumps.message("x", id="msg_\x00"), "Its “id” is no id: 'msg_\\x00'."),
        (dumps.message("x", id="m" * 256), "Its “id” is no id: "),
        (dumps.message("x", metadata="none"), "Its “metadata” is no object: 'none'."),
        (dumps.message("x", metadata={"deep": nested(99)}), "It is nested more than 100 levels deep."),
        (dumps.message("x", attachments=["file-a"]), "Its “attachments” is no list of objects: "),
        (dumps.run("x", status="sleeping"), "Its status “sleeping” is none that a run has."),
        (dumps.run("x", usage={"prompt_tokens": 2**40}), "Its “prompt_tokens” is no number of tokens: "),
        (dumps.run("x", usage={"prompt_tokens": -1}), "Its “prompt_tokens” is no number of tokens: -1."),
        (dumps.run("x", tools={}), "Its “tools” is no list of objects: {}."),
        (dumps.run("x", model="m" * 300), "Its “model” is longer than 255 characters."),
        (dumps.run("x", temperature="hot"), "Its “temperature” is nothing that this can be: 'hot'."),
        (dumps.run("x", parallel_tool_calls=1), "Its “parallel_tool_calls” is nothing that this can be: 1."),
        (dumps.thread("x", tool_resources={"file_search": [1]}), "Its “file_search” is no object: [1]."),
        (dumps.step("x", {"type": "tool_calls", "tool_calls": [7]}), "Its “tool_calls” is no list of objects: [7]."),
        (dumps.step("x", {"type": "thinking"}), "Its type “thinking” is none that a step has."),
        (dumps.step("x", dumps.writing("y"), status="lost"), "Its status “lost” is none that a step has."),
        (dumps.assistant("x", name="n" * 257), "Its “name” is longer than 256 characters."),
        (dumps.assistant("x", model=None), "It names no “model”."),
        ({"object": "vector_store", "id": "vs_1"}, "Objects of the kind “vector_store” are not imported."),
        ({"hello": "world"}, "It does not say what it is: it has no “object”."),
        ("hello", "It is no JSON object."),
    ],
)
def test_what_cannot_be_used_is_refused_alone(load: Import, bad: Any, why: str) -> None:
    counts = load(bad, *GOOD)

    assert [refusal.reason.startswith(why) for refusal in load.refused] == [True]
    assert load.refused[0].place == "dump1.jsonl, line 1"
    assert counts["message"]["new"] == 1
    assert [row.preview for row in Message.objects.all()] == ["All is well"]
    assert not Run.objects.exists()
    assert not RunStep.objects.exists()


def test_a_place_in_a_document_is_a_path(load: Import, tmp_path: Any) -> None:
    export = dumps.export(messages=[dumps.message("q"), dumps.message("x", role="robot")])

    load.path(dumps.folder(tmp_path / "export", export))

    assert str(load.refused[0]) == (
        "threads/thread_abc.json messages [1]: message msg_x: Its role “robot” is neither user nor assistant."
    )


def test_what_no_database_stores_is_replaced(load: Import) -> None:
    load(
        dumps.thread(metadata={"a\x00": "\ud800", "n": 1e400, "many": [1, None]}),
        dumps.message("q", "NUL \x00 and half of a pair \udc00"),
    )

    assert (Message.objects.get().message or {})["content"] == "NUL \ufffd and half of a pair \ufffd"
    assert (ChatThread.objects.get().data or {})["metadata"] == {"a\ufffd": "\ufffd", "n": "null", "many": "[1, null]"}


def test_the_same_object_twice_counts_once(load: Import) -> None:
    counts = load(dumps.message("q"), dumps.message("q"), dumps.thread(), dumps.thread())

    assert counts["message"] == {"new": 1, "unchanged": 0, "refused": 0}


def test_another_object_with_the_same_id_is_refused(load: Import) -> None:
    load(dumps.message("q", "One"), dumps.message("q", "Two"), dumps.message("q", "One", of="b"))

    assert (
        load.reasons()
        == ["msg_q: Another message with this id was read before, at dump1.jsonl, line 1; that one was taken."] * 2
    )
    assert [row.preview for row in Message.objects.all()] == ["One"]


def test_what_is_nested_less_deeply_is_kept(load: Import) -> None:
    load(dumps.message("q", attachments=[{"file_id": "file-a", "more": nested(90)}]))

    assert (Message.objects.get().message or {})["attachments"][0]["more"] == nested(90)


def test_lists_in_lists_without_end_are_refused(load: Import) -> None:
    load(nested(900), *GOOD)

    assert [refusal.place[:19] for refusal in load.refused] == ["dump1.jsonl, line 1"]


def test_a_long_message_is_kept_whole(load: Import) -> None:
    load(dumps.message("q", "word " * 300_000))

    assert len((Message.objects.get().message or {})["content"]) == 1_500_000


@pytest.mark.parametrize(
    "packed",
    [
        {"object": "list", "data": [*GOOD], "first_id": "x", "last_id": "y", "has_more": False},
        [GOOD],
        {"threads": [{**GOOD[0], "messages": {"object": "list", "data": [GOOD[1]]}}]},
        {**GOOD[0], "messages": [{**GOOD[1], "object": None, "thread_id": "thread_good"}]},
        {"thread": "thread_good", "messages": [{key: GOOD[1][key] for key in ("id", "role", "content", "created_at")}]},
        {"data": [{key: value for key, value in each.items() if key != "object"} for each in GOOD]},
    ],
    ids=["page", "lists", "threads", "inside", "named", "without object"],
)
def test_objects_may_be_packed_in_many_ways(load: Import, packed: Any) -> None:
    counts = load(packed)

    assert (counts["thread"]["new"], counts["message"]["new"]) == (1, 1)
    assert load.refused == []
    assert ChatThread.objects.get().external_id == "thread_good"


@pytest.mark.parametrize(
    "moment", ["2024-05-01T12:00:00Z", "2024-05-01T14:00:00+02:00", str(dumps.BEGAN), dumps.BEGAN * 1000.0]
)
def test_times_may_be_written_in_many_ways(load: Import, moment: Any) -> None:
    load(dumps.message("q", created_at=moment))

    assert int(Message.objects.get().created.timestamp()) == dumps.BEGAN


def test_a_thread_that_the_database_does_not_take_is_refused_whole(load: Import) -> None:
    load(*GOOD)
    Message.objects.update(external_id="msg_other")  # which a message has once in a thread

    counts = load(*GOOD, dumps.message("other", of="good"), dumps.thread("b"), dumps.message("b", of="b"))

    assert counts["thread"] == {"new": 1, "unchanged": 0, "refused": 1}
    assert load.refused[0].reason.startswith("The database does not take it: ")
    assert Message.objects.count() == 2


SAID = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]


def test_more_tags_than_a_thread_can_carry_are_left_out_and_told(load: Import) -> None:
    many = [f"{number:032x}" for number in range(300)]

    counts = load(*({"id": name, "messages": SAID, "tags": many} for name in ("one", "two")), format_="chat")

    assert (counts["thread"]["new"], counts["tag"]["refused"]) == (2, 2)
    assert load.reasons()[0].startswith("one: Only 44 of the thread's 300 tags are kept")
    assert ChatThread.objects.get(external_id="one").tags == many[:44]


@pytest.mark.postgres
def test_a_thread_that_is_too_big_for_an_index_is_refused_alone(load: Import) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX of_the_installation ON ai_message (message)")
    big = {"role": "user", "content": "".join(f"{number * 7919:x}" for number in range(3000))}
    said = {"one": SAID, "big": [big, *SAID], "two": SAID}

    counts = load(*({"id": name, "messages": messages} for name, messages in said.items()), format_="chat")

    assert counts["thread"] == {"new": 2, "unchanged": 0, "refused": 1}
    assert "index row" in load.reasons()[0]


class TestWho:
    def test_needs_the_permission(self, tenant: Tenant, load: Import) -> None:
        path = dumps.lines(load.folder / "dump.jsonl", *GOOD)
        by = factories.staff("view_chatthread", tenants=(tenant,))

        with pytest.raises(Forbidden):
            loading.load(path=path, format_="assistants", tenant_id=tenant.pk, by=by, at=tenant.created)

    def test_needs_the_tenant_in_scope(self, tenant: Tenant, load: Import) -> None:
        path = dumps.lines(load.folder / "dump.jsonl", *GOOD)
        by = factories.staff("import_chatthread", tenants=(tenant,))

        with pytest.raises(NotFound):
            loading.load(path=path, format_="assistants", tenant_id=factories.tenant().pk, by=by, at=tenant.created)

        report = loading.load(path=path, format_="assistants", tenant_id=tenant.pk, by=by, at=tenant.created)
        assert report.new["message"] == 1

    def test_needs_a_format_that_is_known(self, tenant: Tenant, load: Import) -> None:
        by = factories.staff("import_chatthread", tenants=(tenant,))

        with pytest.raises(InvalidInput, match="choose one of auto, "):
            loading.load(path=load.folder, format_="parchment", tenant_id=tenant.pk, by=by, at=tenant.created)
