"""Messages and their feedback."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from ai.exceptions import Conflict, NotFound
from ai.models import ChatThread, DataSource, Feedback, Message, SearchDocument, Tenant
from tests import factories

pytestmark = pytest.mark.django_db


class Said(BaseModel):
    role: str
    content: str
    run_id: str | None = None
    id: str | None = None


class TestCreateMessage:
    @pytest.mark.parametrize("data", [{"role": "user", "content": "Hi"}, Said(role="user", content="Hi")])
    def test_takes_dicts_and_pydantic_objects(self, tenant: Tenant, data: Any) -> None:
        thread = factories.thread(tenant)

        message = Message.objects.create_message(data, thread.pk, tenant.pk)

        assert message.message == {"role": "user", "content": "Hi"}
        assert (message.role, message.preview, message.sequence) == ("user", "Hi", 1)

    def test_refuses_a_thread_that_does_not_exist(self, tenant: Tenant) -> None:
        with pytest.raises(NotFound):
            Message.objects.create_message({"role": "user", "content": "Hi"}, uuid4())

    def test_refuses_another_tenants_thread(self, tenant: Tenant) -> None:
        other = factories.thread(factories.tenant())

        with pytest.raises(NotFound):
            Message.objects.create_message({"role": "user", "content": "Hi"}, other.pk)

    def test_keeps_what_no_database_could(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant)

        message = Message.objects.create_message(
            {"role": "user", "content": "a\x00b\ud800c", "n": float("nan")}, thread.pk
        )

        message.refresh_from_db()
        assert message.message == {"role": "user", "content": "a\ufffdb\ufffdc", "n": None}


class TestCreateMany:
    def test_writes_all_or_none(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant)
        good = {"data": {"role": "user", "content": "Hi"}, "thread_id": thread.pk, "tenant_id": tenant.pk}
        bad = {"data": {"role": "user", "content": "Hi"}, "thread_id": uuid4(), "tenant_id": tenant.pk}

        with pytest.raises(NotFound):
            Message.objects.create_many([good, bad])
        assert not Message.objects.exists()

        assert len(Message.objects.create_many([good, good])) == 2
        assert ChatThread.objects.get().message_count == 2


class TestCreateOrUpdate:
    def test_merges_over_the_message_with_the_same_id(self, tenant: Tenant) -> None:
        thread, key = factories.thread(tenant), str(uuid4())
        Message.objects.create_or_update({"id": key, "role": "assistant", "content": "Hel", "extra": 1}, thread.pk)

        message = Message.objects.create_or_update(Said(id=key, role="assistant", content="Hello"), thread.pk)

        assert message.message is not None
        assert (message.message["content"], message.message["extra"]) == ("Hello", 1)
        assert Message.objects.count() == 1
        assert [match.message_id for match in SearchDocument.objects.matching("hello", most=3)] == [message.pk]

    @pytest.mark.django_db(transaction=True)
    async def test_the_async_twin_does_the_same(self, tenant: Tenant) -> None:
        from asgiref.sync import sync_to_async

        thread, key = await sync_to_async(factories.thread)(tenant), str(uuid4())

        await Message.objects.acreate_or_update({"id": key, "role": "user", "content": "a"}, thread.pk)
        message = await Message.objects.acreate_or_update({"id": key, "content": "b"}, thread.pk)

        assert message.message == {"id": key, "role": "user", "content": "b"}

    def test_finds_foreign_ids_within_the_thread(self, tenant: Tenant) -> None:
        one, two = factories.thread(tenant), factories.thread(tenant)

        for thread in (one, two, one):
            Message.objects.create_or_update({"id": "msg_abc", "role": "user", "content": "x"}, thread.pk)

        assert Message.objects.filter(external_id="msg_abc").count() == 2

    def test_refuses_a_message_of_another_thread(self, tenant: Tenant) -> None:
        one, two, key = factories.thread(tenant), factories.thread(tenant), str(uuid4())
        Message.objects.create_or_update({"id": key, "role": "user", "content": "x"}, one.pk)

        with pytest.raises(Conflict):
            Message.objects.create_or_update({"id": key, "role": "user", "content": "y"}, two.pk)


class TestAddFeedback:
    @pytest.fixture
    def message(self, tenant: Tenant) -> Message:
        factories.thread(tenant, *factories.talk(1))
        message: Message = Message.objects.get(role="assistant")
        return message

    def test_keeps_everybodys(self, message: Message) -> None:
        message.add_feedback("up", "ana")
        message.add_feedback({"rating": "down", "comment": "Wrong city"}, "bo")

        assert dict(Feedback.objects.values_list("user_id", "rating")) == {"ana": "up", "bo": "down"}
        assert message.data is not None
        latest = {"user_id": "bo", "feedback": {"rating": "down", "comment": "Wrong city"}}
        assert message.data["feedback"] == latest
        assert ChatThread.objects.get().feedback == "mixed"

    def test_keeps_a_changed_mind_in_the_history(self, message: Message) -> None:
        message.add_feedback("up", "ana")
        message.add_feedback("down", "ana")

        row = Feedback.objects.get()
        assert row.rating == "down"
        assert [entry["rating"] for entry in row.history] == ["up"]

    @pytest.mark.parametrize(
        ("given", "rating", "score", "comment"),
        [
            (True, "up", None, ""),
            (False, "down", None, ""),
            (1, "up", None, ""),
            (-1, "down", None, ""),
            (5, "up", 5, ""),
            (3, "", 3, ""),
            (2, "down", 2, ""),
            ("thumbs_up", "up", None, ""),
            ("thumbs_down", "down", None, ""),
            ("The answer is rude", "", None, "The answer is rude"),
            ({"score": 1, "comment": "no"}, "down", 1, "no"),
        ],
    )
    def test_reads_every_form(self, message: Message, given: Any, rating: str, score: float, comment: str) -> None:
        row = message.add_feedback(given, "ana")

        assert (row.rating, row.score, row.comment) == (rating, score, comment)


class TestSaveMessageInfo:
    def test_really_saves(self, tenant: Tenant) -> None:
        factories.thread(tenant, *factories.talk(1))
        message = Message.objects.get(role="assistant")

        message.save_message_info(SimpleNamespace(feedback={"user_id": "ana", "feedback": "up"}, source="widget"))

        message.refresh_from_db()
        assert message.data == {"source": "widget", "feedback": {"user_id": "ana", "feedback": "up"}}
        assert Feedback.objects.get().rating == "up"


class TestAttachments:
    def test_of_a_merged_message_are_kept_or_refused(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant)
        file = DataSource.objects.add_file(b"hello", "note.txt")
        said = {"id": str(uuid4()), "role": "user", "content": "See"}
        Message.objects.create_or_update(said, thread.pk)

        Message.objects.create_or_update({**said, "attachments": [{"file_id": file.file_id}]}, thread.pk)

        thread.refresh_from_db()
        assert thread.has_files
        with pytest.raises(NotFound, match="No file found"):
            Message.objects.create_or_update({**said, "attachments": [{"file_id": "file-nope"}]}, thread.pk)

    def test_a_thread_of_another_tenant_than_the_one_named_is_not_found(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant)

        with pytest.raises(NotFound):
            Message.objects.create_message({"role": "user", "content": "Hi"}, thread.pk, uuid4())
        assert not Message.objects.exists()
