"""What goes to Assistants-style threads, and that it goes once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from ai import tenancy
from ai.models import ChatThread, DataSource, Message, RemoteConnection, SyncConflict, SyncedMessage, Tenant, ThreadSync
from ai.services.sync import pushes
from tests import factories
from tests.fakes.remotes import Failure, RemoteServer
from tests.remote.syncing import linked, results, said, sync, texts

pytestmark = pytest.mark.django_db


def there(server: RemoteServer, key: str) -> list[str]:
    return [message["content"][0]["text"]["value"] for message in server.state.threads[key]]


def push(thread: ChatThread) -> None:
    pushes.push(thread_id=thread.pk, worker="worker", now=timezone.now)
    thread.refresh_from_db()


class TestPush:
    def test_sends_what_is_only_here(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        thread = linked(tenant, key := server.state.thread("one"))
        sync(thread)
        Message.objects.append([said("user", "two"), said("assistant", "three")], thread_id=thread.pk)

        job = sync(thread)

        assert there(server, key) == ["one", "two", "three"]
        assert results(job) == ["2 went"]
        assert thread.sync_state == "linked"
        assert results(sync(thread)) == ["In step"]

    def test_pull_alone_sends_nothing_and_says_so(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, key := server.state.thread("one"))
        sync(thread)
        Message.objects.append([said("user", "two")], thread_id=thread.pk)

        sync(thread, direction="pull")

        assert there(server, key) == ["one"]
        assert thread.sync_state == "changed"

    def test_push_alone_fetches_nothing_and_says_so(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, key := server.state.thread("one"))
        sync(thread)
        server.state.say(key, "from there")

        sync(thread, direction="push")

        assert texts(thread) == ["one"]
        assert thread.sync_state == "changed"

    def test_what_both_sides_say_alike_is_one_message(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, key := server.state.thread("one", "two"), said("user", "one"), said("assistant", "two"))

        sync(thread)

        assert texts(thread) == ["one", "two"]
        assert there(server, key) == ["one", "two"]
        assert set(Message.objects.values_list("external_id", flat=True)) == {
            message["id"] for message in server.state.threads[key]
        }

    def test_does_not_send_again_what_arrived_unseen(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, key := server.state.thread("one"))
        sync(thread)
        Message.objects.append([said("user", "two")], thread_id=thread.pk)
        server.script(Failure(500, "POST", after=True))

        first = sync(thread)
        second = sync(thread)

        assert (first.failed, second.failed) == (1, 0)
        assert there(server, key) == ["one", "two"]
        assert texts(thread) == ["one", "two"]
        assert thread.sync_state == "linked"

    def test_a_refused_message_is_told_and_may_be_sent_again(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, key := server.state.thread("one"))
        sync(thread)
        Message.objects.append([said("user", "two")], thread_id=thread.pk)
        server.script(Failure(400, "POST", message="Not now."))

        job = sync(thread)

        assert "Not now." in results(job)[0]
        assert not SyncedMessage.objects.filter(external_id=None).exists()
        assert there(server, key) == ["one"]

    def test_sends_other_metadata(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        thread = linked(tenant, key := server.state.thread("one"))
        sync(thread)
        row = Message.objects.get()
        Message.objects.set_metadata(row.pk, metadata={"mood": "good"}, at=timezone.now())

        sync(thread)

        assert server.state.threads[key][0]["metadata"] == {"mood": "good"}
        assert thread.sync_state == "linked"

    def test_files_go_along_once(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        thread = linked(tenant, key := server.state.thread("one"))
        file = DataSource.objects.add_file(b"paper", name="paper.txt")
        for text, name in (("first", "file_id"), ("second", "id")):
            message = {**said("user", text), "attachments": [{name: file.file_id}]}
            Message.objects.append([message], thread_id=thread.pk)

        sync(thread)

        (sent,) = server.state.files.values()
        assert (sent[0]["filename"], sent[1]) == ("paper.txt", b"paper")
        ids = [item["file_id"] for message in server.state.threads[key] for item in message["attachments"]]
        assert ids == [sent[0]["id"]] * 2

    def test_another_tenants_file_of_the_same_id_stays_where_it_is(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        other = factories.tenant()
        with tenancy.scope(other.pk):
            file = DataSource.objects.add_file(b"secret", name="secret.txt")
        thread = linked(tenant, server.state.thread("one"))
        row = Message.objects.append([said("user", "two")], thread_id=thread.pk)[0]
        message = {**said("user", "two"), "attachments": [{"id": file.file_id}]}
        Message.objects.replace(row.pk, message, at=timezone.now())

        sync(thread)

        assert server.state.files == {}

    def test_messages_that_were_imported_are_known_by_their_ids(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, key := server.state.thread("one", "two"))
        for theirs, role in zip(server.state.threads[key], ("user", "assistant"), strict=True):
            text = theirs["content"][0]["text"]["value"]
            Message.objects.append([said(role, text)], thread_id=thread.pk, external_id=theirs["id"])

        assert results(sync(thread)) == ["In step"]
        assert texts(thread) == ["one", "two"]
        assert SyncedMessage.objects.count() == 2


class TestAddMessage:
    def test_pushes_through_the_queue(
        self,
        tenant: Tenant,
        server: RemoteServer,
        connection: RemoteConnection,
        sent_tasks: list[tuple[str, dict[str, object]]],
        django_capture_on_commit_callbacks: object,
    ) -> None:
        thread = linked(tenant, key := server.state.thread("one"))
        sync(thread)
        server.requests.clear()

        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
            thread.add_message(said("user", "two"))

        assert server.requests == []
        assert sent_tasks == [("ai.tasks.sync.push", {"thread_id": str(thread.pk)})]
        assert thread.sync_state == "changed"
        push(thread)
        assert there(server, key) == ["one", "two"]
        assert thread.sync_state == "linked"
        assert ThreadSync.objects.get().push_after is None

    def test_a_dead_remote_is_tried_again_later(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, key := server.state.thread("one"))
        sync(thread)
        RemoteConnection.objects.update(base_url="http://127.0.0.1:9/v1")

        message = thread.add_message(said("user", "two"))
        push(thread)

        row = ThreadSync.objects.get()
        assert message.preview == "two"
        assert "cannot be reached" in row.last_error
        assert row.push_tries == 1
        RemoteConnection.objects.update(base_url=server.url)
        push(thread)
        assert there(server, key) == ["one", "two"]

    def test_a_thread_without_connection_waits_for_nothing(self, tenant: Tenant) -> None:
        thread = linked(tenant, "thread_abc")

        thread.add_message(said("user", "two"))

        assert not ThreadSync.objects.exists()

    def test_the_sweep_finds_what_nobody_was_told(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, server.state.thread("one"))
        thread.add_message(said("user", "two"))
        later = timezone.now() + timedelta(minutes=1)

        assert pushes.sweep(at=timezone.now()) == 0
        assert pushes.sweep(at=later) == 1
        assert pushes.sweep(at=later) == 0


class TestEditsThatCannotGo:
    def test_become_a_conflict(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        thread = linked(tenant, key := server.state.thread("one"))
        sync(thread)
        row = Message.objects.get()
        Message.objects.replace(row.pk, said("user", "one, corrected"), at=timezone.now())

        sync(thread)
        sync(thread)

        conflict = SyncConflict.objects.get()
        assert conflict.kind == "edited_here"
        assert thread.sync_state == "conflict"
        assert there(server, key) == ["one"]
