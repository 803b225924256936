"""Messages that two sides tell differently: found, shown, and decided by a person alone."""

from __future__ import annotations

import pytest
from django.utils import timezone

from ai.exceptions import Conflict, Forbidden
from ai.models import AuditEntry, ChatThread, Message, RemoteConnection, SyncConflict, Tenant
from ai.services import actors
from ai.services.sync import conflicts
from tests import factories
from tests.fakes.remotes import RemoteServer
from tests.remote.syncing import linked, results, said, sync, texts

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(server: RemoteServer) -> str:
    return server.state.thread("one", "two")


@pytest.fixture
def thread(tenant: Tenant, connection: RemoteConnection, key: str) -> ChatThread:
    made = linked(tenant, key)
    sync(made)
    return made


def edit(place: int, text: str) -> None:
    row = Message.objects.order_by("sequence")[place]
    Message.objects.replace(row.pk, {**row.message, "content": text}, at=timezone.now())


def decide(decision: str) -> SyncConflict:
    conflict = SyncConflict.objects.get(status="open")
    return conflicts.decide(conflict_id=conflict.pk, decision=decision, by=actors.SYSTEM, at=timezone.now())


class TestChangedOnBothSides:
    @pytest.fixture(autouse=True)
    def _both(self, server: RemoteServer, thread: ChatThread, key: str) -> None:
        server.state.edit(key, 1, "theirs")
        edit(1, "ours")

    def test_overwrites_neither(self, server: RemoteServer, thread: ChatThread, key: str) -> None:
        job = sync(thread)

        conflict = SyncConflict.objects.get()
        assert results(job) == ["1 to decide"]
        assert (conflict.kind, conflict.local["content"], conflict.remote["content"]) == (
            "edited_both",
            "ours",
            "theirs",
        )
        assert texts(thread) == ["one", "ours"]
        assert server.state.threads[key][1]["content"][0]["text"]["value"] == "theirs"
        assert thread.sync_state == "conflict"

    def test_taking_the_remotes_changes_ours(self, thread: ChatThread) -> None:
        sync(thread)

        decide("remote")

        assert texts(thread) == ["one", "theirs"]
        assert results(sync(thread)) == ["In step"]
        assert thread.sync_state == "linked"

    def test_keeping_ours_is_asked_once(self, server: RemoteServer, thread: ChatThread, key: str) -> None:
        sync(thread)

        decide("local")

        assert texts(thread) == ["one", "ours"]
        assert results(sync(thread)) == ["In step"]
        server.state.edit(key, 1, "theirs again")
        sync(thread)
        assert texts(thread) == ["one", "theirs again"]

    def test_is_over_when_the_sides_agree(self, server: RemoteServer, thread: ChatThread, key: str) -> None:
        sync(thread)
        server.state.edit(key, 1, "ours")

        sync(thread)

        assert SyncConflict.objects.get().decision == "agreed"
        assert thread.sync_state == "linked"

    def test_follows_what_changes_further(self, server: RemoteServer, thread: ChatThread, key: str) -> None:
        sync(thread)
        server.state.edit(key, 1, "theirs, later")

        sync(thread)

        assert SyncConflict.objects.get().remote["content"] == "theirs, later"

    def test_is_not_decided_on_an_old_version(self, thread: ChatThread) -> None:
        sync(thread)
        edit(1, "ours, later")

        with pytest.raises(Conflict, match="changed since"):
            decide("remote")

        assert SyncConflict.objects.get().is_open

    def test_is_decided_once_and_noted(self, thread: ChatThread) -> None:
        sync(thread)
        conflict = decide("remote")

        with pytest.raises(Conflict, match="already"):
            conflicts.decide(conflict_id=conflict.pk, decision="local", by=actors.SYSTEM, at=timezone.now())

        entry = AuditEntry.objects.get(action="sync_conflict.decided")
        assert entry.data["decision"] == "remote"

    def test_needs_the_permission(self, thread: ChatThread) -> None:
        sync(thread)

        with pytest.raises(Forbidden):
            conflicts.decide(
                conflict_id=SyncConflict.objects.get().pk,
                decision="remote",
                by=factories.staff("view_syncconflict"),
                at=timezone.now(),
            )


class TestDeletedThere:
    @pytest.fixture(autouse=True)
    def _gone(self, server: RemoteServer, thread: ChatThread, key: str) -> None:
        server.state.threads[key].pop(0)
        sync(thread)

    def test_stays_here_until_somebody_decides(self, thread: ChatThread) -> None:
        assert SyncConflict.objects.get().kind == "deleted_there"
        assert texts(thread) == ["one", "two"]

    def test_can_be_deleted_here_too(self, thread: ChatThread) -> None:
        decide("remote")

        assert texts(thread) == ["two"]
        assert results(sync(thread)) == ["In step"]

    def test_can_be_kept(self, thread: ChatThread) -> None:
        decide("local")

        assert texts(thread) == ["one", "two"]
        assert results(sync(thread)) == ["In step"]


class TestDeletedHere:
    @pytest.fixture(autouse=True)
    def _gone(self, thread: ChatThread) -> None:
        Message.objects.delete_message(Message.objects.order_by("sequence")[0])
        sync(thread)

    def test_stays_there_until_somebody_decides(self, server: RemoteServer, key: str) -> None:
        assert SyncConflict.objects.get().kind == "deleted_here"
        assert len(server.state.threads[key]) == 2

    def test_can_be_brought_back(self, thread: ChatThread) -> None:
        decide("remote")

        assert texts(thread) == ["two", "one"]
        assert results(sync(thread)) == ["In step"]

    def test_can_stay_deleted(self, thread: ChatThread) -> None:
        decide("local")

        assert texts(thread) == ["two"]
        assert results(sync(thread)) == ["In step"]


class TestDifferentFromTheStart:
    def test_is_a_conflict(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        thread = linked(tenant, key := server.state.thread("theirs"))
        Message.objects.append(
            [said("user", "ours")], thread_id=thread.pk, external_id=server.state.threads[key][0]["id"]
        )

        sync(thread)

        assert SyncConflict.objects.get().kind == "differs"
        assert texts(thread) == ["ours"]
