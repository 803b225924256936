"""Runs: one worker at a time, one final state."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, OperationalError, connection, connections, transaction
from django.utils import timezone

from ai import tenancy
from ai.exceptions import LeaseLost, NotFound, RunNotActive, ThreadBusy
from ai.models import Ending, Run, Tenant
from ai.models.runs import FINAL

pytestmark = pytest.mark.django_db


@pytest.fixture
def at() -> datetime:
    return timezone.now()


def queued(tenant: Tenant, **values: Any) -> Run:
    run = Run(tenant_id=tenant.pk, thread_id=str(uuid4()), model="m", **values)
    saved: Run = Run.objects.queue(run)
    return saved


def claimed(run: Run, *, worker: str = "a", at: datetime) -> Run:
    taken: Run | None = Run.objects.claim(run.pk, worker=worker, at=at)
    assert taken is not None
    return taken


class TestQueue:
    def test_refuses_a_second_active_run_of_a_thread(self, tenant: Tenant) -> None:
        first = queued(tenant)

        with pytest.raises(ThreadBusy, match=f"already has an active run run_{first.pk.hex}"):
            Run.objects.queue(Run(tenant_id=tenant.pk, thread_id=first.thread_id, model="m"))

    def test_lets_replays_run_beside_it(self, tenant: Tenant) -> None:
        first = queued(tenant)

        Run.objects.queue(Run(tenant_id=tenant.pk, thread_id=first.thread_id, model="m", replay_of_thread=uuid4()))

        assert Run.objects.active().count() == 2

    def test_a_replay_key_makes_one_replay(self, tenant: Tenant) -> None:
        for _ in range(2):
            run = Run(tenant_id=tenant.pk, model="m", replay_of_thread=uuid4(), replay_key="k")
            Run.objects.queue_replays([run])

        assert Run.objects.count() == 1


class TestClaim:
    def test_gives_a_run_to_one_worker(self, tenant: Tenant, at: datetime) -> None:
        run = queued(tenant)

        first = Run.objects.claim(run.pk, worker="a", at=at)

        assert first is not None
        assert (first.status, first.attempt, first.started_at) == ("in_progress", 1, at)
        assert Run.objects.claim(run.pk, worker="b", at=at) is None

    @pytest.mark.django_db(transaction=True)
    def test_twenty_workers_share_forty_runs(self, tenant: Tenant, at: datetime) -> None:
        for _ in range(40):
            queued(tenant)

        def work(number: int) -> list[Any]:
            try:
                with tenancy.everything(reason="test"):
                    return [run.pk for run in Run.objects.claim_next(worker=f"w{number}", at=at, most=7)]
            finally:
                connections.close_all()

        taken = []
        with ThreadPoolExecutor(10) as pool:
            for batch in pool.map(work, range(20)):
                taken += batch

        assert len(taken) == len(set(taken)) == 40


class TestEnd:
    def test_brings_the_run_to_its_final_state(self, tenant: Tenant, at: datetime) -> None:
        run = claimed(queued(tenant), at=at)

        Run.objects.end(run, status="completed", at=at, total_tokens=7)

        run.refresh_from_db()
        assert (run.status, run.ended_at, run.total_tokens, run.leased_by) == ("completed", at, 7, "")

    def test_refuses_a_worker_that_lost_the_lease(self, tenant: Tenant, at: datetime) -> None:
        run = claimed(queued(tenant), at=at)
        Run.objects.recover(at=at + timedelta(hours=1))
        again = claimed(run, worker="b", at=at)

        with pytest.raises(LeaseLost):
            Run.objects.end(run, status="completed", at=at)
        Run.objects.end(again, status="completed", at=at)
        with pytest.raises(LeaseLost):
            Run.objects.end(again, status="failed", at=at, error_code="server_error")

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"status": "failed", "ended_at": timezone.now()}, "ai_run_failed_has_error"),
            ({"status": "completed"}, "ai_run_ended_when_final"),
        ],
    )
    def test_the_database_refuses_half_an_end(self, tenant: Tenant, values: dict[str, Any], constraint: str) -> None:
        run = queued(tenant)

        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            Run.objects.filter(pk=run.pk).update(**values)


class TestRequestCancel:
    def test_cancels_a_waiting_run_at_once(self, tenant: Tenant, at: datetime) -> None:
        assert Run.objects.request_cancel(queued(tenant).pk, at=at).status == "cancelled"

    def test_asks_the_worker_of_a_running_one(self, tenant: Tenant, at: datetime) -> None:
        run = claimed(queued(tenant), at=at)

        assert Run.objects.request_cancel(run.pk, at=at).status == "cancelling"
        assert Run.objects.renew([run], at=at) == {run.pk}

    def test_refuses_a_run_that_has_ended(self, tenant: Tenant, at: datetime) -> None:
        run = queued(tenant)
        Run.objects.request_cancel(run.pk, at=at)

        with pytest.raises(RunNotActive):
            Run.objects.request_cancel(run.pk, at=at)
        with pytest.raises(NotFound):
            Run.objects.request_cancel(uuid4(), at=at)


class TestRecover:
    def test_leaves_runs_with_a_lease_alone(self, tenant: Tenant, at: datetime) -> None:
        claimed(queued(tenant), at=at)

        assert Run.objects.recover(at=at) == 0

    def test_requeues_those_of_a_dead_worker_at_once(self, tenant: Tenant, at: datetime) -> None:
        run = claimed(queued(tenant), at=at)

        assert Run.objects.recover(at=at, dead_workers=["a"]) == 1
        run.refresh_from_db()
        assert run.status == "queued"

    def test_gives_up_after_the_last_attempt(self, tenant: Tenant, at: datetime) -> None:
        run = queued(tenant)
        for _ in range(3):
            Run.objects.claim(run.pk, worker="a", at=at)
            Run.objects.recover(at=at + timedelta(hours=1))

        run.refresh_from_db()
        assert (run.status, run.error_code) == ("failed", "server_error")

    def test_gives_up_only_together_with_noting_it(self, tenant: Tenant, at: datetime) -> None:
        run = queued(tenant)
        for _ in range(2):
            Run.objects.claim(run.pk, worker="a", at=at)
            Run.objects.recover(at=at + timedelta(hours=1))
        claimed(run, at=at)

        def dies(execute: Any, sql: str, *rest: Any) -> Any:
            if "INTO" in sql and Ending._meta.db_table in sql:
                raise OperationalError("the worker dies")
            return execute(sql, *rest)

        with connection.execute_wrapper(dies), pytest.raises(OperationalError):
            Run.objects.recover(at=at + timedelta(hours=1))
        run.refresh_from_db()
        assert run.status == "in_progress"

        Run.objects.recover(at=at + timedelta(hours=1))
        assert list(Ending.objects.values_list("object_id", flat=True)) == [run.pk]

    def test_cancels_what_was_being_cancelled(self, tenant: Tenant, at: datetime) -> None:
        run = claimed(queued(tenant), at=at)
        Run.objects.request_cancel(run.pk, at=at)

        Run.objects.recover(at=at + timedelta(hours=1))

        run.refresh_from_db()
        assert run.status == "cancelled"
        assert run.status in FINAL


class TestExpire:
    def test_ends_runs_whose_time_is_over(self, tenant: Tenant, at: datetime) -> None:
        late = queued(tenant, expires_at=at - timedelta(seconds=1))
        queued(tenant, expires_at=at + timedelta(seconds=60))

        assert Run.objects.expire(at=at) == 1
        late.refresh_from_db()
        assert late.status == "expired"
