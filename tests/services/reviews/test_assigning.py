"""What is kept for somebody: who may be chosen, what they are offered, and freeing it again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from ai import ids, tenancy
from ai.exceptions import Conflict, Forbidden, InvalidInput, NotFound
from ai.models import AuditEntry, Notification, ReviewItem, ReviewSlot, Tenant
from ai.services import actors
from ai.services.reviews import assigning, queues, reviewing
from tests import factories
from tests.services.reviews.making import NOW, YES, lead, queue, review, reviewer

pytestmark = pytest.mark.django_db


class TestPeople:
    def test_are_those_who_may_review_in_the_tenant(self, tenant: Tenant) -> None:
        made = queue(tenant)
        ana, boss, root = reviewer(tenant), lead(tenant), factories.user(is_superuser=True)
        reviewer(factories.tenant())
        factories.staff("view_reviewqueue", tenants=(tenant,))
        gone = reviewer(tenant)
        type(gone).objects.filter(pk=gone.pk).update(is_active=False)

        assert {person.pk for person in assigning.people(queue_id=made.pk)} == {ana.pk, boss.pk, root.pk}

    def test_alone_can_be_chosen(self, tenant: Tenant) -> None:
        made, stranger = queue(tenant), reviewer(factories.tenant())

        with pytest.raises(InvalidInput, match="may review in this tenant"):
            assigning.person(queue_id=made.pk, key=str(stranger.pk))
        for to in (stranger, factories.staff("view_reviewqueue", tenants=(tenant,))):
            with pytest.raises(InvalidInput, match="may review in this tenant"):
                assigning.assign_next(queue_id=made.pk, to=to, count=1, by=lead(tenant), at=NOW)
            with pytest.raises(InvalidInput, match="may review in this tenant"):
                queues.assign(item_id=ReviewItem.objects.all()[0].pk, to=to, by=lead(tenant), at=NOW)

        assert not ReviewSlot.objects.filter(assigned_to__isnull=False).exists()


class TestAssign:
    def test_keeps_the_next_free_items(self, tenant: Tenant) -> None:
        made, ana, ben = queue(tenant, items=4, reviews_per_item=2), reviewer(tenant), reviewer(tenant)
        review(made, ana, YES)

        assert assigning.assign_next(queue_id=made.pk, to=ana, count=2, by=lead(tenant), at=NOW) == 2
        assert assigning.assign_next(queue_id=made.pk, to=ben, count=9, by=lead(tenant), at=NOW) == 4

        kept = ReviewSlot.objects.filter(assigned_to=str(ana.pk)).order_by("position")
        assert list(kept.values_list("position", flat=True)) == [1, 2]
        assert assigning.held(queue_id=made.pk) == {str(ana.pk): 2, str(ben.pk): 4}
        assert AuditEntry.objects.filter(action="review_queue.assigned").count() == 2

    def test_tells_whom_they_are_assigned_to(self, tenant: Tenant) -> None:
        made, ana, boss = queue(tenant, items=4), reviewer(tenant), lead(tenant)

        assigning.assign_next(queue_id=made.pk, to=ana, count=2, by=boss, at=NOW)
        assigning.assign_next(queue_id=made.pk, to=boss, count=1, by=boss, at=NOW)

        told = Notification.objects.get()
        assert (told.user_id, told.kind, told.target_id) == (str(ana.pk), "review", str(made.pk))
        assert told.title == f"{boss.username} assigns 2 items of “{made.name}” to you"

    def test_keeps_chosen_items_of_this_queue(self, tenant: Tenant) -> None:
        made, other, ana = queue(tenant), queue(tenant, name="Other"), reviewer(tenant)
        chosen = list(
            ReviewItem.objects.filter(queue_id=made.pk).order_by("-position").values_list("pk", flat=True)[:2]
        )
        strange = ReviewItem.objects.filter(queue_id=other.pk)[0].pk

        count = assigning.assign_items(
            queue_id=made.pk, item_ids=[*chosen, strange, ids.new()], to=ana, by=lead(tenant), at=NOW
        )

        assert count == 2
        assert set(ReviewSlot.objects.filter(assigned_to=str(ana.pk)).values_list("item_id", flat=True)) == set(chosen)

    def test_is_offered_first(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=3), reviewer(tenant)
        last = ReviewItem.objects.get(position=2)
        queues.assign(item_id=last.pk, to=ana, by=lead(tenant), at=NOW)

        positions = [review(made, ana, YES).position for _ in range(3)]

        assert positions == [2, 0, 1]

    def test_keeps_no_item_twice_for_the_same_person(self, tenant: Tenant) -> None:
        made, ana, by = queue(tenant, items=1, reviews_per_item=3), reviewer(tenant), lead(tenant)
        item = ReviewItem.objects.get()
        queues.assign(item_id=item.pk, to=ana, by=by, at=NOW)

        with pytest.raises(Conflict, match="No review of these is free"):
            queues.assign(item_id=item.pk, to=ana, by=by, at=NOW)
        with pytest.raises(Conflict):
            assigning.assign_next(queue_id=made.pk, to=ana, count=1, by=by, at=NOW)
        free = ReviewSlot.objects.filter(assigned_to__isnull=True)[0]
        with pytest.raises(IntegrityError), transaction.atomic():
            ReviewSlot.objects.filter(pk=free.pk).update(assigned_to=str(ana.pk))

    def test_keeps_nothing_that_they_have_reviewed(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1, reviews_per_item=2), reviewer(tenant)
        item = review(made, ana, YES)

        with pytest.raises(Conflict):
            queues.assign(item_id=item.pk, to=ana, by=lead(tenant), at=NOW)

        assert not ReviewSlot.objects.filter(assigned_to__isnull=False).exists()

    def test_keeps_nothing_that_they_have_skipped(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1), reviewer(tenant)
        task = reviewing.next_task(queue_id=made.pk, by=ana, at=NOW)
        assert task is not None
        reviewing.pass_over(slot_id=task.slot.pk, by=ana, at=NOW)

        with pytest.raises(Conflict, match="No review of these is free"):
            queues.assign(item_id=task.item.pk, to=ana, by=lead(tenant), at=NOW)

        assert not ReviewSlot.objects.filter(assigned_to__isnull=False).exists()

    def test_takes_what_somebody_let_run_out(self, tenant: Tenant) -> None:
        made, ana, ben = queue(tenant, items=1, reservation_minutes=30), reviewer(tenant), reviewer(tenant)
        task = reviewing.next_task(queue_id=made.pk, by=ana, at=NOW)
        assert task is not None
        values: dict[str, Any] = {"item_id": task.item.pk, "to": ben, "by": lead(tenant)}

        with pytest.raises(Conflict, match="No review of these is free"):
            queues.assign(**values, at=NOW + timedelta(minutes=29))
        queues.assign(**values, at=NOW + timedelta(minutes=31))

        slot = ReviewSlot.objects.get()
        assert (slot.assigned_to, slot.reviewer, slot.reserved_until) == (str(ben.pk), None, None)

    def test_asks_as_much_of_the_database_for_many_items_as_for_one(
        self, tenant: Tenant, django_assert_max_num_queries: Any
    ) -> None:
        made, ana, by = queue(tenant, items=40, reviews_per_item=2), reviewer(tenant), lead(tenant)

        with django_assert_max_num_queries(30):
            assert assigning.assign_next(queue_id=made.pk, to=ana, count=40, by=by, at=NOW) == 40
        with django_assert_max_num_queries(20):
            assert assigning.unassign(queue_id=made.pk, of=str(ana.pk), by=by, at=NOW) == 40

        assert not ReviewSlot.objects.filter(assigned_to__isnull=False).exists()

    @pytest.mark.parametrize("count", [0, 501])
    def test_takes_a_sensible_number(self, tenant: Tenant, count: int) -> None:
        with pytest.raises(InvalidInput) as refused:
            assigning.assign_next(queue_id=queue(tenant).pk, to=reviewer(tenant), count=count, by=lead(tenant), at=NOW)

        assert refused.value.param == "count"

    def test_is_for_leads_of_the_tenant(self, tenant: Tenant) -> None:
        made, ana, other = queue(tenant), reviewer(tenant), factories.tenant()

        with pytest.raises(Forbidden):
            assigning.assign_next(queue_id=made.pk, to=ana, count=1, by=ana, at=NOW)
        with tenancy.scope(other.pk), pytest.raises(NotFound):
            assigning.assign_next(queue_id=made.pk, to=ana, count=1, by=lead(other), at=NOW)


class TestUnassign:
    def test_frees_what_they_let_run_out(self, tenant: Tenant) -> None:
        made, ana, by = queue(tenant, items=1), reviewer(tenant), lead(tenant)
        assigning.assign_next(queue_id=made.pk, to=ana, count=1, by=by, at=NOW)
        reviewing.next_task(queue_id=made.pk, by=ana, at=NOW)

        assert assigning.unassign(queue_id=made.pk, of=str(ana.pk), by=by, at=NOW + timedelta(hours=1)) == 1

        slot = ReviewSlot.objects.get()
        assert (slot.assigned_to, slot.reviewer) == (None, None)

    def test_frees_what_is_not_begun(self, tenant: Tenant) -> None:
        made, ana, ben, by = queue(tenant), reviewer(tenant), reviewer(tenant), lead(tenant)
        assigning.assign_next(queue_id=made.pk, to=ana, count=3, by=by, at=NOW)
        reviewing.next_task(queue_id=made.pk, by=ana, at=NOW)

        assert assigning.unassign(queue_id=made.pk, of=str(ana.pk), by=by, at=NOW) == 2

        found = reviewing.next_task(queue_id=made.pk, by=ben, at=NOW)
        assert found is not None
        assert found.item.position == 1

    def test_frees_chosen_items_alone(self, tenant: Tenant) -> None:
        made, ana, by = queue(tenant), reviewer(tenant), lead(tenant)
        assigning.assign_next(queue_id=made.pk, to=ana, count=3, by=by, at=NOW)
        chosen = ReviewItem.objects.get(position=1).pk

        assigning.unassign(queue_id=made.pk, of=str(ana.pk), item_ids=[chosen], by=by, at=NOW)

        left = ReviewSlot.objects.filter(assigned_to=str(ana.pk)).order_by("position")
        assert list(left.values_list("position", flat=True)) == [0, 2]

    def test_of_nothing_is_refused(self, tenant: Tenant) -> None:
        made, ana = queue(tenant), reviewer(tenant)

        with pytest.raises(Conflict, match=f"Nothing is kept for {ana.username}"):
            assigning.unassign(queue_id=made.pk, of=str(ana.pk), by=lead(tenant), at=NOW)
        with pytest.raises(Forbidden):
            assigning.unassign(queue_id=made.pk, of=str(ana.pk), by=ana, at=NOW)


def test_actors_without_an_account_may_be_kept_something(tenant: Tenant) -> None:
    made: Any = queue(tenant)

    assert assigning.assign_next(queue_id=made.pk, to=actors.SYSTEM, count=1, by=actors.SYSTEM, at=NOW) == 1
