"""`kill -9` of a real worker in the middle of an export: the next one goes on, and the file has every row once."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from ai import ids, tenancy
from ai.models import ChatThread, Job, JobItem, Message, Tenant
from ai.models.jobs import JobStatus
from ai.services import actors
from ai.services.exports import jobs
from ai.services.selections import Selection
from tests.runs import processes
from tests.runs.processes import Process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

THREADS, PARTS = 8000, 8


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Process]:
    """A worker whose leases are short. It keeps its files where this process looks for them."""
    made = processes.worker(tmp_path, AI_RUN_LEASE_SECONDS="3")
    yield made
    made.close()


def filled(tenant: Tenant) -> None:
    """Many threads with a question and an answer each."""
    at = timezone.now()
    with tenancy.scope(tenant.pk):
        threads = [
            ChatThread(tenant_id=tenant.pk, name=f"Thread {number}", message_count=2, last_sequence=2, created=at)
            for number in range(THREADS)
        ]
        ChatThread.objects.bulk_create(threads, batch_size=2000)
        rows = [
            Message(
                id=ids.new(),
                tenant_id=tenant.pk,
                thread_id=str(thread.pk),
                sequence=sequence,
                message={"role": role, "content": f"{role} of {thread.name}"},
            )
            for thread in threads
            for sequence, role in ((1, "user"), (2, "assistant"))
        ]
        Message.objects.bulk_create(rows, batch_size=2000)


def ask(tenant: Tenant) -> Job:
    with tenancy.scope(tenant.pk):
        selection = Selection.of_list("threads", {})
        return jobs.request(selection=selection, format_name="jsonl", by=actors.SYSTEM, at=timezone.now())


def test_an_export_goes_on_after_its_worker_was_killed(worker: Process, tmp_path: Path) -> None:
    tenant = Tenant.objects.create(name="Northwind")
    filled(tenant)
    job = ask(tenant)

    def parts() -> int:
        return int(JobItem._base_manager.filter(job_id=job.pk).count())

    def status() -> str:
        return str(Job._base_manager.values_list("status", flat=True).get(pk=job.pk))

    worker.start()
    end = time.monotonic() + 60
    while parts() < 2 and time.monotonic() < end:
        time.sleep(0.005)
    worker.end(signal.SIGKILL)
    written_before = parts()
    status_before = status()
    worker.start()
    processes.until(lambda: status() == JobStatus.COMPLETED, saying=lambda: (status(), parts()))

    assert 2 <= written_before < PARTS
    assert status_before == JobStatus.RUNNING
    row = Job._base_manager.get(pk=job.pk)
    assert (row.done, row.total, parts()) == (THREADS, THREADS, PARTS)
    lines = (tmp_path / "files" / row.data["path"]).read_bytes().splitlines()
    found = [json.loads(line) for line in lines]
    assert len({line["id"] for line in found}) == len(found) == THREADS
    assert all([m["role"] for m in line["messages"]] == ["user", "assistant"] for line in found)
    assert row.data["manifest"]["counts"] == {"rows": THREADS, "written": THREADS, "gone": 0}
