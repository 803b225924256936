"""Files of jobs in a storage that is slower than a lease is long."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from ai import conf, tenancy
from ai.exceptions import LeaseLost
from ai.models import Job, Tenant
from ai.models.jobs import JobStatus
from ai.services import actors, jobs
from ai.services.bundles import jobs as bundles
from ai.services.exports import jobs as exports
from ai.services.selections import Selection
from ai.services.storing import Beating, stored
from tests import factories

pytestmark = pytest.mark.django_db


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.at = timezone.now()

    def __call__(self) -> datetime:
        return self.at

    def wait(self, leases: float) -> None:
        """Let so many leases' time pass."""
        self.at += timedelta(seconds=conf.current().run_lease_seconds * leases)


@pytest.fixture
def slow(tmp_path: Path, settings: Any) -> Callable[[Callable[[str], Any]], None]:
    """Let something happen while files are stored."""

    def use(meanwhile: Callable[[str], Any]) -> None:
        options = {"location": str(tmp_path), "meanwhile": meanwhile}
        backend = {"BACKEND": "tests.fakes.storages.SlowStorage", "OPTIONS": options}
        settings.STORAGES = {**settings.STORAGES, "default": backend}

    return use


@pytest.fixture(params=["export", "bundle"])
def job(request: pytest.FixtureRequest, tenant: Tenant) -> Job:
    """An export, and a bundle."""
    for number in range(5):
        factories.thread(tenant, *factories.talk(5), name=f"Thread {number}")
    given: dict[str, Any] = {"by": actors.SYSTEM, "at": timezone.now()}
    if request.param == "bundle":
        return bundles.request_export(tenant_id=tenant.pk, **given)
    return exports.request(selection=Selection.of_list("messages", {}), format_name="jsonl", **given)


def work(job: Job, now: Clock, *, worker: str = "first") -> Job:
    jobs.carry_on(job_id=job.pk, worker=worker, now=now)
    job.refresh_from_db()
    return job


def has_what_its_manifest_says(job: Job) -> bool:
    _, file = exports.open_file(job_id=job.pk, by=actors.SYSTEM, at=timezone.now())
    with file:
        found = hashlib.sha256(file.read()).hexdigest()
    return bool(found == job.data["manifest"]["file"]["sha256"])


class TestSlowStorage:
    def test_nobody_else_begins_meanwhile(self, job: Job, slow: Any) -> None:
        now, waited, seen = Clock(), [], set()

        def meanwhile(name: str) -> None:
            now.wait(0.6)
            waited.append(name)
            work(job, now, worker="second")
            seen.add(job.leased_by.partition("#")[0])

        slow(meanwhile)

        work(job, now)

        assert len([name for name in waited if name.endswith(job.data["name"])]) > 2
        assert seen == {"first"}
        assert job.status == JobStatus.COMPLETED
        assert has_what_its_manifest_says(job)

    def test_a_worker_that_lost_the_job_leaves_the_finished_file_alone(self, job: Job, slow: Any) -> None:
        now = Clock()
        turns: list[str] = []

        def meanwhile(name: str) -> None:
            if name.endswith(job.data["name"]) and not turns:
                turns.append(name)
                now.wait(1.5)
                work(job, now, worker="second")

        slow(meanwhile)

        work(job, now)

        assert turns
        assert job.status == JobStatus.COMPLETED
        assert has_what_its_manifest_says(job)
        folder = exports.folder(job.pk)
        assert [f"{folder}/{name}" for name in default_storage.listdir(folder)[1]] == [job.data["path"]]


class TestStored:
    def test_goes_again_where_the_job_is_lost(self, db: None) -> None:
        with suppress(LeaseLost), stored("exports/a", "a.csv", io.BytesIO(b"abc"), beat=lambda: None) as path:
            assert default_storage.exists(path)
            raise LeaseLost

        assert not default_storage.exists(path)


class TestBeating:
    def test_beats_in_threads_of_the_storage_too(self, tenant: Tenant) -> None:
        seen: list[Any] = []
        with tenancy.scope(tenant.pk):
            file = Beating(io.BytesIO(b"abc"), lambda: seen.append(tenancy.current().tenants))
        thread = Thread(target=file.read)
        thread.start()
        thread.join()

        assert seen == [frozenset([tenant.pk])]
