"""Threads."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from pydantic import BaseModel

from ai import ids, tenancy
from ai.exceptions import Conflict, NotFound, OutsideTenant
from ai.models import ChatThread, DataSource, Feedback, Message, SearchDocument, Tenant, ThreadTag
from tests import factories

pytestmark = pytest.mark.django_db


class TestGetOrAddThread:
    def test_makes_a_thread_titled_by_its_first_words(self, tenant: Tenant) -> None:
        thread = ChatThread.objects.get_or_add_thread(uuid4(), name="Where is my parcel? " * 20, user_id="u1")

        assert thread.tenant_id == tenant.pk
        assert thread.tags == ["chat"]
        assert thread.name is not None
        assert thread.name.startswith("Where is my parcel?")
        assert len(thread.name) <= 50
        assert thread.data is not None
        assert thread.data["tagged"] is False

    def test_takes_a_thread_without_a_name(self, tenant: Tenant) -> None:
        assert ChatThread.objects.get_or_add_thread(uuid4(), name=None).name == "New Chat"

    def test_returns_the_thread_that_exists(self, tenant: Tenant) -> None:
        first = ChatThread.objects.get_or_add_thread(uuid4(), name="One")

        again = ChatThread.objects.get_or_add_thread(ids.public("thread", first.pk), name="Two")

        assert again == first
        assert again.name == "One"

    def test_refuses_another_tenants_thread(self, tenant: Tenant) -> None:
        other = factories.thread(factories.tenant())

        with pytest.raises(NotFound):
            ChatThread.objects.get_or_add_thread(other.pk)

    def test_refuses_a_tenant_that_is_not_in_scope(self, tenant: Tenant) -> None:
        with pytest.raises(OutsideTenant):
            ChatThread.objects.get_or_add_thread(uuid4(), tenant_id=uuid4())


@pytest.mark.django_db(transaction=True)
class TestParallelCalls:
    def test_fifty_make_one_row(self, tenant: Tenant) -> None:
        thread_id = uuid4()

        def add(_: int) -> ChatThread:
            try:
                with tenancy.scope(tenant.pk):
                    thread: ChatThread = ChatThread.objects.get_or_add_thread(thread_id, name="Hello")
                    return thread
            finally:
                connections.close_all()

        with ThreadPoolExecutor(50) as pool:
            threads = list(pool.map(add, range(50)))

        assert {thread.pk for thread in threads} == {thread_id}
        assert ChatThread.objects.count() == 1
        assert SearchDocument.objects.count() == 1

    async def test_the_async_twin_makes_one_row_too(self, tenant: Tenant) -> None:
        import asyncio

        thread_id = uuid4()

        calls = [ChatThread.objects.aget_or_add_thread(thread_id, name="Hello") for _ in range(50)]
        threads = await asyncio.gather(*calls)

        assert {thread.pk for thread in threads} == {thread_id}
        assert await ChatThread.objects.acount() == 1

    def test_messages_appended_at_once_get_one_number_each(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant)

        def append(number: int) -> None:
            try:
                with tenancy.scope(tenant.pk):
                    Message.objects.create_message({"role": "user", "content": str(number)}, thread.pk)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(10) as pool:
            list(pool.map(append, range(40)))

        numbers = Message.objects.list_thread_messages(thread.pk).values_list("sequence", flat=True)
        assert list(numbers) == list(range(1, 41))
        thread.refresh_from_db()
        assert thread.message_count == 40

    def test_create_or_update_merges_into_one_row(self, tenant: Tenant) -> None:
        thread, message_id = factories.thread(tenant), str(uuid4())

        def write(number: int) -> None:
            try:
                with tenancy.scope(tenant.pk):
                    data = {"id": message_id, "role": "assistant", f"key{number}": number}
                    Message.objects.create_or_update(data, thread.pk)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(write, range(20)))

        message = Message.objects.get()
        assert message.message is not None
        assert {f"key{n}" for n in range(20)} <= set(message.message)

    def test_the_title_task_is_sent_after_the_commit_only(self, tenant: Tenant, sent_tasks: list[Any]) -> None:
        from django.db import transaction

        with transaction.atomic():
            thread = ChatThread.objects.get_or_add_thread(uuid4(), name="Hello there")
            assert sent_tasks == []

        name, kwargs = sent_tasks[0]
        assert name.endswith("trim_and_tag_thread_title_task")
        assert kwargs == {"name": "Hello there", "thread_id": str(thread.pk), "tenant_id": str(tenant.pk)}


class Content(BaseModel):
    type: str = "text"
    text: str


class Question(BaseModel):
    content: list[Content]


class NewThread(BaseModel):
    thread_id: str | None = None
    tenant_id: str | None = None
    user_id: str | None = None
    agent_id: str | None = None
    message: Question | None = None


class TestAddThread:
    def test_takes_a_pydantic_object_with_the_messages_words_as_title(self, tenant: Tenant) -> None:
        data = NewThread(
            thread_id=str(uuid4()),
            user_id="u1",
            agent_id="a1",
            message=Question(content=[Content(text="Book a table")]),
        )

        thread = ChatThread.objects.add_thread(data)

        assert (thread.name, thread.user_id, thread.tags) == ("Book a table", "u1", ["chat", "agent"])
        assert str(thread.pk) == data.thread_id

    def test_refuses_an_id_that_exists(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant)

        with pytest.raises(Conflict):
            ChatThread.objects.add_thread(NewThread(thread_id=str(thread.pk)))


class TestUpdateThread:
    def test_keeps_documents_tags_and_user(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant)
        file = DataSource.objects.add_file(b"a,b\n1,2\n", "figures.csv")
        data = SimpleNamespace(thread_id=thread.pk, document_ids=[file.file_id], tags=["vip"], user_id="u7")

        updated = ChatThread.objects.update_thread(data)

        assert updated is not None
        assert updated.data is not None
        assert updated.data["document_meta"] == [{"name": "figures.csv", "type": "file"}]
        assert (updated.tags, updated.user_id, updated.has_files) == (["vip"], "u7", True)
        assert list(ChatThread.objects.tagged("vip")) == [thread]

    def test_says_none_where_there_is_no_thread(self, tenant: Tenant) -> None:
        assert ChatThread.objects.update_thread(SimpleNamespace(thread_id=uuid4(), document_ids=[])) is None


class TestListThreads:
    def test_lists_the_users_threads_latest_first(self, tenant: Tenant) -> None:
        first = factories.thread(tenant, user_id="u1")
        second = factories.thread(tenant, user_id="u1")
        factories.thread(tenant, user_id="u2")
        first.add_message({"role": "user", "content": "again"})

        assert list(ChatThread.objects.list_threads("u1")) == [first, second]


class TestAddMessage:
    def test_writes_message_attachments_and_metadata_together(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant)
        file = DataSource.objects.add_file(b"hello", "note.txt")

        message = thread.add_message({"role": "user", "content": "See", "attachments": [{"file_id": file.file_id}]})

        assert message.sequence == 1
        assert thread.data is not None
        assert thread.data["document_ids"] == [file.file_id]
        assert thread.has_files
        assert thread.message_count == 1

    def test_writes_nothing_when_an_attachment_is_missing(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant)

        with pytest.raises(NotFound, match="No file found"):
            thread.add_message({"role": "user", "content": "See", "attachments": [{"file_id": "file-nope"}]})

        thread.refresh_from_db()
        assert thread.message_count == 0
        assert not Message.objects.exists()


class TestJson:
    def test_is_serialisable_as_it_stands(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, {"role": "user", "content": "Hi"}, tags=["a"], data={"k": 1})
        message = Message.objects.get()

        assert json.loads(json.dumps(thread.to_json()))["tenant_id"] == str(tenant.pk)
        assert json.loads(json.dumps(message.to_json()))["message"]["content"] == "Hi"

    def test_with_messages_costs_two_queries(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, *factories.talk(20))

        with CaptureQueriesContext(connection) as queries:
            found = json.loads(json.dumps(thread.to_json_with_messages()))

        assert len(queries) == 2
        assert [m["content"] for m in found["messages"]][:2] == ["user turn 0", "assistant turn 0"]


class TestDeleteThread:
    def test_takes_everything_of_the_thread_along(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, *factories.talk(2), tags=["x"])
        kept = factories.thread(tenant, *factories.talk(1))
        Message.objects.list_thread_messages(thread.pk)[1].add_feedback("up", "u1")

        ChatThread.objects.delete_thread(thread.pk)

        assert list(ChatThread.objects.all()) == [kept]
        assert Message.objects.count() == 2
        assert not Feedback.objects.exists()
        assert not ThreadTag.objects.filter(tag="x").exists()
        assert set(SearchDocument.objects.values_list("thread_id", flat=True)) == {kept.pk}


class TestRename:
    def test_is_found_by_the_new_title_only(self, tenant: Tenant) -> None:
        from django.utils import timezone

        thread = factories.thread(tenant, name="Parcels")

        ChatThread.objects.rename(thread.pk, name="  Broken\nlamps ", at=timezone.now())

        thread.refresh_from_db()
        assert thread.name == "Broken lamps"
        assert SearchDocument.objects.matching("parcels", most=5) == []
        assert [d.thread_id for d in SearchDocument.objects.matching("lamps", most=5)] == [thread.pk]
