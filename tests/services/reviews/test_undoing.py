"""Taking back what was done: for 30 days, unless somebody changed it since, and then it says who, what and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from ai import tenancy
from ai.exceptions import Conflict, Forbidden, InvalidInput, NotFound
from ai.models import AuditEntry, ReviewEvent, ReviewItem, ReviewQueue, ReviewSlot, ReviewVerdict, Tenant
from ai.services.reviews import assigning, deciding, queues, reviewing, undoing
from ai.services.reviews.reviewing import Task
from tests import factories
from tests.services.reviews.making import NO, NOW, YES, lead, queue, review, reviewer

pytestmark = pytest.mark.django_db

SOON = NOW + timedelta(minutes=5)
LATER = NOW + timedelta(minutes=40)


def event(kind: str) -> ReviewEvent:
    found: ReviewEvent = ReviewEvent.objects.filter(kind=kind).order_by("-at", "-pk")[0]
    return found


def undo(kind: str, by: Any, at: datetime = SOON) -> undoing.Undone:
    return undoing.undo(event_id=event(kind).pk, by=by, at=at)


def task(made: ReviewQueue, by: Any, at: datetime = NOW) -> Task:
    found = reviewing.next_task(queue_id=made.pk, by=by, at=at)
    assert found is not None
    return found


@pytest.fixture
def disputed(tenant: Tenant) -> ReviewItem:
    made = queue(tenant, items=1, reviews_per_item=2)
    review(made, reviewer(tenant), YES)
    return review(made, reviewer(tenant), NO)


class TestDecision:
    def test_is_taken_back_and_given_again(self, tenant: Tenant, disputed: ReviewItem) -> None:
        boss = lead(tenant)
        deciding.decide(item_id=disputed.pk, answers=YES, by=boss, at=NOW, reason="See 3.")

        undo("decided", boss)
        assert (ReviewItem.objects.get().state, ReviewVerdict.objects.count()) == ("disputed", 0)
        undo("withdrawn", boss)

        verdict = ReviewVerdict.objects.get()
        assert (verdict.answers, verdict.reason, verdict.decided_by) == (YES, "See 3.", boss.username)
        assert ReviewItem.objects.get().state == "decided"

    def test_that_was_made_anew_stays_and_says_by_whom(self, tenant: Tenant, disputed: ReviewItem) -> None:
        boss, other = lead(tenant), lead(tenant)
        deciding.decide(item_id=disputed.pk, answers=YES, by=boss, at=NOW)
        first = event("decided")
        ReviewEvent.objects.filter(pk=first.pk).update(undone_at=None)
        deciding.withdraw(item_id=disputed.pk, by=other, at=NOW)
        deciding.decide(item_id=disputed.pk, answers=NO, by=other, at=SOON)
        ReviewEvent.objects.filter(pk=first.pk).update(undone_at=None)

        with pytest.raises(Conflict, match=f"{other.username} decided it at 12:05 UTC on 4 May"):
            undoing.undo(event_id=first.pk, by=boss, at=SOON)

        assert ReviewVerdict.objects.get().answers == NO

    def test_that_was_withdrawn_cannot_be_restored_over_another(self, tenant: Tenant, disputed: ReviewItem) -> None:
        boss, other = lead(tenant), lead(tenant)
        deciding.decide(item_id=disputed.pk, answers=YES, by=boss, at=NOW)
        deciding.withdraw(item_id=disputed.pk, by=boss, at=NOW)
        deciding.decide(item_id=disputed.pk, answers=NO, by=other, at=SOON)

        with pytest.raises(Conflict, match=f"{other.username} decided it"):
            undo("withdrawn", boss)

    @pytest.mark.parametrize("way", ["undo", "withdraw"])
    def test_of_more_than_thirty_days_ago_stays(self, tenant: Tenant, disputed: ReviewItem, way: str) -> None:
        boss, late = lead(tenant), NOW + timedelta(days=31)
        deciding.decide(item_id=disputed.pk, answers=YES, by=boss, at=NOW)

        ways: dict[str, Callable[[], Any]] = {
            "undo": lambda: undo("decided", boss, at=late),
            "withdraw": lambda: deciding.withdraw(item_id=disputed.pk, by=boss, at=late),
        }

        with pytest.raises(InvalidInput, match="30 days"):
            ways[way]()

        assert ReviewVerdict.objects.exists()

    def test_is_taken_back_by_those_who_may_decide(self, tenant: Tenant, disputed: ReviewItem) -> None:
        deciding.decide(item_id=disputed.pk, answers=YES, by=lead(tenant), at=NOW)

        with pytest.raises(Forbidden):
            undo("decided", reviewer(tenant))
        undo("decided", lead(tenant))


class TestAnswer:
    def test_is_taken_back_and_given_again(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1), reviewer(tenant)
        review(made, ana, YES)

        done = undo("submitted", ana)
        assert ReviewSlot.objects.get(pk=done.slot_id).draft == YES
        undo("taken_back", ana)

        slot = ReviewSlot.objects.get()
        assert (slot.answers, slot.submitted_at, slot.draft) == (YES, NOW, {})
        assert ReviewItem.objects.get().state == "agreed"
        assert ReviewVerdict.objects.get().answers == YES

    def test_says_who_decided_since(self, tenant: Tenant) -> None:
        made, ana, boss = queue(tenant, items=1, reviews_per_item=2), reviewer(tenant), lead(tenant)
        review(made, ana, YES)
        item = review(made, reviewer(tenant), NO)
        deciding.decide(item_id=item.pk, answers=YES, by=boss, at=SOON)

        with pytest.raises(Conflict, match=f"{boss.username} decided it at 12:05 UTC on 4 May. Ask them to withdraw"):
            undoing.undo_last(queue_id=made.pk, by=ana, at=LATER)

    def test_cannot_count_again_when_somebody_has_answered_instead(self, tenant: Tenant) -> None:
        made, ana, ben = queue(tenant, items=1), reviewer(tenant), reviewer(tenant)
        review(made, ana, YES)
        undo("submitted", ana)
        review(made, ben, NO, at=LATER)

        with pytest.raises(Conflict, match=f"{ben.username} answered it at 12:40 UTC"):
            undo("taken_back", ana, at=LATER)

        assert ReviewVerdict.objects.get().answers == NO

    def test_cannot_count_again_while_somebody_else_has_the_review(self, tenant: Tenant) -> None:
        made, ana, ben = queue(tenant, items=1), reviewer(tenant), reviewer(tenant)
        review(made, ana, YES)
        undo("submitted", ana)
        task(made, ben, at=LATER)

        with pytest.raises(Conflict, match=f"{ben.username} took it at 12:40 UTC"):
            undo("taken_back", ana, at=LATER)

    def test_of_somebody_else_is_not_there(self, tenant: Tenant) -> None:
        made = queue(tenant, items=1)
        review(made, reviewer(tenant), YES)

        with pytest.raises(NotFound):
            undo("submitted", lead(tenant))


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

    def test_of_reviewers_is_none_of_theirs_to_take_back(self, tenant: Tenant) -> None:
        made, ana = queue(tenant), reviewer(tenant)
        assigning.assign_next(queue_id=made.pk, to=ana, count=1, by=lead(tenant), at=NOW)

        with pytest.raises(Forbidden):
            undo("assigned", ana)


class TestState:
    def test_of_a_queue_is_put_back(self, tenant: Tenant) -> None:
        made, boss = queue(tenant), lead(tenant)
        queues.move(queue_id=made.pk, state="closed", by=boss, at=NOW)

        undo("moved", boss)

        assert ReviewQueue.objects.get().state == "open"

    def test_that_somebody_changed_since_stays(self, tenant: Tenant) -> None:
        made, boss, other = queue(tenant), lead(tenant), lead(tenant)
        queues.move(queue_id=made.pk, state="paused", by=boss, at=NOW)
        first = event("moved")
        queues.move(queue_id=made.pk, state="closed", by=other, at=SOON)

        with pytest.raises(Conflict, match=f"closed by now. {other.username} changed the queue at 12:05"):
            undoing.undo(event_id=first.pk, by=boss, at=LATER)

    def test_moves_only_from_what_was_seen(self, tenant: Tenant) -> None:
        made, boss = queue(tenant), lead(tenant)

        with pytest.raises(Conflict):
            queues.move(queue_id=made.pk, state="closed", was="paused", by=boss, at=NOW)


class TestUndo:
    @pytest.mark.parametrize("kind", ["submitted", "passed", "put_back", "assigned", "moved"])
    def test_happens_once_and_within_thirty_days(self, tenant: Tenant, kind: str) -> None:
        made, boss = queue(tenant, items=3), lead(tenant)
        acts: dict[str, Callable[[], Any]] = {
            "submitted": lambda: review(made, boss, YES),
            "passed": lambda: reviewing.pass_over(slot_id=task(made, boss).slot.pk, by=boss, at=NOW),
            "put_back": lambda: reviewing.put_back(slot_id=task(made, boss).slot.pk, by=boss, at=NOW),
            "assigned": lambda: assigning.assign_next(queue_id=made.pk, to=boss, count=1, by=boss, at=NOW),
            "moved": lambda: queues.move(queue_id=made.pk, state="paused", by=boss, at=NOW),
        }
        acts[kind]()
        first = event(kind)

        with pytest.raises(InvalidInput, match="older than 30 days"):
            undoing.undo(event_id=first.pk, by=boss, at=NOW + timedelta(days=30))
        undoing.undo(event_id=first.pk, by=boss, at=SOON)
        with pytest.raises(Conflict, match="taken back already"):
            undoing.undo(event_id=first.pk, by=boss, at=SOON)

    def test_goes_back_step_by_step(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=3), reviewer(tenant)
        first = review(made, ana, YES)
        second = review(made, ana, NO, at=NOW + timedelta(seconds=1))

        done = [undoing.undo_last(queue_id=made.pk, by=ana, at=SOON).slot_id for _ in range(2)]

        items = [ReviewSlot.objects.get(pk=key).item_id for key in done]
        assert items == [second.pk, first.pk]
        with pytest.raises(NotFound):
            undoing.undo_last(queue_id=made.pk, by=ana, at=SOON)

    def test_finds_answers_from_before_there_was_a_history(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1), reviewer(tenant)
        review(made, ana, YES)
        ReviewEvent.objects.all().delete()

        assert undoing.undo_last(queue_id=made.pk, by=ana, at=SOON).slot_id is not None

    def test_of_another_tenant_is_not_there(self, tenant: Tenant) -> None:
        made, boss = queue(tenant), lead(tenant)
        queues.move(queue_id=made.pk, state="paused", by=boss, at=NOW)
        first, other = event("moved"), factories.tenant()

        with tenancy.scope(other.pk), pytest.raises(NotFound):
            undoing.undo(event_id=first.pk, by=lead(other), at=SOON)

    def test_is_in_the_audit_log_without_answers(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=2), reviewer(tenant)
        review(made, ana, {**YES, "why": "unmistakable"})
        undo("submitted", ana)
        undo("taken_back", ana)
        reviewing.pass_over(slot_id=task(made, ana).slot.pk, by=ana, at=SOON)
        undo("passed", ana, at=LATER)

        actions = list(AuditEntry.objects.order_by("at", "pk").values_list("action", flat=True))

        assert sorted(action for action in actions if action.startswith("review.")) == [
            "review.offered_again",
            "review.passed",
            "review.submitted",
            "review.submitted",
            "review.taken_back",
        ]
        assert "unmistakable" not in str(list(AuditEntry.objects.values()))
