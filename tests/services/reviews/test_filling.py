"""Filling a queue from a long list: a worker draws the sample, with progress, and adds it in one go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ai import tenancy
from ai.exceptions import Conflict, Forbidden, InvalidInput, NotFound
from ai.models import AuditEntry, ChatThread, Job, ReviewItem, ReviewQueue, Tenant
from ai.services import actors, jobs
from ai.services.reviews import filling, queues
from ai.services.selections import Selection
from tests import factories
from tests.services.reviews.making import lead, queue, reviewer

pytestmark = pytest.mark.django_db

AT = datetime.fromisoformat("2100-05-04T12:00:00+00:00")
THREADS = 30


@pytest.fixture
def made(tenant: Tenant, settings: Any) -> ReviewQueue:
    """An empty queue, thirty threads, and an installation for which that is much."""
    settings.AI_REVIEW_SAMPLE_ROWS = 4
    for number in range(THREADS):
        factories.thread(tenant, tags=["billing" if number % 3 else "delivery"])
    return queue(tenant, items=0)


def start(made: ReviewQueue, by: Any = actors.SYSTEM, **values: Any) -> int | Job:
    fixed: dict[str, Any] = {"selection": Selection.of_list("threads", {}), "sample": 6, "seed": 3}
    return filling.start(queue_id=made.pk, by=by, at=AT, **(fixed | values))


def asked_for(made: ReviewQueue, **values: Any) -> Job:
    job = start(made, **values)
    assert isinstance(job, Job)
    return job


def carry_on(job: Job, now: Callable[[], datetime] = lambda: AT, *, worker: str = "w") -> Job:
    jobs.carry_on(job_id=job.pk, worker=worker, now=now)
    job.refresh_from_db()
    return job


def chosen(made: ReviewQueue) -> set[UUID]:
    return set(ReviewItem.objects.filter(queue_id=made.pk).values_list("object_id", flat=True))


def clock(*, then: Callable[[], Any] = lambda: None, calls: int = 0) -> Callable[[], datetime]:
    """Two seconds pass from one look to the next; at the look `calls` something happens."""
    seen = 0

    def now() -> datetime:
        nonlocal seen
        seen += 1
        if seen == calls:
            then()
        return AT + timedelta(seconds=2 * seen)

    return now


class TestStart:
    def test_fills_at_once_from_few_rows(self, made: ReviewQueue, settings: Any) -> None:
        settings.AI_REVIEW_SAMPLE_ROWS = THREADS

        assert start(made) == 6
        assert not Job.objects.exists()

    @pytest.mark.parametrize("ticked", [True, False])
    def test_fills_at_once_where_no_more_is_read_than_fits(self, made: ReviewQueue, ticked: bool) -> None:
        rows = [row.pk for row in ChatThread.objects.all()] if ticked else []
        selection = Selection.of_ids("threads", rows) if rows else Selection.of_list("threads", {})

        assert start(made, selection=selection, sample=None) == THREADS

    def test_leaves_it_to_a_worker_otherwise(self, made: ReviewQueue, sent_tasks: list[Any]) -> None:
        job = asked_for(made)

        assert (job.kind, job.status, job.tenant_id) == ("review_fill", "queued", made.tenant_id)
        assert str(job) == "Draw a sample of 6 for Helpful?"
        assert chosen(made) == set()
        assert filling.open_job(queue_id=made.pk) == job

    def test_refuses_a_second_one_until_the_first_has_ended(self, made: ReviewQueue) -> None:
        first = asked_for(made)

        with pytest.raises(Conflict, match="being drawn"):
            start(made, seed=4)
        carry_on(first)
        assert asked_for(made, seed=4) != first

    @pytest.mark.parametrize(
        ("values", "refusal"),
        [
            ({"how": "by:nothing"}, InvalidInput),
            ({"how": "by:tag", "sample": None}, InvalidInput),
            ({"selection": Selection.of_list("runs", {}), "how": "only:disputed", "sample": None}, InvalidInput),
        ],
    )
    def test_refuses_what_no_worker_could_do(
        self, made: ReviewQueue, values: dict[str, Any], refusal: type[Exception]
    ) -> None:
        with pytest.raises(refusal):
            start(made, **values)
        assert not Job.objects.exists()

    def test_refuses_a_closed_queue(self, made: ReviewQueue) -> None:
        queues.move(queue_id=made.pk, state="closed", by=actors.SYSTEM, at=AT)

        with pytest.raises(Conflict, match="closed"):
            start(made)

    def test_is_for_leads_of_the_tenant(self, made: ReviewQueue, tenant: Tenant) -> None:
        with pytest.raises(Forbidden):
            start(made, by=reviewer(tenant))
        with tenancy.scope(factories.tenant().pk):
            factories.thread(Tenant.objects.get(pk=tenancy.get_current_tenant_id()))
            with pytest.raises(NotFound):
                start(made)


class TestDraw:
    @pytest.mark.parametrize("how", ["", "by:tag"])
    def test_gives_the_sample_that_would_be_drawn_at_once(self, made: ReviewQueue, tenant: Tenant, how: str) -> None:
        boss, other = lead(tenant), queue(tenant, items=0, name="Other")
        queues.fill(
            queue_id=other.pk, selection=Selection.of_list("threads", {}), sample=6, seed=3, how=how, by=boss, at=AT
        )

        job = carry_on(asked_for(made, by=boss, how=how))

        assert (job.status, job.percent, job.data["added"]) == ("completed", 100, 6)
        assert chosen(made) == chosen(other)
        made.refresh_from_db()
        other.refresh_from_db()
        assert (made.source, made.population) == (other.source, other.population)
        assert AuditEntry.objects.filter(action="review_queue.filled", actor_id=str(boss.pk)).count() == 2
        assert filling.open_job(queue_id=made.pk) is None

    def test_says_how_far_it_is(self, made: ReviewQueue) -> None:
        job, seen = asked_for(made, how="by:tag"), []

        carry_on(job, clock(then=lambda: seen.append(Job.objects.get(pk=job.pk)), calls=9))

        assert (seen[0].total, 0 < seen[0].done < seen[0].total) == (2 * THREADS, True)

    @pytest.mark.parametrize("calls", [4, 8, 11])
    def test_adds_nothing_once_it_is_cancelled(self, made: ReviewQueue, calls: int) -> None:
        job = asked_for(made)

        carry_on(job, clock(then=lambda: jobs.cancel(job_id=job.pk, by=actors.SYSTEM, at=AT), calls=calls))

        assert (job.status, chosen(made)) == ("cancelled", set())

    def test_is_drawn_anew_where_a_worker_died(self, made: ReviewQueue, tenant: Tenant) -> None:
        job = asked_for(made, how="by:tag")
        held = Job.objects.take(job.pk, worker="dead", at=AT)
        assert held is not None
        Job.objects.measure(held, total=99, at=AT)
        Job.objects.advance(held, done=50, at=AT)

        carry_on(job, lambda: AT + timedelta(minutes=5), worker="w2")

        assert (job.status, job.done, job.total, len(chosen(made))) == ("completed", 2 * THREADS, 2 * THREADS, 6)

    def test_says_what_stood_in_the_way(self, made: ReviewQueue) -> None:
        closed = asked_for(made)
        queues.move(queue_id=made.pk, state="closed", by=actors.SYSTEM, at=AT)
        carry_on(closed)
        queues.move(queue_id=made.pk, state="open", by=actors.SYSTEM, at=AT)
        nothing = carry_on(asked_for(made, how="only:disputed"))

        assert (closed.status, closed.error) == ("failed", "The queue is closed; open it again first.")
        assert (nothing.status, nothing.error) == ("failed", "There are no such threads in the queue's tenant.")
        assert chosen(made) == set()

    def test_holds_nobody_up_meanwhile(self, made: ReviewQueue) -> None:
        with CaptureQueriesContext(connection) as seen:
            queues.fill(
                queue_id=made.pk,
                selection=Selection.of_list("threads", {}),
                sample=6,
                how="by:tag",
                by=actors.SYSTEM,
                at=AT,
            )

        said = [query["sql"].split(" FROM ")[0] for query in seen]
        begins = next(number for number, sql in enumerate(said) if sql.startswith("SAVEPOINT"))
        assert [number for number, sql in enumerate(said) if '"tags"' in sql and number > begins] == []
        assert any('"tags"' in sql for sql in said)


@pytest.mark.django_db(transaction=True)
def test_a_worker_reads_on_while_it_notes_how_far_it_is(made: ReviewQueue) -> None:
    job = carry_on(asked_for(made, how="by:tag"), clock())

    assert (job.status, len(chosen(made))) == ("completed", 6)
