"""Workers: heard of while they live, swept up after when they die."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from ai import tenancy
from ai.models import Job, Run, Tenant, Worker
from ai.models.runs import FINAL
from ai.services import actors, jobs, replays, runs, workers
from tests import factories
from tests.runner.scripted import scripted_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def at() -> datetime:
    return timezone.now()


@pytest.fixture
def dead() -> int:
    """The id of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def held(tenant: Tenant, *, worker: str, at: datetime, **values: Any) -> Run:
    run = Run(tenant_id=tenant.pk, model="m", thread_id=str(uuid4()), replay_of_thread=uuid4(), **values)
    run.save(force_insert=True)
    taken: Run | None = Run.objects.claim(run.pk, worker=worker, at=at)
    assert taken is not None
    return taken


def beat(name: str, *, pid: int, at: datetime, host: str = "") -> None:
    Worker.objects.beat(name=name, host=host or workers.host(), pid=pid, at=at)


def status_of(run: Run) -> str:
    run.refresh_from_db()
    return run.status


class TestBeat:
    def test_says_that_this_process_lives(self, at: datetime) -> None:
        workers.beat(at=at)
        workers.beat(at=at + timedelta(seconds=3))

        row = Worker.objects.get()
        assert (row.name, row.pid, row.seen_at) == (workers.this(), os.getpid(), at + timedelta(seconds=3))
        assert workers.is_any_alive(at=at)
        assert not workers.is_any_alive(at=at + timedelta(minutes=1))


class TestSweep:
    def test_gives_the_runs_of_a_dead_process_back_at_once(self, tenant: Tenant, at: datetime, dead: int) -> None:
        beat("gone", pid=dead, at=at)
        run = held(tenant, worker="gone", at=at)

        assert workers.sweep(at=at)

        assert status_of(run) == "queued"
        assert not Worker.objects.filter(name="gone").exists()

    def test_leaves_the_runs_of_a_living_process_alone(self, tenant: Tenant, at: datetime) -> None:
        beat("parent", pid=os.getppid(), at=at)
        run = held(tenant, worker="parent", at=at)

        assert not workers.sweep(at=at)

        assert status_of(run) == "in_progress"

    def test_cannot_know_about_another_computers_processes(self, tenant: Tenant, at: datetime, dead: int) -> None:
        beat("elsewhere", pid=dead, at=at, host="elsewhere")
        run = held(tenant, worker="elsewhere", at=at)

        workers.sweep(at=at)
        before = status_of(run)
        workers.sweep(at=at + timedelta(seconds=31))

        assert (before, status_of(run)) == ("in_progress", "queued")

    def test_a_process_with_our_id_and_another_name_is_dead(self, tenant: Tenant, at: datetime) -> None:
        beat("earlier", pid=os.getpid(), at=at)
        run = held(tenant, worker="earlier", at=at)

        workers.sweep(at=at)

        assert status_of(run) == "queued"

    def test_ends_what_is_overdue_and_counts_it(self, tenant: Tenant, at: datetime) -> None:
        job = Job(kind="replay", total=1, tenant_id=tenant.pk)
        job.save(force_insert=True)
        run = Run(tenant_id=tenant.pk, model="m", job_id=job.pk, replay_of_thread=uuid4())
        run.expires_at = at - timedelta(seconds=1)
        run.save(force_insert=True)

        workers.sweep(at=at)

        assert status_of(run) == "expired"
        job.refresh_from_db()
        assert (job.status, job.failed) == ("completed", 1)

    def test_notices_runs_that_nobody_takes(self, tenant: Tenant, at: datetime) -> None:
        run = Run(tenant_id=tenant.pk, model="m", replay_of_thread=uuid4(), created=at, modified=at)
        run.save(force_insert=True)

        assert not workers.sweep(at=at)
        assert workers.sweep(at=at + timedelta(seconds=5))

    def test_wakes_a_worker_for_a_forgotten_job(
        self, tenant: Tenant, at: datetime, sent_tasks: list[Any], django_capture_on_commit_callbacks: Any
    ) -> None:
        job = Job(kind="retitle", total=1, tenant_id=tenant.pk)
        job.save(force_insert=True)

        with django_capture_on_commit_callbacks(execute=True):
            workers.sweep(at=at)

        assert sent_tasks == [("ai.tasks.jobs.execute", {"job_id": str(job.pk)})]


@pytest.mark.django_db(transaction=True)
class TestAttendant:
    @pytest.fixture
    def attendant(self) -> Iterator[workers.Attendant]:
        made = workers.Attendant(now=timezone.now, seconds=0.1)
        yield made
        made.stop()
        runs.resume()

    def until(self, done: Any) -> None:
        end = time.monotonic() + 30
        while not done():
            assert time.monotonic() < end
            time.sleep(0.05)

    def test_executes_what_was_left_and_signs_off(self, tenant: Tenant, attendant: workers.Attendant) -> None:
        with scripted_model():
            targets = [replays.Target(factories.thread(tenant, *factories.talk(1)).pk) for _ in range(3)]
            replays.request(targets=targets, model_aliases=["scripted"], by=actors.SYSTEM, at=timezone.now())

            attendant.start()
            self.until(lambda: Run.objects.filter(status__in=FINAL).count() == 3)
            assert Worker.objects.get().name == workers.this()
            attendant.stop()

        assert not Worker.objects.exists()
        assert Job.objects.get().done == 3

    def test_goes_on_after_a_sweep_that_failed(
        self, tenant: Tenant, attendant: workers.Attendant, caplog: pytest.LogCaptureFixture
    ) -> None:
        clock = iter([lambda: "no time at all"])
        attendant.now = lambda: next(clock, timezone.now)()  # type: ignore[assignment,return-value]

        attendant.start()
        self.until(lambda: Worker.objects.exists())

        assert "sweep failed" in caplog.text


def test_open_jobs_with_runs_need_nobody(tenant: Tenant, at: datetime) -> None:
    job = Job(kind="replay", total=1, tenant_id=tenant.pk)
    job.save(force_insert=True)
    held(tenant, worker="w", at=at, job_id=job.pk)

    assert jobs.open_without_runs(at=at) == []
    assert tenancy.current().allows(tenant.pk)
