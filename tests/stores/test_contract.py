"""One suite for every store: the managers on the database, and the twins in memory."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.test import override_settings

from ai import tenancy
from ai.exceptions import Conflict, NotFound, TooLarge
from ai.models import ChatThread, DataSource, Message
from ai.stores import (
    BaseChatStore,
    BaseFileStore,
    BaseThreadStore,
    MemoryChatStore,
    MemoryFileStore,
    MemoryThreadStore,
)
from tests import factories


@dataclass
class Stores:
    threads: BaseThreadStore
    chat: BaseChatStore
    files: BaseFileStore


@pytest.fixture(params=[pytest.param("database", marks=pytest.mark.django_db(transaction=True)), "memory"])
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    if request.param == "memory":
        files = MemoryFileStore()
        threads = MemoryThreadStore(files)
        yield Stores(threads, MemoryChatStore(threads), files)
    else:
        with tenancy.scope(factories.tenant().pk):
            yield Stores(ChatThread.objects, Message.objects, DataSource.objects)


class TestThreadStore:
    def test_gets_what_was_added(self, stores: Stores) -> None:
        added = stores.threads.add_thread({"user_id": "u1", "agent_id": "a"})

        found = stores.threads.get_thread(added.id)

        assert (found.id, found.user_id, found.tags) == (added.id, "u1", ["chat", "agent"])
        assert found.to_json()["id"] == str(added.id)

    def test_does_not_add_twice(self, stores: Stores) -> None:
        key = uuid4()
        stores.threads.add_thread({"thread_id": str(key)})

        with pytest.raises(Conflict):
            stores.threads.add_thread({"thread_id": str(key)})

    def test_gets_or_adds(self, stores: Stores) -> None:
        key = uuid4()

        first = stores.threads.get_or_add_thread(key, name="Hello", user_id="u1", tags=["x"])
        second = stores.threads.get_or_add_thread(str(key), name="Other")

        assert (first.id, first.name, first.tags) == (second.id, second.name, second.tags) == (key, "Hello", ["x"])

    @pytest.mark.parametrize("thread_id", [uuid4(), "thread_nope", "", "\x00"], ids=["uuid", "word", "empty", "nul"])
    def test_refuses_what_is_not_there(self, stores: Stores, thread_id: object) -> None:
        with pytest.raises(NotFound):
            stores.threads.get_thread(thread_id)  # type: ignore[arg-type]
        with pytest.raises(NotFound):
            stores.threads.delete_thread(thread_id)  # type: ignore[arg-type]

    def test_updates_documents(self, stores: Stores) -> None:
        thread = stores.threads.get_or_add_thread(uuid4())
        file = stores.files.add_file(b"x", "x.txt")
        data = SimpleNamespace(thread_id=thread.id, document_ids=[file.file_id], tags=["t"], user_id="u2")

        updated = stores.threads.update_thread(data)

        assert updated.data["document_ids"] == [file.file_id]
        assert updated.data["document_meta"] == [{"name": "x.txt", "type": "file"}]
        assert (updated.tags, updated.user_id) == (["t"], "u2")
        assert stores.threads.update_thread(SimpleNamespace(thread_id=uuid4(), document_ids=[])) is None

    def test_lists_a_users_threads_latest_first(self, stores: Stores) -> None:
        keys = [stores.threads.get_or_add_thread(uuid4(), user_id="u1").id for _ in range(3)]
        stores.threads.get_or_add_thread(uuid4(), user_id="u2")

        assert [thread.id for thread in stores.threads.list_threads("u1")] == keys[::-1]

    async def test_has_async_twins(self, stores: Stores) -> None:
        thread = await stores.threads.aadd_thread({"user_id": "u1"})

        assert (await stores.threads.aget_thread(thread.id)).id == thread.id
        assert (await stores.threads.aget_or_add_thread(thread.id)).id == thread.id
        assert [t.id for t in await stores.threads.alist_threads("u1")] == [thread.id]
        assert (await stores.threads.aupdate_thread({"thread_id": thread.id, "tags": ["n"]})).tags == ["n"]
        await stores.threads.adelete_thread(thread.id)
        with pytest.raises(NotFound):
            await stores.threads.aget_thread(thread.id)


class TestChatStore:
    def test_keeps_the_order(self, stores: Stores) -> None:
        thread = stores.threads.get_or_add_thread(uuid4())
        one = {"data": {"role": "user", "content": "1"}, "thread_id": thread.id}
        two = {"data": {"role": "assistant", "content": "2"}, "thread_id": thread.id}

        stores.chat.create_many([one, two])
        stores.chat.create_message({"role": "user", "content": "3"}, thread.id, run_id="r1")

        messages = list(stores.chat.list_thread_messages(thread.id))
        assert [m.message["content"] for m in messages] == ["1", "2", "3"]
        assert messages[2].run_id == "r1"
        assert stores.chat.get_message(messages[0].id).to_json()["message"]["content"] == "1"

    def test_writes_all_of_many_or_none(self, stores: Stores) -> None:
        thread = stores.threads.get_or_add_thread(uuid4())
        good = {"data": {"role": "user", "content": "1"}, "thread_id": thread.id}

        with pytest.raises(NotFound):
            stores.chat.create_many([good, {**good, "thread_id": uuid4()}])

        assert list(stores.chat.list_thread_messages(thread.id)) == []

    def test_merges_by_id(self, stores: Stores) -> None:
        thread, other, key = (
            stores.threads.get_or_add_thread(uuid4()),
            stores.threads.get_or_add_thread(uuid4()),
            str(uuid4()),
        )

        stores.chat.create_or_update({"id": key, "role": "user", "content": "a"}, thread.id)
        merged = stores.chat.create_or_update({"id": key, "content": "b"}, thread.id)

        assert merged.message == {"id": key, "role": "user", "content": "b"}
        assert len(list(stores.chat.list_thread_messages(thread.id))) == 1
        with pytest.raises(Conflict):
            stores.chat.create_or_update({"id": key, "content": "c"}, other.id)
        with pytest.raises(Conflict):
            stores.chat.create_message({"id": key, "role": "user", "content": "d"}, thread.id)

    def test_refuses_a_thread_that_is_not_there(self, stores: Stores) -> None:
        with pytest.raises(NotFound):
            stores.chat.create_message({"role": "user", "content": "1"}, uuid4())
        with pytest.raises(NotFound):
            stores.chat.get_message(uuid4())

    async def test_has_async_twins(self, stores: Stores) -> None:
        thread = await stores.threads.aget_or_add_thread(uuid4())
        data = {"role": "user", "content": "1"}

        first = await stores.chat.acreate_message(data, thread.id)
        await stores.chat.acreate_many([{"data": data, "thread_id": thread.id}])
        await stores.chat.acreate_or_update({**data, "id": str(uuid4())}, thread.id)

        assert (await stores.chat.aget_message(first.id)).id == first.id
        assert len(await stores.chat.alist_thread_messages(thread.id)) == 3


class TestFileStore:
    def test_finds_size_digest_and_type_by_content(self, stores: Stores) -> None:
        png = b"\x89PNG\r\n\x1a\n" + bytes(64)

        file = stores.files.add_file(io.BytesIO(png), "../../etc/picture.txt", purpose="vision")

        assert (file.name, file.purpose, file.bytes) == ("picture.txt", "vision", len(png))
        assert file.sha256 == hashlib.sha256(png).hexdigest()
        assert file.mime_type == "image/png"
        assert b"".join(stores.files.read_file(file.file_id)) == png
        assert file.attachment_reference()["metadata"]["name"] == "picture.txt"

    @pytest.mark.parametrize(
        ("content", "name", "mime_type"),
        [
            (b"a,b\n1,2\n", "t.csv", "text/csv"),
            ("héllo".encode(), "t.bin", "text/plain"),
            (b'{"a": 1}', "t.json", "application/json"),
            (b"%PDF-1.7\n%\xe2\xe3\n", "t.txt", "application/pdf"),
            (b"\x00\x01\x02\x03", "t.csv", "application/octet-stream"),
            (b"", "empty.md", "text/markdown"),
        ],
    )
    def test_believes_the_content_more_than_the_name(
        self, stores: Stores, content: bytes, name: str, mime_type: str
    ) -> None:
        assert stores.files.add_file(content, name).mime_type == mime_type

    def test_keeps_equal_files_apart(self, stores: Stores) -> None:
        one, two = stores.files.add_file(b"same", "a.txt"), stores.files.add_file(b"same", "a.txt")

        assert one.file_id != two.file_id
        assert [f.file_id for f in stores.files.list_files()] == [two.file_id, one.file_id]
        stores.files.delete_file(one.file_id)
        assert b"".join(stores.files.read_file(two.file_id)) == b"same"
        with pytest.raises(NotFound):
            stores.files.get_file(one.file_id)

    @override_settings(AI_MAX_FILE_BYTES=10)
    def test_refuses_what_is_too_large_and_keeps_nothing(self, stores: Stores) -> None:
        with pytest.raises(TooLarge, match="10 bytes"):
            stores.files.add_file(io.BytesIO(b"x" * 11), "big.bin")

        assert list(stores.files.list_files()) == []
        assert stores.files.add_file(b"x" * 10, "fits.bin").bytes == 10

    async def test_has_async_twins(self, stores: Stores) -> None:
        file = await stores.files.aadd_file(b"hello", "a.txt")

        assert (await stores.files.aget_file(file.file_id)).bytes == 5
        assert await stores.files.aread_file(file.file_id) == b"hello"
        assert [f.file_id for f in await stores.files.alist_files()] == [file.file_id]
        await stores.files.adelete_file(file.file_id)
        assert await stores.files.alist_files() == []
