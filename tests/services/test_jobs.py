"""Jobs: carried on with, counted exactly, cancelled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from ai import tenancy
from ai.exceptions import Conflict, Forbidden, NotFound
from ai.models import AuditEntry, ChatThread, Job, JobItem, LanguageModel, Run, Tenant
from ai.services import actors, jobs, replays, retitles, runs, workers
from ai.services.selections import Selection
from tests import factories
from tests.fakes.vendors import Reply
from tests.runner.scripted import scripted_model

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


def replay(tenant: Tenant, count: int) -> Job:
    targets = [replays.Target(factories.thread(tenant, *factories.talk(1)).pk) for _ in range(count)]
    return replays.request(targets=targets, model_aliases=["scripted"], by=actors.SYSTEM, at=AT)


def cancel(job: Job, **values: Any) -> Job:
    fixed: dict[str, Any] = {"by": actors.SYSTEM, "at": AT}
    return jobs.cancel(job_id=job.pk, **(fixed | values))


class TestCancel:
    @pytest.fixture
    def job(self, tenant: Tenant) -> Job:
        factories.language_model(alias="scripted")
        return replay(tenant, 3)

    def test_cancels_what_waits_and_asks_what_runs(self, job: Job) -> None:
        running = Run.objects.claim_next(worker="w", at=AT, most=1)

        cancelled = cancel(job)

        assert (cancelled.status, cancelled.failed) == ("cancelled", 2)
        assert sorted(Run.objects.values_list("status", flat=True)) == ["cancelled", "cancelled", "cancelling"]
        assert Run.objects.watch(running) == ({running[0].pk}, set())
        assert AuditEntry.objects.filter(action="job.cancelled", target_id=str(job.pk)).exists()

    def test_refuses_a_job_that_has_ended(self, job: Job) -> None:
        cancel(job)

        with pytest.raises(Conflict):
            cancel(job)

    def test_needs_the_permission(self, job: Job) -> None:
        with pytest.raises(Forbidden):
            cancel(job, by=factories.staff("view_job"))

    def test_of_a_job_that_does_not_exist(self, tenant: Tenant) -> None:
        with pytest.raises(NotFound):
            jobs.cancel(job_id=uuid4(), by=actors.SYSTEM, at=AT)

    def test_counts_exactly_when_the_last_runs_end_later(self, tenant: Tenant) -> None:
        with scripted_model() as (server, _):
            job = replay(tenant, 3)

            def stop(_: Any) -> Reply:
                return Reply()

            server.script(stop)
            runs.drain(worker="w", now=timezone.now)
            job.refresh_from_db()

        assert (job.done, job.failed, job.percent) == (3, 0, 100)


class TestCarryOn:
    def retitle(self, tenant: Tenant, *texts: str) -> Job:
        threads = [factories.thread(tenant, {"role": "user", "content": text}) for text in texts]
        chosen = Selection.of_ids("threads", [thread.pk for thread in threads])
        return retitles.request(selection=chosen, model_alias="", by=actors.SYSTEM, at=AT)

    def carry_on(self, job: Job, now: Callable[[], datetime] = lambda: AT) -> Job:
        jobs.carry_on(job_id=job.pk, worker="w", now=now)
        job.refresh_from_db()
        return job

    def test_does_each_thing_and_keeps_old_and_new(self, tenant: Tenant) -> None:
        job = self.carry_on(self.retitle(tenant, "Where is my invoice?", "Printer is jammed"))

        assert (job.status, job.done, job.failed) == ("completed", 2, 0)
        for item in JobItem.objects.filter(job_id=job.pk):
            assert item.status == "proposed"
            assert item.data["old"] == ChatThread.objects.get(pk=item.object_id).name == "A thread"
            assert item.data["new"] in {"Where is my invoice?", "Printer is jammed"}

    def test_goes_on_after_something_that_fails(self, tenant: Tenant) -> None:
        job = self.retitle(tenant, "First", "Second")
        first = JobItem.objects.filter(job_id=job.pk).order_by("position")[0]
        ChatThread.objects.delete_thread(first.object_id)

        job = self.carry_on(job)

        assert (job.status, job.done, job.failed) == ("completed", 1, 1)
        first.refresh_from_db()
        assert (first.status, bool(first.error)) == ("failed", True)

    def test_does_nothing_twice(self, tenant: Tenant) -> None:
        job = self.carry_on(self.retitle(tenant, "First"))

        assert self.carry_on(job).done == 1

    def test_leaves_a_job_that_another_worker_holds(self, tenant: Tenant) -> None:
        job = self.retitle(tenant, "First")
        Job.objects.take(job.pk, worker="other", at=AT)

        assert self.carry_on(job).done == 0

    def test_stops_when_the_job_is_cancelled(self, tenant: Tenant) -> None:
        job = self.retitle(tenant, "First", "Second")
        calls: list[int] = []

        def now() -> datetime:
            calls.append(1)
            if len(calls) == 3:
                cancel(job)
            return AT

        job = self.carry_on(job, now)

        assert job.status == "cancelled"
        assert job.done < 2

    def test_of_a_job_that_is_gone(self, tenant: Tenant) -> None:
        jobs.carry_on(job_id=uuid4(), worker="w", now=lambda: AT)

    def test_settles_a_replay_whose_runs_ended_unseen(self, tenant: Tenant) -> None:
        factories.language_model(alias="scripted")
        job = replay(tenant, 2)
        Run.objects.update(status="cancelled", ended_at=AT)

        job = self.carry_on(job)

        assert (job.status, job.failed) == ("completed", 2)


class TestSettle:
    def settle(self, job: Job) -> tuple[str, int, int]:
        jobs.settle(job_ids=[job.pk], at=AT)
        job.refresh_from_db()
        return job.status, job.done, job.failed

    def test_runs_that_are_gone_with_their_threads_have_failed(self, tenant: Tenant) -> None:
        factories.language_model(alias="scripted")
        job = replay(tenant, 3)
        gone, kept, waiting = Run.objects.order_by("created", "pk")
        ChatThread.objects.delete_thread(str(gone.thread_id))
        Run.objects.filter(pk=kept.pk).update(status="completed", ended_at=AT)

        assert self.settle(job) == ("queued", 1, 0)

        Run.objects.filter(pk=waiting.pk).update(status="completed", ended_at=AT)
        assert self.settle(job) == ("completed", 2, 1)

    def test_a_worker_ends_a_job_whose_threads_are_all_gone(self, tenant: Tenant) -> None:
        factories.language_model(alias="scripted")
        job = replay(tenant, 2)
        ChatThread.objects.delete_threads(ChatThread.objects.values_list("pk", flat=True))

        with tenancy.everything(reason="as a worker"):
            workers.sweep(at=AT)

        job.refresh_from_db()
        assert (job.status, job.done, job.failed) == ("completed", 0, 2)


class TestSeveralTenants:
    @pytest.fixture
    def job(self, tenant: Tenant) -> Job:
        factories.language_model(alias="scripted")
        threads = [factories.thread(each, *factories.talk(1)) for each in (tenant, factories.tenant())]
        targets = [replays.Target(thread.pk) for thread in threads]
        with tenancy.everything(reason="as a superuser"):
            return replays.request(targets=targets, model_aliases=["scripted"], by=actors.SYSTEM, at=AT)

    def test_a_run_cancelled_by_one_tenant_counts(self, job: Job) -> None:
        runs.cancel(run_id=Run.objects.get().pk, by=actors.SYSTEM, at=AT)

        with tenancy.everything(reason="test"):
            job.refresh_from_db()
        assert (job.status, job.failed) == ("queued", 1)

    def test_is_executed_counted_and_completed(self, job: Job) -> None:
        LanguageModel.objects.all().delete()
        with scripted_model():
            assert runs.drain(worker="w", now=timezone.now) == 2

        with tenancy.everything(reason="test"):
            job.refresh_from_db()
        assert (job.status, job.done) == ("completed", 2)

    def test_is_cancelled_by_who_sees_everything(self, job: Job) -> None:
        with pytest.raises(NotFound):
            cancel(job)

        with tenancy.everything(reason="as a superuser"):
            cancelled = cancel(job)
            assert set(Run.objects.values_list("status", flat=True)) == {"cancelled"}

        assert (cancelled.status, cancelled.failed) == ("cancelled", 2)
