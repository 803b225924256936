"""`kill -9` of a real worker while a judge answers: nothing is lost, and no item is answered twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from ai.models import Job, JobItem, ReviewJudgement, Tenant
from ai.services import actors
from ai.services.reviews import judging
from tests import factories
from tests.fakes.vendors import Recorded, Reply, VendorServer
from tests.runs import processes
from tests.runs.processes import Process
from tests.services.reviews.judges import SAYS_YES, answering, judge
from tests.services.reviews.making import queue

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

ITEMS = 40


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
    answer = answering(SAYS_YES)(request)
    return Reply(chunks=(), calls=answer.calls, first_byte_delay=0.4)


def settled(job: Job) -> int:
    return int(JobItem.objects.filter(job_id=job.pk).exclude(status="queued").count())


class TestKilledWorker:
    def test_after_a_restart_every_item_has_one_answer(
        self, tenant: Tenant, server: VendorServer, worker: Process
    ) -> None:
        factories.language_model(alias="slow", base_url=server.url("openai-compatible"))
        made = queue(tenant, items=ITEMS)
        judge(made, model_alias="slow")
        worker.start()
        job = judging.start(queue_id=made.pk, by=actors.SYSTEM, at=timezone.now())
        processes.until(lambda: settled(job) >= 8, seconds=60)

        worker.end(signal.SIGKILL)
        before = settled(job)
        worker.start()
        processes.until(lambda: Job.objects.get(pk=job.pk).status == "completed", seconds=60)

        job.refresh_from_db()
        assert before < ITEMS
        assert (job.done, job.failed) == (ITEMS, 0)
        assert ReviewJudgement.objects.count() == ITEMS
        # What was counted is what was kept: an answer that was lost with the worker was paid for, and asked for again.
        assert job.data["input_tokens"] == ITEMS * 11
