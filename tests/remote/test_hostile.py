"""Remote servers that tell odd things, and things that change while they are read."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from ai.models import ChatThread, Job, Message, RemoteConnection, SyncConflict, SyncedMessage, Tenant, ThreadSync
from ai.services import actors, jobs
from ai.services.selections import Selection
from ai.services.sync import requests
from tests.fakes.remotes import RemoteServer
from tests.fakes.remotes.state import words
from tests.remote.syncing import linked, results, said, sync, texts

pytestmark = pytest.mark.django_db

ODD: dict[str, Any] = {
    "NUL and control characters": "a\x00b\x07c",
    "a lone surrogate": "a\ud800b",
    "right to left and emoji": "שלום 👩‍👩‍👧 \u202eevil",
    "a megabyte": "word " * 200_000,
    "nothing": "",
    "no parts": [],
    "a part of no known kind": [{"type": "hologram", "hologram": {"x": 1}}],
    "text that is no text": [{"type": "text", "text": {"value": None, "annotations": None}}],
}


class TestOddMessages:
    @pytest.mark.parametrize("content", ODD.values(), ids=ODD)
    def test_come_once_and_are_in_step(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection, content: Any
    ) -> None:
        key = server.state.thread("before")
        server.state.say(key, content, role="assistant")
        server.state.say(key, "after")
        thread = linked(tenant, key)

        first, second = sync(thread), sync(thread)

        assert results(first) == ["3 came"]
        assert results(second) == ["In step"]
        assert (texts(thread)[0], texts(thread)[2]) == ("before", "after")

    def test_an_unknown_role_is_kept(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        key = server.state.thread("before")
        server.state.say(key, "beep", role="robot")
        thread = linked(tenant, key)

        assert results(sync(thread)) == ["2 came"]
        assert Message.objects.filter(role="robot").count() == 1

    def test_one_id_twice_is_one_message(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        key = server.state.thread("one", "two")
        server.state.threads[key].append({**server.state.threads[key][0]})
        thread = linked(tenant, key)

        job = sync(thread)

        assert (job.done, job.failed) == (1, 0)
        assert texts(thread) == ["one", "two"]

    def test_unknown_items_of_a_conversation_are_kept(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        search = {"type": "web_search_call", "action": {"type": "search", "query": "parcels"}}
        key = server.state.conversation(words("user", "Find it"), search, words("assistant", "Found."))
        thread = linked(tenant, key)

        sync(thread)

        rows = list(Message.objects.list_thread_messages(thread.pk))
        assert [row.message["items"][0]["type"] for row in rows if row.message and "items" in row.message] == [
            "web_search_call"
        ]
        assert results(sync(thread)) == ["In step"]

    def test_a_server_that_is_no_api_says_so(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        RemoteConnection.objects.update(base_url=server.url.replace("/v1", "/elsewhere"))
        thread = linked(tenant, server.state.thread("one"))

        sync(thread)

        assert thread.sync_state in {"local", "gone"}
        assert thread.message_count == 0


class TestChangedWhileReading:
    def test_a_message_deleted_where_reading_went_on_begins_anew(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        server.most_per_page = 3
        thread = linked(tenant, key := server.state.thread(*map(str, range(9))))

        def delete(line: str) -> None:
            if "after=" in line:
                server.before = lambda line: None
                del server.state.threads[key][2]

        server.before = delete

        job = sync(thread)

        assert (job.done, job.failed) == (1, 0)
        assert sorted(texts(thread), key=str) == [str(number) for number in range(9)]
        assert len(set(SyncedMessage.objects.values_list("external_id", flat=True))) == 9
        sync(thread, whole=True)
        assert SyncConflict.objects.get().kind == "deleted_there"

    def test_what_is_added_meanwhile_comes_now_or_the_next_time(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        server.most_per_page = 4
        thread = linked(tenant, key := server.state.thread(*map(str, range(10))))
        server.before = lambda line: (
            void(server.state.say(key, "more")) if len(server.state.threads[key]) < 15 else None
        )

        sync(thread)
        sync(thread)

        assert texts(thread) == [*map(str, range(10)), *["more"] * 5]

    def test_a_thread_deleted_here_meanwhile_is_a_failure_of_its_own(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, server.state.thread("one"))
        job = requests.request(selection=Selection.of_ids("threads", [thread.pk]), by=actors.SYSTEM, at=timezone.now())
        ChatThread.objects.delete_threads([thread.pk])

        jobs.carry_on(job_id=job.pk, worker="worker", now=timezone.now)

        job.refresh_from_db()
        assert (job.status, job.failed) == ("completed", 1)
        assert not ThreadSync.objects.exists()

    def test_a_long_threads_deletion_far_back_is_found_when_all_is_read(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, key := server.state.thread(*map(str, range(250))))
        sync(thread)
        del server.state.threads[key][5]

        assert results(sync(thread)) == ["In step"]
        assert results(sync(thread, whole=True)) == ["1 to decide"]
        assert SyncConflict.objects.get().local["content"] == "5"

    def test_resumes_at_the_page_where_it_broke_off(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        server.most_per_page = 10
        thread = linked(tenant, server.state.thread(*map(str, range(50))))
        server.before = lambda line: server.keys.clear() if len(server.requests) == 4 else None
        sync(thread)
        assert len(texts(thread)) == 30
        server.keys.add("sk-remote")
        server.before = lambda line: None
        server.requests.clear()

        sync(thread)

        assert texts(thread) == list(map(str, range(50)))
        assert len(server.lists()) == 2


@pytest.mark.django_db(transaction=True)
class TestAtTheSameTime:
    def test_two_workers_bring_and_send_everything_once(self, tenant: Tenant, server: RemoteServer) -> None:
        from tests.remote import syncing

        syncing.connection(tenant, server.url)
        server.delay = 0.02
        threads = [linked(tenant, server.state.thread("a", "b", "c")) for _ in range(5)]
        for thread in threads:
            Message.objects.append([said("user", "ours")], thread_id=thread.pk)
        chosen = Selection.of_ids("threads", [thread.pk for thread in threads])
        asked = [requests.request(selection=chosen, by=actors.SYSTEM, at=timezone.now()) for _ in range(3)]

        def work(job: Job, name: str) -> None:
            try:
                jobs.carry_on(job_id=job.pk, worker=name, now=timezone.now)
            finally:
                connections.close_all()

        workers = [threading.Thread(target=work, args=(job, str(number))) for number, job in enumerate(asked)]
        for each in workers:
            each.start()
        for each in workers:
            each.join(60)

        for thread in threads:
            assert sorted(texts(thread)) == ["a", "b", "c", "ours"]
            there = [m["content"][0]["text"]["value"] for m in server.state.threads[str(thread.external_id)]]
            assert sorted(there) == ["a", "b", "c", "ours"]


def void(_: Any) -> None:
    """Nothing."""
