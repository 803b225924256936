"""`kill -9` of a real worker while it finds titles, and while it applies them: nothing is lost, nothing is done twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from ai.models import ChatThread, Job, JobItem, Tenant
from ai.services import actors, retitle_batches, retitles
from ai.services.selections import Selection
from tests import factories
from tests.fakes.vendors import Recorded, Reply, VendorServer
from tests.runs import processes
from tests.runs.processes import Process
from tests.services.retitling import end_task

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

THREADS = 40


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Process]:
    made = processes.worker(tmp_path, AI_RUN_LEASE_SECONDS="3")
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[VendorServer]:
    with VendorServer() as running:
        running.script(_slowly)
        yield running


def _slowly(request: Recorded) -> Reply:
    answer = end_task("Lost parcel")(request)
    return Reply(chunks=(), calls=answer.calls, first_byte_delay=0.4)


def until(job: Job, done: Any) -> None:
    def saying() -> Any:
        return list(JobItem.objects.filter(job_id=job.pk).values_list("status", flat=True))

    processes.until(done, saying=saying, seconds=60)


def status_of(job: Job) -> str:
    return str(Job.objects.get(pk=job.pk).status)


def settled(job: Job) -> int:
    return int(JobItem.objects.filter(job_id=job.pk).exclude(status="queued").count())


class TestKilledWorker:
    def test_after_a_restart_every_thread_has_one_proposal(
        self, tenant: Tenant, server: VendorServer, worker: Process
    ) -> None:
        factories.language_model(alias="slow", base_url=server.url("openai-compatible"))
        rows = factories.threads(tenant, THREADS, name="Old {}")
        worker.start()
        job = retitles.request(
            selection=Selection.of_ids("threads", [row.pk for row in rows]),
            model_alias="slow",
            by=actors.SYSTEM,
            at=timezone.now(),
        )
        until(job, lambda: settled(job) >= 8)

        worker.end(signal.SIGKILL)
        before = settled(job)
        worker.start()
        until(job, lambda: status_of(job) == "completed")

        job.refresh_from_db()
        assert before < THREADS
        assert (job.done, job.failed) == (THREADS, 0)
        assert job.data["by_model"] == THREADS
        assert set(JobItem.objects.values_list("status", flat=True)) == {"proposed"}
        assert {row.name for row in ChatThread.objects.all()} == {f"Old {n}" for n in range(THREADS)}
        # What was counted is what was kept: an answer that was lost with the worker was paid for, and asked for again.
        assert job.data["input_tokens"] == THREADS * 11

    def test_after_a_restart_every_title_is_applied(self, tenant: Tenant, worker: Process) -> None:
        count = retitle_batches.AT_ONCE * 5
        rows = factories.threads(tenant, count, name="Old {}")
        job = retitles.request(
            selection=Selection.of_ids("threads", [row.pk for row in rows]),
            model_alias="",
            by=actors.SYSTEM,
            at=timezone.now(),
        )
        retitles.carry_on(job_id=job.pk, worker="here", now=timezone.now)
        retitle_batches.apply(job_id=job.pk, by=actors.SYSTEM, at=timezone.now())
        job.refresh_from_db()
        change = retitle_batches.change_of(job)
        assert change
        applied = JobItem.objects.filter(job_id=job.pk, status="applied")
        worker.start()
        until(job, lambda: applied.count() >= 20)

        worker.end(signal.SIGKILL)
        before = applied.count()
        worker.start()
        until(job, lambda: status_of(change) == "completed")

        change.refresh_from_db()
        assert before < count
        assert (applied.count(), change.done, change.failed) == (count, count, 0)
        assert not ChatThread.objects.filter(name__startswith="Old").exists()
