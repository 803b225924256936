"""Taking back who reviews what: skips, what was put back, and assignments."""

from __future__ import annotations

import pytest

from ai.exceptions import Conflict, Forbidden, InvalidInput
from ai.models import ReviewSlot, Tenant
from ai.services.reviews import assigning, queues, reviewing, undoing
from tests.services.reviews.making import NOW, YES, lead, queue, review, reviewer
from tests.services.reviews.undone import LATER, SOON, event, task, undo

pytestmark = pytest.mark.django_db


class TestSkip:
    def test_is_taken_back_with_the_draft(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=2), reviewer(tenant)
        first = task(made, ana)
        reviewing.keep_draft(slot_id=first.slot.pk, answers={"why": "Half a"}, by=ana, at=NOW)
        reviewing.pass_over(slot_id=first.slot.pk, by=ana, at=NOW)
        task(made, ana)

        done = undoing.undo_last(queue_id=made.pk, by=ana, at=SOON)

        assert done.slot_id == first.slot.pk
        again = task(made, ana, at=SOON)
        assert (again.item.pk, again.slot.draft) == (first.item.pk, {"why": "Half a"})

    def test_of_what_is_kept_for_the_reviewer_gives_it_to_others(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1), reviewer(tenant)
        assigning.assign_next(queue_id=made.pk, to=ana, count=1, by=lead(tenant), at=NOW)
        reviewing.pass_over(slot_id=task(made, ana).slot.pk, by=ana, at=NOW)

        assert assigning.held(queue_id=made.pk) == {}
        assert review(made, reviewer(tenant), YES).state == "agreed"

    def test_that_is_taken_back_keeps_it_for_the_reviewer_again(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1), reviewer(tenant)
        assigning.assign_next(queue_id=made.pk, to=ana, count=1, by=lead(tenant), at=NOW)
        reviewing.pass_over(slot_id=task(made, ana).slot.pk, by=ana, at=NOW)

        undo("passed", ana)

        slot = ReviewSlot.objects.get()
        assert (slot.assigned_to, slot.reviewer) == (str(ana.pk), str(ana.pk))

    def test_that_others_have_filled_says_who(self, tenant: Tenant) -> None:
        made, ana, ben = queue(tenant, items=1), reviewer(tenant), reviewer(tenant)
        reviewing.pass_over(slot_id=task(made, ana).slot.pk, by=ana, at=NOW)
        review(made, ben, YES, at=SOON)

        with pytest.raises(Conflict, match=f"No review of this item is left. {ben.username} answered it at 12:05"):
            undo("passed", ana)

        assert reviewing.next_task(queue_id=made.pk, by=ana, at=SOON) is None

    def test_that_somebody_else_is_at_says_who(self, tenant: Tenant) -> None:
        made, ana, ben = queue(tenant, items=1), reviewer(tenant), reviewer(tenant)
        reviewing.pass_over(slot_id=task(made, ana).slot.pk, by=ana, at=NOW)
        task(made, ben, at=SOON)

        with pytest.raises(Conflict, match=f"{ben.username} took it at 12:05"):
            undo("passed", ana)


class TestPuttingBack:
    def test_is_taken_back_with_the_draft(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1), reviewer(tenant)
        first = task(made, ana)
        reviewing.keep_draft(slot_id=first.slot.pk, answers={"why": "Half a"}, by=ana, at=NOW)
        reviewing.put_back(slot_id=first.slot.pk, by=ana, at=NOW)

        done = undoing.undo_last(queue_id=made.pk, by=ana, at=SOON)

        assert done.slot_id == first.slot.pk
        assert ReviewSlot.objects.get().draft == {"why": "Half a"}

    def test_that_somebody_took_says_who(self, tenant: Tenant) -> None:
        made, ana, ben = queue(tenant, items=1), reviewer(tenant), reviewer(tenant)
        reviewing.put_back(slot_id=task(made, ana).slot.pk, by=ana, at=NOW)
        task(made, ben, at=SOON)

        with pytest.raises(Conflict, match=f"{ben.username} took it at 12:05"):
            undo("put_back", ana)

    def test_waits_for_the_queue_to_be_open(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1), reviewer(tenant)
        reviewing.put_back(slot_id=task(made, ana).slot.pk, by=ana, at=NOW)
        queues.move(queue_id=made.pk, state="paused", by=lead(tenant), at=NOW)

        with pytest.raises(Conflict, match="paused"):
            undo("put_back", ana)


class TestAssignment:
    def test_is_taken_back_and_made_again(self, tenant: Tenant) -> None:
        made, boss, ana = queue(tenant), lead(tenant), reviewer(tenant)
        assigning.assign_next(queue_id=made.pk, to=ana, count=2, by=boss, at=NOW)

        undo("assigned", boss)
        assert assigning.held(queue_id=made.pk) == {}
        undo("unassigned", boss)

        assert assigning.held(queue_id=made.pk) == {str(ana.pk): 2}

    def test_leaves_what_has_been_taken_since_and_says_so(self, tenant: Tenant) -> None:
        made, boss, ana = queue(tenant), lead(tenant), reviewer(tenant)
        assigning.assign_next(queue_id=made.pk, to=ana, count=2, by=boss, at=NOW)
        task(made, ana, at=NOW)

        done = undo("assigned", boss)

        assert "1 item unassigned again. 1 stayed" in done.words
        assert f"{ana.username} took #1 at 12:00 UTC on 4 May" in done.words

    def test_of_which_all_is_taken_says_by_whom(self, tenant: Tenant) -> None:
        made, boss, ana = queue(tenant, items=1), lead(tenant), reviewer(tenant)
        assigning.assign_next(queue_id=made.pk, to=ana, count=1, by=boss, at=NOW)
        review(made, ana, YES, at=SOON)

        with pytest.raises(Conflict, match=f"{ana.username} answered #1 at 12:05"):
            undo("assigned", boss, at=LATER)

    @pytest.mark.parametrize("since", ["answered", "skipped"])
    def test_is_not_made_again_for_who_has_answered_or_skipped_the_item_since(self, tenant: Tenant, since: str) -> None:
        made, boss, ana = queue(tenant, items=1, reviews_per_item=2), lead(tenant), reviewer(tenant)
        assigning.assign_next(queue_id=made.pk, to=ana, count=1, by=boss, at=NOW)
        undo("assigned", boss)
        kept = ReviewSlot.objects.get(pk=event("unassigned").after["slots"][0])
        other = ReviewSlot.objects.exclude(pk=kept.pk).get()
        if since == "answered":
            values = {"reviewer": str(ana.pk), "answers": YES, "rubric_version": 1, "submitted_at": SOON}
            ReviewSlot.objects.filter(pk=other.pk).update(**values)
        else:
            reviewing.pass_over(slot_id=task(made, ana, at=SOON).slot.pk, by=ana, at=SOON)

        with pytest.raises(Conflict, match="cannot be restored any more"):
            undo("unassigned", boss, at=LATER)

        assert not ReviewSlot.objects.filter(assigned_to__isnull=False).exists()

    def test_is_not_made_again_for_who_may_not_review_any_more(self, tenant: Tenant) -> None:
        made, boss, ana = queue(tenant, items=1), lead(tenant), reviewer(tenant)
        assigning.assign_next(queue_id=made.pk, to=ana, count=1, by=boss, at=NOW)
        undo("assigned", boss)
        type(ana).objects.filter(pk=ana.pk).update(is_active=False)

        with pytest.raises(InvalidInput, match="may review in this tenant"):
            undo("unassigned", boss, at=LATER)

        assert assigning.held(queue_id=made.pk) == {}

    def test_of_reviewers_is_none_of_theirs_to_take_back(self, tenant: Tenant) -> None:
        made, ana = queue(tenant), reviewer(tenant)
        assigning.assign_next(queue_id=made.pk, to=ana, count=1, by=lead(tenant), at=NOW)

        with pytest.raises(Forbidden):
            undo("assigned", ana)
