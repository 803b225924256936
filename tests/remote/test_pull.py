"""What comes from Assistants-style threads, and what a second look costs."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from ai.models import ChatThread, DataSource, Message, RemoteConnection, SyncedMessage, Tenant, ThreadSync
from tests.fakes.remotes import RemoteServer
from tests.remote.syncing import linked, results, sync, texts

pytestmark = pytest.mark.django_db


class TestFirstPull:
    def test_brings_every_message_in_order(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, server.state.thread(*(f"word {number}" for number in range(250))))

        job = sync(thread)

        assert (job.status, job.done, job.failed) == ("completed", 1, 0)
        assert texts(thread) == [f"word {number}" for number in range(250)]
        assert (thread.sync_state, thread.message_count, thread.last_sequence) == ("linked", 250, 250)
        assert thread.name == "word 0"
        assert results(job) == ["250 came"]
        assert len(server.lists()) == 3

    def test_keeps_roles_times_ids_and_metadata(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        key = server.state.thread("Where is it?")
        given = server.state.say(key, "In Hamburg.", role="assistant", metadata={"mood": "good"})
        thread = linked(tenant, key)

        sync(thread)

        answer = Message.objects.get(external_id=given["id"])
        assert (answer.role, answer.message["metadata"]) == ("assistant", {"mood": "good"})
        assert answer.created.timestamp() == given["created_at"]

    def test_brings_files_once(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        paper = server.state.file(b"The parcel left on Monday.", name="parcel.txt")
        twin = server.state.file(b"The parcel left on Monday.", name="copy.txt")
        attached = [{"file_id": key, "tools": [{"type": "file_search"}]} for key in (paper, twin)]
        first = linked(tenant, server.state.thread("Read this", attachments=attached))
        second = linked(tenant, server.state.thread("And again", attachments=attached[:1]))

        sync(first, second)

        file = DataSource.objects.get()
        assert (file.name, file.file.read()) == ("parcel.txt", b"The parcel left on Monday.")
        rows = Message.objects.order_by("pk")
        assert {item["file_id"] for row in rows for item in row.message["attachments"]} == {file.file_id}
        assert first.has_files
        file.file.close()

    def test_takes_no_half_a_file(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        key = server.state.file(b"The parcel left on Monday.")
        thread = linked(tenant, server.state.thread("Read this", attachments=[{"file_id": key}]))
        whole = server.state.files[key]
        server.state.files[key] = (whole[0], whole[1][:10])

        broken = sync(thread)
        server.state.files[key] = whole
        mended = sync(thread)

        assert "came incomplete: 10 of 26 bytes" in results(broken)[0]
        assert results(mended) == ["1 came, 1 file came along"]

    def test_says_which_file_did_not_come(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        key = server.state.file(b"secret", purpose="private")
        thread = linked(tenant, server.state.thread("Read this", attachments=[{"file_id": key}]))

        job = sync(thread)

        assert results(job)[0].startswith(f"1 came; The file {key} did not come along: The server answered 400.")
        assert texts(thread) == ["Read this"]


class TestSecondSync:
    def test_makes_one_list_call_and_writes_nothing(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, server.state.thread("one", "two", "three"))
        sync(thread)
        server.requests.clear()
        before = world()

        job = sync(thread)

        assert results(job) == ["In step"]
        assert server.requests == server.lists()
        assert len(server.requests) == 1
        assert world() == before

    def test_reads_back_to_what_is_known(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, key := server.state.thread(*map(str, range(350))))
        sync(thread)
        server.state.say(key, "new", role="assistant")
        server.requests.clear()

        sync(thread)

        assert len(server.requests) == 1
        assert texts(thread)[-2:] == ["349", "new"]
        assert thread.sync_state == "linked"

    def test_brings_an_edit(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        thread = linked(tenant, key := server.state.thread("one", "two"))
        sync(thread)
        server.state.edit(key, 1, "two, corrected")

        job = sync(thread)

        assert results(job) == ["1 changed"]
        assert texts(thread) == ["one", "two, corrected"]


class TestGone:
    def test_keeps_everything_here(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        thread = linked(tenant, key := server.state.thread("one", "two"))
        sync(thread)
        del server.state.threads[key]

        job = sync(thread)

        assert (job.done, job.failed) == (1, 0)
        assert thread.sync_state == "gone"
        assert texts(thread) == ["one", "two"]

    def test_is_linked_again_when_it_comes_back(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, key := server.state.thread("one", "two"))
        sync(thread)
        kept = server.state.threads.pop(key)
        sync(thread)
        server.state.threads[key] = kept

        sync(thread)

        assert thread.sync_state == "linked"
        assert ThreadSync.objects.get().last_error == ""


class TestQueries:
    def test_do_not_grow_with_the_messages(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        short, long = (linked(tenant, server.state.thread(*map(str, range(count)))) for count in (2, 90))

        counts = []
        for thread in (short, long):
            with CaptureQueriesContext(database) as seen:
                sync(thread)
            counts.append(len(seen))

        assert counts[1] - counts[0] <= 2  # rows are written a batch at a time


def world() -> list[object]:
    models = (ChatThread, Message, SyncedMessage, ThreadSync, DataSource)
    return [list(model.objects.order_by("pk").values()) for model in models]
