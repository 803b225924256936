"""Threads over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from ai import ids, tenancy
from ai.models import ChatThread, ForeignId, Message, Tenant
from tests import factories
from tests.api.calling import Caller

pytestmark = pytest.mark.django_db


def create(caller: Caller, **values: Any) -> dict[str, Any]:
    answer = caller.post("/threads", values)
    assert answer.status_code == 200, answer.data
    found: dict[str, Any] = answer.data
    return found


class TestCreate:
    @pytest.mark.parametrize(
        "body", [None, {}, {"messages": None}, {"messages": []}, {"tool_resources": {}, "metadata": {}}]
    )
    def test_needs_nothing(self, caller: Caller, body: Any) -> None:
        answer = caller.post("/threads", body)

        row = ChatThread.objects.get()
        assert answer.data == {
            "id": f"thread_{row.pk.hex}",
            "object": "thread",
            "created_at": int(row.created.timestamp()),
            "metadata": {},
            "tool_resources": {},
        }
        assert (row.source, row.name) == ("api", "New Chat")

    def test_takes_messages_in_order(self, caller: Caller) -> None:
        said = [
            {"role": "user", "content": "Where is my parcel?", "metadata": None, "attachments": None},
            {"role": "assistant", "content": [{"type": "text", "text": "On its way."}], "metadata": {"a": "b"}},
        ]

        made = create(caller, messages=said)

        row = ChatThread.objects.get()
        assert [m.message for m in Message.objects.list_thread_messages(row.pk)] == [
            {"role": "user", "content": "Where is my parcel?"},
            {"role": "assistant", "content": [{"type": "text", "text": "On its way."}], "metadata": {"a": "b"}},
        ]
        assert made["id"] == ids.public("thread", row.pk)

    def test_is_named_after_what_its_user_says_first(self, caller: Caller) -> None:
        create(caller, messages=[{"role": "user", "content": "Hello there! Where is my parcel?"}])

        assert ChatThread.objects.get().name == "Where is my parcel?"

    def test_makes_nothing_when_a_message_is_wrong(self, caller: Caller) -> None:
        answer = caller.post(
            "/threads", {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": ""}]}
        )

        assert answer.status_code == 400
        assert answer.data["error"]["param"] == "messages[1].content"
        assert not ChatThread.objects.exists()

    @pytest.mark.parametrize("metadata", [{"a": None}, [], "x", {"a": {"b": "c"}}])
    def test_wants_metadata_of_texts(self, caller: Caller, metadata: Any) -> None:
        answer = caller.post("/threads", {"metadata": metadata})

        assert answer.status_code == 400
        assert answer.data["error"]["param"].startswith("metadata")


class TestModify:
    def test_replaces_metadata_and_leaves_the_rest(self, caller: Caller) -> None:
        made = create(caller, metadata={"a": "1", "b": "2"}, messages=[{"role": "user", "content": "Hi"}])

        after = caller.post(f"/threads/{made['id']}", {"metadata": {"a": "3"}}).data

        assert after == {**made, "metadata": {"a": "3"}}
        assert caller.post(f"/threads/{made['id']}", {"metadata": None}).data == after
        assert caller.get(f"/threads/{made['id']}").data == after

    def test_keeps_what_else_is_known_of_a_thread(self, caller: Caller, tenant: Tenant) -> None:
        row = factories.thread(tenant, data={"snippet": "Hi", "tagged": True})

        caller.post(f"/threads/{ids.public('thread', row.pk)}", {"metadata": {"a": "b"}})

        row.refresh_from_db()
        assert row.data == {"snippet": "Hi", "tagged": True, "metadata": {"a": "b"}}


class TestDelete:
    def test_deletes_it_with_its_messages(self, caller: Caller) -> None:
        made = create(caller, messages=[{"role": "user", "content": "Hi"}])

        answer = caller.delete(f"/threads/{made['id']}")

        assert answer.data == {"id": made["id"], "object": "thread.deleted", "deleted": True}
        assert caller.get(f"/threads/{made['id']}").status_code == 404
        assert not Message.objects.exists()


class TestIndex:
    def test_lists_and_searches(self, caller: Caller, tenant: Tenant) -> None:
        one = create(caller, messages=[{"role": "user", "content": "Where is my parcel?"}])
        two = create(caller, messages=[{"role": "user", "content": "Cancel the order"}])
        mine = factories.thread(tenant, user_id="ada")

        assert [row["id"] for row in caller.get("/threads").data["data"]][1:] == [two["id"], one["id"]]
        assert [row["id"] for row in caller.get("/threads?q=parcel").data["data"]] == [one["id"]]
        assert caller.get("/threads?q=unheard").data["data"] == []
        assert [row["id"] for row in caller.get("/threads?user=ada").data["data"]] == [ids.public("thread", mine.pk)]


class TestAdoptedIds:
    def test_a_thread_that_was_imported_keeps_its_id(self, caller: Caller, tenant: Tenant) -> None:
        key = ForeignId.objects.adopt(["thread_abc123"], tenant_id=tenant.pk)["thread_abc123"]
        factories.thread(tenant, *factories.talk(1), id=key)

        thread = caller.get("/threads/thread_abc123")
        said = caller.get("/threads/thread_abc123/messages").data["data"]

        assert thread.data["id"] == "thread_abc123"
        assert {message["thread_id"] for message in said} == {"thread_abc123"}
        assert [row["id"] for row in caller.get("/threads?after=thread_abc123&order=asc").data["data"]] == []

    def test_another_tenants_thread_of_the_same_id_is_another(self, stranger: Caller, tenant: Tenant) -> None:
        key = ForeignId.objects.adopt(["thread_abc123"], tenant_id=tenant.pk)["thread_abc123"]
        factories.thread(tenant, id=key)

        answer = stranger.get("/threads/thread_abc123")

        assert answer.status_code == 404
        assert answer.data["error"]["message"] == "No thread found with id 'thread_abc123'."


@pytest.mark.parametrize("junk", ["thread_", "x", "%00", "thread_%00", "%F0%9F%98%80", "thread_" + "0" * 5000, "..."])
def test_junk_is_no_thread(caller: Caller, junk: str) -> None:
    answer = caller.get(f"/threads/{junk}")

    assert answer.status_code == 404
    assert answer.data["error"]["message"].startswith("No thread found with id '")


def test_a_threads_scope_ends_with_the_request(caller: Caller, tenant: Tenant) -> None:
    with tenancy.scope():
        caller.get("/threads")

        assert tenancy.current().tenants == frozenset()
