"""`kill -9` of a real worker in the middle of an import: after a restart nothing is there twice, and nothing is missing."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from ai.models import AuditEntry, ChatThread, Job, Message, Tenant
from ai.services import actors
from ai.services.imports import background, uploads
from tests.runs import processes
from tests.runs.processes import Process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

THREADS, TALK = 1500, 12


@pytest.fixture
def worker(tmp_path: Path, settings: Any) -> Iterator[Process]:
    """A worker, and this test's storage where the worker has its own."""
    place = {**settings.STORAGES["default"]["OPTIONS"], "location": tmp_path / "files"}
    settings.STORAGES = {**settings.STORAGES, "default": {**settings.STORAGES["default"], "OPTIONS": place}}
    made = processes.worker(tmp_path, AI_RUN_LEASE_SECONDS="2")
    yield made
    made.close()


def begin(tenant: Tenant) -> Job:
    def said(thread: int) -> list[dict[str, str]]:
        return [{"role": ("user", "assistant")[n % 2], "content": f"{thread} says {n}"} for n in range(TALK)]

    lines = [json.dumps({"id": f"t{thread}", "messages": said(thread)}) for thread in range(THREADS)]
    file = SimpleUploadedFile("threads.jsonl", "\n".join(lines).encode())
    upload = uploads.receive(file=file, tenant_id=tenant.pk, by=actors.SYSTEM, at=timezone.now())
    return background.request(upload=upload, format_="chat", by=actors.SYSTEM, at=timezone.now())


def test_after_a_restart_everything_is_there_once(tenant: Tenant, worker: Process) -> None:
    job = begin(tenant)
    worker.start()
    processes.until(lambda: Message.objects.count() > 1000)

    worker.end(signal.SIGKILL)
    before = Message.objects.count()
    worker.start()
    processes.until(lambda: Job.objects.get(pk=job.pk).status == "completed", saying=Message.objects.count)

    assert before < THREADS * TALK
    assert (ChatThread.objects.count(), Message.objects.count()) == (THREADS, THREADS * TALK)
    job.refresh_from_db()
    assert job.data["state"]["new"] == {"thread": THREADS, "message": THREADS * TALK}
    assert AuditEntry.objects.filter(action="threads.imported").count() == 1
