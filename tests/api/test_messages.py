"""Messages over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ai import ids
from ai.models import (
    Assistant,
    ChatThread,
    DataSource,
    Feedback,
    Message,
    Run,
    SearchDocument,
    Tenant,
    VectorStore,
    VectorStoreFile,
)
from ai.models.runs import RunStatus
from ai.services import search
from tests import factories
from tests.api.calling import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def thread(tenant: Tenant) -> ChatThread:
    return factories.thread(tenant, name="New Chat")


@pytest.fixture
def path(thread: ChatThread) -> str:
    return f"/threads/{ids.public('thread', thread.pk)}/messages"


def run_of(thread: ChatThread, **values: Any) -> Run:
    return Run.objects.queue(Run(thread_id=str(thread.pk), tenant_id=thread.tenant_id, model="fast", **values))


def say(caller: Caller, path: str, content: Any, **values: Any) -> dict[str, Any]:
    answer = caller.post(path, {"role": "user", "content": content, **values})
    assert answer.status_code == 200, answer.data
    found: dict[str, Any] = answer.data
    return found


class TestCreate:
    def test_answers_with_every_key(self, caller: Caller, thread: ChatThread, path: str) -> None:
        made = say(caller, path, "Where is my parcel?", metadata={"a": "b"}, attachments=[])

        row = Message.objects.get()
        assert made == {
            "id": f"msg_{row.pk.hex}",
            "object": "thread.message",
            "created_at": int(row.created.timestamp()),
            "thread_id": f"thread_{thread.pk.hex}",
            "status": "completed",
            "incomplete_details": None,
            "completed_at": None,
            "incomplete_at": None,
            "role": "user",
            "content": [{"type": "text", "text": {"value": "Where is my parcel?", "annotations": []}}],
            "assistant_id": None,
            "run_id": None,
            "attachments": [],
            "metadata": {"a": "b"},
        }
        assert caller.get(f"{path}/{made['id']}").data == made

    def test_takes_pictures_and_texts_in_parts(self, caller: Caller, path: str) -> None:
        file = DataSource.objects.add_file(b"\x89PNG\r\n\x1a\n", name="a.png", purpose="vision")

        made = say(
            caller,
            path,
            [
                {"type": "text", "text": "What is this?"},
                {"type": "image_file", "image_file": {"file_id": file.file_id}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
            ],
        )

        assert made["content"] == [
            {"type": "text", "text": {"value": "What is this?", "annotations": []}},
            {"type": "image_file", "image_file": {"file_id": file.file_id, "detail": "auto"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        ]

    def test_takes_back_what_it_answered(self, caller: Caller, path: str) -> None:
        made = say(caller, path, "Hello")

        again = say(caller, path, made["content"])

        assert again["content"] == made["content"]

    def test_names_the_thread(self, caller: Caller, thread: ChatThread, path: str) -> None:
        say(caller, path, "Where is my parcel?")
        say(caller, path, "And my other parcel?")

        thread.refresh_from_db()
        assert (thread.name, thread.message_count) == ("Where is my parcel?", 2)

    def test_keeps_what_databases_cannot(self, caller: Caller, path: str) -> None:
        made = say(caller, path, "a\x00b\ud800c")

        assert made["content"][0]["text"]["value"] == "a\ufffdb\ufffdc"

    @pytest.mark.parametrize(
        ("wrong", "param"),
        [
            ({"role": None}, "role"),
            ({"role": "system"}, "role"),
            ({"content": None}, "content"),
            ({"content": ""}, "content"),
            ({"content": []}, "content"),
            ({"content": 5}, "content"),
            ({"content": {"type": "text", "text": "x"}}, "content"),
            ({"content": ["x"]}, "content[0]"),
            ({"content": [{"type": "text"}]}, "content[0].text"),
            ({"content": [{"type": "sound", "sound": {}}]}, "content[0]"),
            ({"content": [{"type": "image_url", "image_url": "x"}]}, "content[0].image_url"),
            ({"content": [{"type": "image_url", "image_url": {}}]}, "content[0].image_url.url"),
            ({"content": [{"type": "image_file", "image_file": {"file_id": 1}}]}, "content[0].image_file.file_id"),
            ({"attachments": [{"tools": []}]}, "attachments[0].file_id"),
            ({"attachments": [{"file_id": "x", "tools": [{"type": "magic"}]}]}, "attachments[0].tools[0].type"),
        ],
    )
    def test_says_what_is_wrong(self, caller: Caller, path: str, wrong: dict[str, Any], param: str) -> None:
        answer = caller.post(path, {"role": "user", "content": "Hi", **wrong})

        assert answer.status_code == 400, answer.data
        assert answer.data["error"]["param"] == param
        assert not Message.objects.exists()

    @pytest.mark.parametrize(
        "naming",
        [
            {"content": [{"type": "image_file", "image_file": {"file_id": "file-none"}}]},
            {"attachments": [{"file_id": "file-none", "tools": []}]},
        ],
    )
    def test_wants_files_that_are_there(self, caller: Caller, path: str, naming: dict[str, Any]) -> None:
        answer = caller.post(path, {"role": "user", "content": "Hi", **naming})

        assert answer.status_code == 404
        assert answer.data["error"]["message"] == "No file found with id 'file-none'."
        assert not Message.objects.exists()

    def test_no_file_has_no_name(self, caller: Caller, path: str) -> None:
        answer = caller.post(path, {"role": "user", "content": "Hi", "attachments": [{"file_id": "", "tools": []}]})

        assert answer.status_code == 404

    def test_gives_files_to_the_tools_they_are_attached_for(
        self, caller: Caller, thread: ChatThread, path: str
    ) -> None:
        file = DataSource.objects.add_file(b"a,b\n1,2\n", name="a.csv")
        attachments = [{"file_id": file.file_id, "tools": [{"type": "code_interpreter"}]}]

        made = say(caller, path, "Add these up", attachments=attachments)

        assert made["attachments"] == attachments
        found = caller.get(f"/threads/{ids.public('thread', thread.pk)}").data
        assert found["tool_resources"] == {"code_interpreter": {"file_ids": [file.file_id]}}


class TestLock:
    @pytest.mark.parametrize("status", ["queued", "in_progress", "requires_action", "cancelling"])
    def test_says_nothing_while_a_run_is_active(
        self, caller: Caller, thread: ChatThread, path: str, status: str
    ) -> None:
        run = run_of(thread, status=status)

        answer = caller.post(path, {"role": "user", "content": "Hi"})

        assert answer.status_code == 400
        assert answer.data["error"]["message"] == (
            f"Can't add messages to thread_{thread.pk.hex} while a run run_{run.pk.hex} is active."
        )
        assert not Message.objects.exists()

    def test_a_run_whose_time_is_over_is_no_hindrance(self, caller: Caller, thread: ChatThread, path: str) -> None:
        run = run_of(thread, status="requires_action", expires_at=timezone.now() - timedelta(seconds=1))

        say(caller, path, "Hi")

        run.refresh_from_db()
        assert run.status == RunStatus.EXPIRED

    def test_a_replay_is_no_hindrance(self, caller: Caller, thread: ChatThread, path: str) -> None:
        run_of(thread, replay_of_thread=thread.pk)

        say(caller, path, "Hi")


class TestIndex:
    def test_the_newest_is_first_and_tool_calls_are_not_messages(self, caller: Caller, tenant: Tenant) -> None:
        call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        thread = factories.thread(
            tenant,
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "42"},
            {"role": "assistant", "content": "two"},
        )

        page = caller.get(f"/threads/{ids.public('thread', thread.pk)}/messages").data

        assert [m["content"][0]["text"]["value"] for m in page["data"]] == ["two", "one"]
        assert (page["object"], page["has_more"]) == ("list", False)
        assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])

    def test_an_empty_list_has_no_ids(self, caller: Caller, path: str) -> None:
        assert caller.get(path).data == {
            "object": "list",
            "data": [],
            "first_id": None,
            "last_id": None,
            "has_more": False,
        }

    def test_finds_the_messages_of_a_run_with_its_assistant(
        self, caller: Caller, tenant: Tenant, thread: ChatThread, path: str
    ) -> None:
        assistant = Assistant.objects.create(tenant_id=tenant.pk, name="A", model="fast")
        run = run_of(thread, assistant_id=assistant.pk)
        Message.objects.append([{"role": "user", "content": "Hi"}], thread_id=thread.pk)
        Message.objects.append([{"role": "assistant", "content": "Hello"}], thread_id=thread.pk, run_id=run.pk)

        found = caller.get(f"{path}?run_id={ids.public('run', run.pk)}").data["data"]

        assert [m["content"][0]["text"]["value"] for m in found] == ["Hello"]
        assert found[0]["run_id"] == ids.public("run", run.pk)
        assert found[0]["assistant_id"] == ids.public("assistant", assistant.pk)
        assert caller.get(f"{path}?run_id=run_none").data["data"] == []

    def test_shows_an_answer_that_was_cut_off(self, caller: Caller, thread: ChatThread, path: str) -> None:
        said = {
            "role": "assistant",
            "content": "I thi",
            "status": "incomplete",
            "incomplete_details": {"reason": "max_tokens"},
        }
        Message.objects.append([said], thread_id=thread.pk)

        found = caller.get(path).data["data"][0]

        assert (found["status"], found["incomplete_details"]) == ("incomplete", {"reason": "max_tokens"})
        assert found["completed_at"] is None
        assert found["incomplete_at"] == found["created_at"]

    def test_shows_what_an_answer_cites(self, caller: Caller, thread: ChatThread, path: str) -> None:
        cited = {
            "type": "file_citation",
            "text": "[1]",
            "start_index": 0,
            "end_index": 3,
            "file_citation": {"file_id": "f"},
        }
        Message.objects.append([{"role": "assistant", "content": "[1]", "annotations": [cited]}], thread_id=thread.pk)

        assert caller.get(path).data["data"][0]["content"][0]["text"]["annotations"] == [cited]


class TestModify:
    def test_replaces_the_metadata_alone(self, caller: Caller, path: str) -> None:
        made = say(caller, path, "Hi", metadata={"a": "1"})

        after = caller.post(f"{path}/{made['id']}", {"metadata": {"b": "2"}}).data

        assert after == {**made, "metadata": {"b": "2"}}
        assert caller.post(f"{path}/{made['id']}", {}).data == after


class TestDelete:
    def test_deletes_it_with_what_hangs_on_it(self, caller: Caller, thread: ChatThread, path: str) -> None:
        made = say(caller, path, "Where is my parcel?")
        row = Message.objects.get()
        row.add_feedback("down", "ada")
        say(caller, path, "Hello")

        answer = caller.delete(f"{path}/{made['id']}")

        thread.refresh_from_db()
        assert answer.data == {"id": made["id"], "object": "thread.message.deleted", "deleted": True}
        assert caller.get(f"{path}/{made['id']}").status_code == 404
        assert (thread.message_count, thread.feedback) == (1, "")
        assert not Feedback.objects.exists()
        assert not SearchDocument.objects.filter(message_id=row.pk).exists()
        assert len(search.threads("hello")) == 1


class TestOtherThreads:
    def test_a_message_is_found_in_its_own_thread_alone(self, caller: Caller, tenant: Tenant, path: str) -> None:
        made = say(caller, path, "Hi")
        other = factories.thread(tenant)
        wrong = f"/threads/{ids.public('thread', other.pk)}/messages/{made['id']}"

        answers = [caller.get(wrong), caller.post(wrong, {"metadata": {}}), caller.delete(wrong)]

        assert {answer.status_code for answer in answers} == {404}
        assert answers[0].data["error"]["message"] == f"No message found with id '{made['id']}'."


class TestFilesToSearch:
    @pytest.fixture
    def attachments(self, tenant: Tenant) -> list[dict[str, Any]]:
        file = DataSource.objects.add_file(b"The parcel left on Monday.", name="a.txt")
        return [{"file_id": file.file_id, "tools": [{"type": "file_search"}]}]

    def test_get_a_vector_store_where_there_is_none(
        self, caller: Caller, thread: ChatThread, path: str, attachments: list[dict[str, Any]]
    ) -> None:
        say(caller, path, "When did it leave?", attachments=attachments)
        say(caller, path, "And when did it arrive?", attachments=attachments)

        found = caller.get(f"/threads/{ids.public('thread', thread.pk)}").data["tool_resources"]
        (store,) = VectorStore.objects.all()
        assert found == {"file_search": {"vector_store_ids": [ids.public("vector_store", store.pk)]}}
        assert [row.file_id for row in VectorStoreFile.objects.all()] == [attachments[0]["file_id"]]

    def test_get_one_with_the_thread(self, caller: Caller, attachments: list[dict[str, Any]]) -> None:
        said = {"role": "user", "content": "When did it leave?", "attachments": attachments}

        made = caller.post("/threads", {"messages": [said]}).data

        (store,) = VectorStore.objects.all()
        assert made["tool_resources"]["file_search"]["vector_store_ids"] == [ids.public("vector_store", store.pk)]

    @pytest.mark.parametrize(
        ("path_of", "expires"),
        [("/threads", {"anchor": "last_active_at", "days": 7}), ("/assistants", None)],
    )
    def test_are_put_into_a_new_store_that_is_asked_for(
        self, caller: Caller, attachments: list[dict[str, Any]], path_of: str, expires: Any
    ) -> None:
        factories.language_model(alias="fast")
        new = {"file_ids": [attachments[0]["file_id"]], "metadata": {"a": "b"}}
        body = {"model": "fast"} if path_of == "/assistants" else {}

        made = caller.post(path_of, {**body, "tool_resources": {"file_search": {"vector_stores": [new]}}}).data

        (store,) = VectorStore.objects.all()
        assert made["tool_resources"]["file_search"]["vector_store_ids"] == [ids.public("vector_store", store.pk)]
        assert (store.metadata, store.expires_after) == ({"a": "b"}, expires)

    def test_a_key_that_only_reads_attaches_nothing(
        self, tenant: Tenant, path: str, attachments: list[dict[str, Any]]
    ) -> None:
        reader = Caller.of(tenant, scopes=["read"])

        answer = reader.post(path, {"role": "user", "content": "Hi", "attachments": attachments})

        assert answer.status_code == 403
        assert not VectorStore.objects.exists()
