"""Syncs of many threads: bounded, cancelled, failing one by one, scheduled, and asked for from the shell."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings
from django.utils import timezone

from ai import tenancy
from ai.models import AuditEntry, ChatThread, Job, RemoteConnection, Tenant, ThreadSync
from ai.models.connections import MOST_AT_ONCE
from ai.remote.assistants import AssistantsThreads
from ai.remote.kinds import ADAPTERS
from ai.remote.port import Page
from ai.services import actors, jobs
from ai.services.selections import Selection
from ai.services.sync import requests, schedule
from ai.tasks import sync as tasks
from tests import factories
from tests.fakes.remotes import Failure, RemoteServer
from tests.remote import syncing
from tests.remote.syncing import linked, results, sync, texts

pytestmark = pytest.mark.django_db


class TestManyThreads:
    def test_one_that_fails_stops_no_other(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        threads = [linked(tenant, server.state.thread(f"word {n}")) for n in range(3)]
        server.script(Failure(400, str(threads[1].external_id), message="Too odd."))

        job = sync(*threads)

        assert (job.status, job.done, job.failed) == ("completed", 2, 1)
        assert [bool(texts(thread)) for thread in threads] == [True, False, True]
        assert "Too odd." in ThreadSync.objects.get(thread_id=threads[1].pk).last_error
        assert "Too odd." in "".join(results(job))

    def test_calls_are_bounded_by_the_connection(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        RemoteConnection.objects.update(concurrency=2)
        server.delay = 0.02

        sync(*(linked(tenant, server.state.thread("one")) for _ in range(10)))

        assert server.most_open == 2

    def test_a_fault_of_ours_is_logged_and_stops_no_other(
        self,
        tenant: Tenant,
        server: RemoteServer,
        connection: RemoteConnection,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        threads = [linked(tenant, server.state.thread(f"word {n}")) for n in range(2)]

        class Faulty(AssistantsThreads):
            """An adapter that has a fault, which one thread shows."""

            def pages(self, remote_id: str, *, newest_first: bool, after: str = "") -> AsyncGenerator[Page, None]:
                if remote_id == threads[0].external_id:
                    raise ZeroDivisionError
                return super().pages(remote_id, newest_first=newest_first, after=after)

        monkeypatch.setitem(ADAPTERS, Faulty.kind, Faulty)

        job = sync(*threads)

        assert (job.status, job.done, job.failed) == ("completed", 1, 1)
        assert "fault of the console" in "".join(results(job))
        assert str(threads[0].pk) in caplog.text

    def test_is_in_the_audit_log(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        sync(linked(tenant, server.state.thread("one")))

        entry = AuditEntry.objects.get(action="thread.sync_requested")
        assert entry.data["threads"] == 1
        assert entry.data["direction"] == "both"
        assert entry.data["selection"] == "1 chosen threads"


class TestConnections:
    def test_each_thread_goes_over_its_own(self, tenant: Tenant, server: RemoteServer) -> None:
        with RemoteServer() as other:
            syncing.connection(tenant, server.url, name="First")
            second = syncing.connection(tenant, other.url, name="Second", is_default=False)
            here, there = linked(tenant, server.state.thread("here")), linked(tenant, other.state.thread("there"))
            ThreadSync.objects.keep(there, at=timezone.now(), connection_id=second.pk)

            sync(here, there)
            job = sync(here, there, connection_id=second.pk)

        assert (texts(here), texts(there)) == (["here"], ["there"])
        assert job.total == 1


class TestCommand:
    def test_syncs_and_tells_of_each_thread(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, key := server.state.thread("one"))
        linked(tenant, server.state.thread("old"), last_activity_at=timezone.now() - timedelta(days=90))
        out = StringIO()

        call_command("sync_threads", "--pull", "--since", "7d", stdout=out)

        assert out.getvalue().splitlines() == [f"{key}  1 came", "Completed: 1 synced, 0 failed, of 1."]
        assert texts(thread) == ["one"]

    def test_takes_ids_of_either_side(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        thread = linked(tenant, server.state.thread("one"))
        elsewhere = server.state.thread("two")
        names = ("--connection", "Scripted")

        call_command("sync_threads", "--thread", str(thread.pk), stdout=StringIO())
        call_command("sync_threads", "--thread", elsewhere, *names, stdout=StringIO())

        assert texts(thread) == ["one"]
        assert texts(ChatThread.objects.get(external_id=elsewhere)) == ["two"]

    def test_ends_with_1_when_a_thread_failed(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        linked(tenant, server.state.thread("one"))
        server.keys.clear()

        with pytest.raises(CommandError, match="1 of 1"):
            call_command("sync_threads", stdout=StringIO())

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--thread", "nothing"], "no thread"),
            (["--thread", "thread_elsewhere"], "--connection"),
            (["--connection", "None"], "no connection"),
            (["--since", "yesterday"], "no day"),
            (["--tenant", "Nobody"], "no tenant"),
        ],
    )
    def test_says_what_is_wrong(self, tenant: Tenant, arguments: list[str], said: str) -> None:
        with pytest.raises(CommandError, match=said):
            call_command("sync_threads", *arguments, stdout=StringIO())


class TestSchedule:
    def test_is_off_unless_set(self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection) -> None:
        linked(tenant, server.state.thread("one"))

        assert schedule.run(at=timezone.now()) is None

    @override_settings(AI_SYNC_EVERY_MINUTES=10, AI_SYNC_DIRECTION="pull")
    def test_makes_one_job_a_period_and_none_beside_an_open_one(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        linked(tenant, server.state.thread("one"))
        at = timezone.now().replace(minute=0, second=0)

        first = schedule.run(at=at)
        beside = schedule.run(at=at + timedelta(minutes=11))
        assert first is not None
        syncing.carry_on(first)
        again = schedule.run(at=at + timedelta(minutes=5))
        later = schedule.run(at=at + timedelta(minutes=11))

        assert first.data["direction"] == "pull"
        assert (beside, again) == (None, None)
        assert later is not None
        assert Job.objects.count() == 2

    @override_settings(AI_SYNC_EVERY_MINUTES=10)
    def test_does_nothing_where_no_thread_has_a_remote_side(self, tenant: Tenant) -> None:
        factories.thread(tenant)

        assert schedule.run(at=timezone.now()) is None

    @override_settings(AI_SYNC_EVERY_MINUTES=10, AI_SYNC_MAX_THREADS=2)
    def test_counts_no_thread_that_has_another_systems_id(self, tenant: Tenant) -> None:
        factories.thread(tenant, external_id="conv_1")
        for number in range(3):
            factories.thread(tenant, external_id=f"chat-{number}", source="chatgpt")

        job = schedule.run(at=timezone.now())

        assert job is not None
        assert job.total == 1

    @override_settings(AI_SYNC_EVERY_MINUTES=10, AI_SYNC_MAX_THREADS=2)
    def test_says_why_there_is_none(self, tenant: Tenant, caplog: pytest.LogCaptureFixture) -> None:
        for number in range(3):
            factories.thread(tenant, external_id=f"conv_{number}")

        assert schedule.run(at=timezone.now()) is None
        assert "The scheduled sync is left out. Choose at most 2 threads at a time." in caplog.text


@pytest.mark.django_db(transaction=True)
class TestInterrupted:
    @pytest.fixture
    def job(self, tenant: Tenant, server: RemoteServer) -> Job:
        syncing.connection(tenant, server.url, concurrency=1)
        threads = [linked(tenant, server.state.thread(f"word {n}")) for n in range(60)]
        chosen = Selection.of_ids("threads", [thread.pk for thread in threads])
        return requests.request(selection=chosen, by=actors.SYSTEM, at=timezone.now())

    def test_a_cancelled_one_stops(self, tenant: Tenant, server: RemoteServer, job: Job) -> None:
        self.at_the_fifth_request(
            server, tenant, lambda: jobs.cancel(job_id=job.pk, by=actors.SYSTEM, at=timezone.now())
        )

        syncing.carry_on(job)

        assert job.status == "cancelled"
        assert len(server.requests) <= MOST_AT_ONCE + 5  # those that had been begun
        assert job.done < 20

    def test_one_that_another_worker_took_is_left_to_it(self, tenant: Tenant, server: RemoteServer, job: Job) -> None:
        self.at_the_fifth_request(
            server, tenant, lambda: Job.objects.filter(pk=job.pk).update(leased_by="another worker")
        )

        syncing.carry_on(job)

        assert (job.status, job.leased_by) == ("running", "another worker")
        assert len(server.requests) <= MOST_AT_ONCE + 5

    def at_the_fifth_request(self, server: RemoteServer, tenant: Tenant, act: Callable[[], Any]) -> None:
        def watch(line: str) -> None:
            if len(server.requests) == 5:
                try:
                    with tenancy.scope(tenant.pk):
                        act()
                finally:
                    connections.close_all()

        server.before = watch


class TestTasks:
    def test_push_and_schedule_are_one_call_each(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection
    ) -> None:
        thread = linked(tenant, key := server.state.thread("one"))
        thread.add_message(syncing.said("user", "two"))

        tasks.push(thread_id=str(thread.pk), later="ignored")
        tasks.push(thread_id=str(thread.pk))
        tasks.scheduled()

        assert len(server.state.threads[key]) == 2
        assert not Job.objects.exists()
