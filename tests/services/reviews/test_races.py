"""Several requests at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from ai import tenancy
from ai.exceptions import Conflict
from ai.models import JobItem, ReviewItem, ReviewSlot, Tenant
from ai.services import actors
from ai.services.reviews import assigning, judging, queues, reviewing
from ai.services.selections import Selection
from tests import factories
from tests.services.reviews import judges
from tests.services.reviews.making import NOW, queue, reviewer

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 6


def at_once(tenant: Tenant, act: Any) -> list[Any]:
    """What so many threads return."""

    def one(number: int) -> Any:
        try:
            with tenancy.scope(tenant.pk):
                return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


class TestNextTask:
    def test_of_one_person_is_one_however_often_it_is_asked_for(self, tenant: Tenant) -> None:
        made = queue(tenant, items=20)

        tasks = at_once(tenant, lambda _: reviewing.next_task(queue_id=made.pk, by=actors.SYSTEM, at=NOW))

        assert len({task.slot.pk for task in tasks}) == 1
        assert ReviewSlot.objects.filter(reviewer__isnull=False).count() == 1


class TestFill:
    def test_of_several_at_once_gives_every_item_a_place(self, tenant: Tenant) -> None:
        made = queue(tenant, items=0)
        rows = [factories.thread(tenant) for _ in range(AT_ONCE * 2)]
        at = timezone.now() + timedelta(minutes=1)

        def fill(number: int) -> int:
            chosen = Selection.of_ids("threads", [row.pk for row in rows[number : number + AT_ONCE]])
            return queues.fill(queue_id=made.pk, selection=chosen, by=actors.SYSTEM, at=at)

        added = at_once(tenant, fill)

        positions = list(ReviewItem.objects.order_by("position").values_list("position", flat=True))
        assert positions == list(range(AT_ONCE * 2 - 1))
        assert sum(added) == len(positions)


class TestJudge:
    def test_started_several_times_at_once_is_one_job(self, tenant: Tenant) -> None:
        factories.language_model(alias="scripted")
        made = queue(tenant, items=5)
        judges.judge(made)

        started = at_once(tenant, lambda _: judging.start(queue_id=made.pk, by=actors.SYSTEM, at=NOW))

        assert len({job.pk for job in started}) == 1
        assert JobItem.objects.count() == 5


class TestAssign:
    def test_of_several_at_once_keeps_every_review_for_one_person(self, tenant: Tenant) -> None:
        made = queue(tenant, items=AT_ONCE * 2)
        people = [reviewer(tenant) for _ in range(AT_ONCE)]

        def assign(number: int) -> int:
            try:
                return assigning.assign_next(queue_id=made.pk, to=people[number], count=4, by=actors.SYSTEM, at=NOW)
            except Conflict:  # others were quicker
                return 0

        counts = at_once(tenant, assign)

        kept = ReviewSlot.objects.filter(assigned_to__isnull=False)
        assert kept.count() == sum(counts)
        assert sum(assigning.held(queue_id=made.pk).values()) == sum(counts)
