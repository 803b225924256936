"""What the pool and the writing of results survive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from ai import tenancy
from ai.models import Job, LanguageModel, Message, Run, Tenant
from ai.runner import results, usage
from ai.runner.pool import Pool
from ai.services import actors, replays, runs
from tests import factories
from tests.fakes.vendors import Reply, VendorServer
from tests.runner.scripted import scripted_model

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(30)]

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
HUGE = 2**63


@pytest.fixture
def scripted(db: None) -> Iterator[VendorServer]:
    with scripted_model() as (server, _):
        yield server


def queue(tenant: Tenant, count: int) -> Job:
    targets = [replays.Target(factories.thread(tenant, *factories.talk(1)).pk) for _ in range(count)]
    return replays.request(targets=targets, model_aliases=["scripted"], by=actors.SYSTEM, at=timezone.now())


def execute(now: Callable[[], Any]) -> int:
    """Execute what is queued by this clock."""
    with tenancy.everything(reason="a worker"):
        ended: int = async_to_sync(Pool(claim, now=now).run)()
    return ended


def drain() -> int:
    return runs.drain(worker="w", now=timezone.now)


def claim(most: int = 10) -> list[Run]:
    return Run.objects.claim_next(worker="w", at=timezone.now(), most=most)


def statuses() -> dict[UUID, str]:
    return dict(Run.objects.values_list("pk", "status"))


class TestWrite:
    def test_one_result_that_the_driver_refuses_fails_alone(self, tenant: Tenant, scripted: VendorServer) -> None:
        job = queue(tenant, 2)
        good, bad = claim()

        written = results.write(
            [results.Result(run, "completed", {"prompt_tokens": tokens}) for run, tokens in ((good, 1), (bad, HUGE))],
            at=AT,
        )

        assert written == {good.pk: "completed", bad.pk: "failed"}
        assert statuses() == {good.pk: "completed", bad.pk: "failed"}
        job.refresh_from_db()
        assert (job.status, job.done, job.failed) == ("completed", 1, 1)

    def test_one_answer_that_the_thread_refuses_fails_alone(self, tenant: Tenant, scripted: VendorServer) -> None:
        threads = [factories.thread(tenant, *factories.talk(1)) for _ in range(2)]
        taken = Message.objects.filter(thread_id=str(threads[0].pk)).values_list("pk", flat=True)[0]
        for thread in threads:
            runs.start(thread_id=thread.pk, model_alias="scripted", by=actors.SYSTEM, at=timezone.now())
        bad, good = claim()
        said = {"role": "assistant", "content": "Hi"}

        results.write(
            [
                results.Result(bad, "completed", {}, [{**said, "id": str(taken)}]),
                results.Result(good, "completed", {}, [said]),
            ],
            at=AT,
        )

        assert statuses() == {good.pk: "completed", bad.pk: "failed"}


class TestPool:
    def test_more_tokens_than_a_column_holds_are_kept_as_the_most(self, tenant: Tenant, scripted: VendorServer) -> None:
        scripted.script(Reply(prompt_tokens=HUGE, completion_tokens=HUGE))
        queue(tenant, 1)

        assert drain() == 1

        run = Run.objects.get()
        assert run.status == "completed"
        assert (run.prompt_tokens, run.total_tokens) == (usage.MOST_TOKENS, usage.MOST_TOKENS)

    def test_ends_when_results_can_never_be_written(self, tenant: Tenant, scripted: VendorServer) -> None:
        asked: list[Any] = []

        def answer(request: Any) -> Reply:
            asked.append(request)
            return Reply()

        def now() -> Any:  # once the model was asked, neither the answer nor its failure can be written
            return "never" if asked else timezone.now()

        scripted.script(answer)
        queue(tenant, 1)

        assert execute(now) == 0
        assert set(statuses().values()) == {"in_progress"}

    def test_gives_back_what_it_could_not_load(self, tenant: Tenant, scripted: VendorServer) -> None:
        queue(tenant, 2)
        calls: list[int] = []

        def now() -> datetime:
            calls.append(1)
            if len(calls) == 1:
                raise RuntimeError("no time")
            return timezone.now()

        with pytest.raises(RuntimeError, match="no time"):
            execute(now)

        assert set(Run.objects.values_list("status", "attempt", "leased_by")) == {("queued", 0, "")}

    def test_looks_after_its_runs_again_after_a_failure(
        self, tenant: Tenant, scripted: VendorServer, settings: Any
    ) -> None:
        settings.AI_RUN_LEASE_SECONDS = 1
        asked: list[Any] = []

        def answer(request: Any) -> Reply:
            asked.append(request)
            return Reply(first_byte_delay=10)

        def now() -> datetime:
            if asked:
                asked.append("now")
            if len(asked) == 2:  # the first look at the runs
                raise RuntimeError("no time")
            if len(asked) == 3:
                Run.objects.update(status="cancelling")
            return timezone.now()

        scripted.script(answer)
        queue(tenant, 1)

        assert execute(now) == 1
        assert set(statuses().values()) == {"cancelled"}


class TestMalformed:
    """Data of one run that nobody can read: the others are executed."""

    def test_a_message_that_is_none_fails_its_run(self, tenant: Tenant, scripted: VendorServer) -> None:
        queue(tenant, 2)
        bad, good = Run.objects.order_by("created", "pk")
        Message.objects.filter(thread_id=str(bad.thread_id)).update(message="Hi")

        assert drain() == 2

        assert statuses() == {bad.pk: "failed", good.pk: "completed"}
        bad.refresh_from_db()
        assert (bad.error_code, "cannot be read" in bad.error_message) == ("server_error", True)

    @pytest.mark.parametrize("metadata", [{"overrides": "x"}, {"overrides": ["instructions"]}, {"overrides": None}])
    def test_overrides_of_another_shape_are_nobodys(
        self, tenant: Tenant, scripted: VendorServer, metadata: Any
    ) -> None:
        queue(tenant, 1)
        Run.objects.update(metadata=metadata)

        assert drain() == 1

        assert set(statuses().values()) == {"completed"}


class TestMeter:
    @pytest.mark.parametrize("cost", ["1000000", "999999.999999999", "1e30", "NaN", "Infinity"])
    def test_keeps_no_cost_that_the_column_cannot_hold(self, cost: str, caplog: pytest.LogCaptureFixture) -> None:
        assert usage.Meter(cost=Decimal(cost)).values()["cost"] is None
        assert "cannot be true" in caplog.text

    def test_keeps_the_highest_cost(self) -> None:
        assert usage.Meter(cost=usage.MOST_COST).values()["cost"] == Decimal("999999.99999999")

    def test_a_run_that_cost_too_much_can_be_read(self, tenant: Tenant, scripted: VendorServer) -> None:
        LanguageModel.objects.update(input_price=9999, output_price=1)
        scripted.script(Reply(prompt_tokens=10**12))
        queue(tenant, 1)

        drain()

        run = Run.objects.get()
        assert (run.status, run.cost) == ("completed", None)
