"""`kill -9` of a real worker in the middle of a sync: nothing is missing, nothing is there twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from ai.models import ChatThread, Job, JobItem, Message, RemoteConnection, SyncedMessage, Tenant
from ai.services import actors
from ai.services.selections import Selection
from ai.services.sync import requests
from tests.fakes.remotes import RemoteServer
from tests.remote import syncing
from tests.remote.syncing import linked, said, texts
from tests.runs import processes
from tests.runs.processes import Process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

THREADS = 30


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Process]:
    made = processes.worker(tmp_path, AI_RUN_LEASE_SECONDS="2")
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[RemoteServer]:
    with RemoteServer(delay=0.05) as running:
        yield running


@pytest.fixture
def connection(tenant: Tenant, server: RemoteServer) -> RemoteConnection:
    return syncing.connection(tenant, server.url)


def ask(threads: list[ChatThread]) -> Job:
    selection = Selection.of_ids("threads", [thread.pk for thread in threads])
    return requests.request(selection=selection, by=actors.SYSTEM, at=timezone.now())


def until_ended(job: Job) -> None:
    def ended() -> bool:
        job.refresh_from_db()
        return not job.is_open

    processes.until(ended, seconds=60, saying=lambda: (job.status, job.done, job.failed))


class TestKilledWorker:
    def test_fetches_and_sends_everything_once(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection, worker: Process
    ) -> None:
        server.most_per_page = 4
        threads = [linked(tenant, server.state.thread(*(f"{n}.{i}" for i in range(10)))) for n in range(THREADS)]
        for thread in threads:
            Message.objects.append([said("user", "ours 1"), said("user", "ours 2")], thread_id=thread.pk)
        worker.start()
        job = ask(threads)
        processes.until(lambda: JobItem.objects.filter(job_id=job.pk, status="done").count() >= 3)

        worker.end(signal.SIGKILL)
        before = JobItem.objects.filter(job_id=job.pk, status="done").count()
        worker.start()
        until_ended(job)

        assert before < THREADS
        assert (job.status, job.done, job.failed) == ("completed", THREADS, 0)
        for number, thread in enumerate(threads):
            theirs = [f"{number}.{i}" for i in range(10)]
            assert sorted(texts(thread)) == sorted([*theirs, "ours 1", "ours 2"])
            there = [m["content"][0]["text"]["value"] for m in server.state.threads[str(thread.external_id)]]
            assert there == [*theirs, "ours 1", "ours 2"]
        assert SyncedMessage.objects.count() == THREADS * 12

    def test_a_worker_told_to_end_leaves_its_sync_to_the_next_one(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection, worker: Process
    ) -> None:
        server.delay = 0.5
        threads = [linked(tenant, server.state.thread("one", "two")) for _ in range(THREADS)]
        worker.start()
        job = ask(threads)
        processes.until(lambda: JobItem.objects.filter(job_id=job.pk, status="done").exists())

        took = worker.end()
        job.refresh_from_db()
        left = (job.status, job.leased_by, job.lease_until)
        server.delay = 0
        worker.start()
        until_ended(job)

        assert took < 8
        assert left == ("running", "", None)
        assert (job.status, job.done, job.failed) == ("completed", THREADS, 0)
        assert Message.objects.count() == THREADS * 2

    def test_a_lost_message_of_the_broker_loses_nothing(
        self, tenant: Tenant, server: RemoteServer, connection: RemoteConnection, worker: Process
    ) -> None:
        thread = linked(tenant, key := server.state.thread("one"))
        thread.add_message(said("user", "two"))  # the message went to the test's own queue, which nobody reads

        worker.start()
        processes.until(lambda: len(server.state.threads[key]) == 2, seconds=40)

        assert [m["content"][0]["text"]["value"] for m in server.state.threads[key]] == ["one", "two"]
