"""Threads that get another remote side, or their first one."""

from __future__ import annotations

import pytest
from django.test import override_settings
from django.utils import timezone

from ai.exceptions import Forbidden, InvalidInput, NotFound
from ai.models import ChatThread, DataSource, Job, Message, RemoteConnection, Tenant, ThreadSync
from ai.services import actors
from ai.services.selections import Selection
from ai.services.sync import moves, requests
from tests import factories
from tests.fakes.remotes import Failure, RemoteServer
from tests.remote import syncing
from tests.remote.syncing import linked, results, said, sync, texts

pytestmark = pytest.mark.django_db


def move(connection: RemoteConnection, *threads: ChatThread, makes: str = "conversation") -> Job:
    job = moves.request(
        selection=Selection.of_ids("threads", [thread.pk for thread in threads]),
        connection_id=connection.pk,
        makes=makes,
        by=actors.SYSTEM,
        at=timezone.now(),
    )
    syncing.carry_on(job)
    for thread in threads:
        thread.refresh_from_db()
    return job


class TestMove:
    def test_a_dead_thread_lives_on_as_a_conversation(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, old := server.state.thread("one", "two"))
        sync(thread)
        del server.state.threads[old]
        sync(thread)
        assert thread.sync_state == "gone"

        job = move(connection, thread)

        ((new, items),) = server.state.conversations.items()
        assert results(job) == ["2 went"]
        assert (thread.external_id, thread.sync_state) == (new, "linked")
        assert [item["content"][0]["text"] for item in items] == ["one", "two"]
        assert [entry["external_id"] for entry in ThreadSync.objects.get().history] == [old]
        assert (thread.data or {})["former_external_ids"] == [old]
        assert results(sync(thread)) == ["In step"]
        assert texts(thread) == ["one", "two"]

    def test_tool_calls_move_to_conversations_and_stay_behind_in_threads(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        function = {"name": "weather", "arguments": "{}"}
        talk = [
            said("user", "Rome?"),
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
            said("assistant", "Sunny."),
        ]
        first, second = factories.thread(tenant, *talk), factories.thread(tenant, *talk)

        move(connection, first)
        move(connection, second, makes="thread")

        assert len(server.state.conversations[str(first.external_id)]) == 4
        assert len(server.state.threads[str(second.external_id)]) == 2
        assert [results(sync(each)) for each in (first, second)] == [["In step"], ["In step"]]
        assert second.sync_state == "linked"

    def test_files_are_sent_along(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        file = DataSource.objects.add_file(b"paper", name="paper.txt")
        thread = factories.thread(tenant, {**said("user", "Read"), "attachments": [{"file_id": file.file_id}]})

        move(connection, thread)

        (item,) = server.state.conversations[str(thread.external_id)]
        (sent,) = server.state.files
        assert item["content"][1] == {"type": "input_file", "file_id": sent}

    def test_goes_on_after_a_failure_with_what_was_made(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = factories.thread(tenant, *factories.talk(10))
        server.script(Failure(500, "POST /v1/conversations/", after=True))

        job = move(connection, thread)
        again = sync(thread)

        assert (job.failed, again.failed) == (1, 0)
        assert len(server.state.conversations) == 1
        (items,) = server.state.conversations.values()
        assert len(items) == 20
        assert Message.objects.filter(external_id=None).count() == 0

    def test_nothing_moves_where_nothing_can_be_made(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, old := server.state.thread("one"))
        server.keys.clear()

        move(connection, thread)

        assert thread.external_id == old


class TestRefusals:
    def test_people_without_the_permission(self, tenant: Tenant, connection: RemoteConnection) -> None:
        thread = factories.thread(tenant)
        selection = Selection.of_ids("threads", [thread.pk])
        by = factories.staff("view_chatthread")

        with pytest.raises(Forbidden):
            moves.request(selection=selection, connection_id=connection.pk, makes="thread", by=by, at=timezone.now())
        with pytest.raises(Forbidden):
            requests.request(selection=selection, by=by, at=timezone.now())
        with pytest.raises(Forbidden):
            requests.bring_in(external_ids=["thread_a"], connection_id=connection.pk, by=by, at=timezone.now())

    @override_settings(AI_SYNC_MAX_THREADS=2)
    def test_more_threads_than_are_moved_at_a_time(self, tenant: Tenant, connection: RemoteConnection) -> None:
        threads = [factories.thread(tenant) for _ in range(3)]

        with pytest.raises(InvalidInput, match="at most 2 threads"):
            move(connection, *threads)

        assert move(connection, *threads[:2]).total == 2

    def test_a_connection_of_another_tenant(self, tenant: Tenant, server: RemoteServer) -> None:
        other = factories.tenant("Elsewhere")
        theirs = RemoteConnection.objects.model(tenant_id=other.pk, name="Theirs", base_url=server.url)
        theirs.save(force_insert=True)
        thread = factories.thread(tenant)

        with pytest.raises(NotFound):
            move(theirs, thread)

    def test_threads_that_have_no_remote_side(self, tenant: Tenant, connection: RemoteConnection) -> None:
        with pytest.raises(InvalidInput, match="Move one"):
            sync(factories.thread(tenant))
        with pytest.raises(InvalidInput, match="Move one"):
            sync(factories.thread(tenant, external_id="5f0d9a3c-chat", source="chatgpt"))


class TestBringIn:
    def test_makes_threads_of_what_is_elsewhere(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        keys = [server.state.thread("one", "two"), server.state.conversation()]

        for _ in range(2):
            job = requests.bring_in(
                external_ids=[*keys, keys[0]], connection_id=connection.pk, by=actors.SYSTEM, at=timezone.now()
            )
            syncing.carry_on(job)

        assert (job.total, job.done) == (2, 2)
        assert set(ChatThread.objects.values_list("external_id", flat=True)) == set(keys)
        assert ChatThread.objects.get(external_id=keys[0]).name == "one"

    def test_takes_remote_ids_only(self, tenant: Tenant, connection: RemoteConnection) -> None:
        with pytest.raises(InvalidInput, match="no remote ID"):
            requests.bring_in(external_ids=["hello"], connection_id=connection.pk, by=actors.SYSTEM, at=timezone.now())
