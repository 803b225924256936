"""`kill -9` of a real worker in the middle of its work: nothing is lost, nothing is done twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from ai import tenancy
from ai.models import Job, Message, Run, RunStep, Tenant, Worker
from ai.models.runs import FINAL
from ai.services import actors, replays, runs
from ai.services.replays import Target
from tests import factories
from tests.fakes.vendors import Reply, VendorServer
from tests.runs import processes
from tests.runs.processes import Process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

REPLAYS = 50


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Process]:
    made = processes.worker(tmp_path)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[VendorServer]:
    with VendorServer() as running:
        running.script(Reply(chunks=("an ", "answer"), first_byte_delay=0.3, chunk_delay=0.2))
        yield running


def until(done: Callable[[], Any]) -> None:
    processes.until(done, saying=states)


def states() -> list[tuple[str, int]]:
    return list(Run.objects.values_list("status", "attempt"))


def ask(tenant: Tenant, server: VendorServer, *, count: int) -> Job:
    factories.language_model(alias="slow", base_url=server.url("openai-compatible"))
    threads = [factories.thread(tenant, *factories.talk(2)) for _ in range(count)]
    targets = [Target(thread.pk) for thread in threads]
    return replays.request(targets=targets, model_aliases=["slow"], by=actors.SYSTEM, at=timezone.now())


def ended() -> int:
    return int(Run.objects.filter(status__in=FINAL).count())


def answers() -> list[Any]:
    return [[message["content"] for message in run.output] for run in Run.objects.all()]


class TestKilledWorker:
    def test_after_a_restart_every_replay_ends_once(
        self, tenant: Tenant, server: VendorServer, worker: Process
    ) -> None:
        worker.start()
        job = ask(tenant, server, count=REPLAYS)
        until(lambda: len(server.requests) >= 10)

        worker.end(signal.SIGKILL)
        before = ended()
        worker.start()
        until(lambda: ended() == REPLAYS)

        assert before < REPLAYS
        assert answers() == [["an answer"]] * REPLAYS
        assert set(Run.objects.values_list("status", flat=True)) == {"completed"}
        assert RunStep.objects.count() == REPLAYS
        assert Message.objects.count() == REPLAYS * 4
        job.refresh_from_db()
        assert (job.status, job.done, job.failed) == ("completed", REPLAYS, 0)

    def test_a_worker_told_to_end_gives_its_runs_back(
        self, tenant: Tenant, server: VendorServer, worker: Process
    ) -> None:
        server.script(Reply(chunks=("never",), first_byte_delay=60))
        worker.start()
        ask(tenant, server, count=5)
        until(lambda: len(server.requests) == 5)

        took = worker.end()

        assert took < 8
        assert states() == [("queued", 0)] * 5
        assert not Worker.objects.exists()

    def test_a_lost_message_loses_nothing(self, tenant: Tenant, server: VendorServer, worker: Process) -> None:
        ask(tenant, server, count=2)  # the message went to the test's own queue, which nobody reads

        worker.start()
        until(lambda: ended() == 2)

        assert answers() == [["an answer"]] * 2

    def test_cancel_reaches_another_process(self, tenant: Tenant, server: VendorServer, worker: Process) -> None:
        server.script(Reply(chunks=("a",) * 500, chunk_delay=0.05))
        worker.start()
        ask(tenant, server, count=1)
        until(lambda: len(server.requests) == 1 and Run.objects.get().status == "in_progress")
        time.sleep(0.3)

        runs.cancel(run_id=Run.objects.get().pk, by=actors.SYSTEM, at=timezone.now())

        assert server.requests[0].wait_for_hang_up(1.0)
        until(lambda: ended() == 1)
        run = Run.objects.get()
        assert run.status == "cancelled"
        assert run.output[0]["content"].startswith("aa")
        assert tenancy.current().allows(tenant.pk)
