"""Taking back what was done: for 30 days, unless somebody changed it since, and then it says who, what and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ai import tenancy
from ai.exceptions import Conflict, Forbidden, InvalidInput, NotFound
from ai.models import AuditEntry, ChatThread, ReviewEvent, ReviewItem, ReviewQueue, ReviewSlot, ReviewVerdict, Tenant
from ai.models.review_events import ReviewEventKind
from ai.services.reviews import assigning, deciding, history, queues, reviewing, undoing
from tests import factories
from tests.services.reviews.making import NO, NOW, YES, lead, queue, review, reviewer
from tests.services.reviews.undone import LATER, SOON, event, task, undo

pytestmark = pytest.mark.django_db


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

    def test_is_not_restored_for_other_answers(self, tenant: Tenant) -> None:
        made, boss, ana = queue(tenant, items=1, reviews_per_item=2), lead(tenant), reviewer(tenant)
        item = review(made, reviewer(tenant), NO)
        slot = task(made, ana).slot
        reviewing.submit(slot_id=slot.pk, answers=YES, by=ana, at=NOW)
        deciding.decide(item_id=item.pk, answers=YES, by=boss, at=NOW)
        deciding.withdraw(item_id=item.pk, by=boss, at=NOW)
        # An answer that was given anew before disputes could no longer be taken back.
        ReviewSlot.objects.filter(pk=slot.pk).update(answers={**YES, "why": "Anew"})
        history.note(ReviewEventKind.SUBMITTED, queue=slot, by=ana, at=SOON)

        with pytest.raises(Conflict, match=f"{ana.username} answered it at 12:05"):
            undo("withdrawn", boss, at=LATER)

        assert not ReviewVerdict.objects.exists()

    def test_is_not_restored_when_somebody_decided_and_withdrew_in_between(
        self, tenant: Tenant, disputed: ReviewItem
    ) -> None:
        boss, other = lead(tenant), lead(tenant)
        deciding.decide(item_id=disputed.pk, answers=YES, by=boss, at=NOW)
        deciding.withdraw(item_id=disputed.pk, by=boss, at=NOW)
        first = event("withdrawn")
        deciding.decide(item_id=disputed.pk, answers=NO, by=other, at=SOON)
        deciding.withdraw(item_id=disputed.pk, by=other, at=SOON)

        with pytest.raises(Conflict, match=f"{other.username} withdrew the decision"):
            undoing.undo(event_id=first.pk, by=boss, at=LATER)

        assert not ReviewVerdict.objects.exists()

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

    def test_cannot_count_again_when_the_review_is_kept_for_somebody_since(self, tenant: Tenant) -> None:
        made, ana, ben, boss = queue(tenant, items=1), reviewer(tenant), reviewer(tenant), lead(tenant)
        review(made, ana, YES)
        undo("submitted", ana)
        queues.assign(item_id=ReviewItem.objects.get().pk, to=ben, by=boss, at=LATER)

        with pytest.raises(Conflict, match=f"It is kept for {ben.username} since"):
            undo("taken_back", ana, at=LATER)

        slot = ReviewSlot.objects.get()
        assert (slot.assigned_to, slot.reviewer, slot.submitted_at) == (str(ben.pk), None, None)

    @pytest.mark.parametrize("is_known", [True, False])
    def test_to_what_is_gone_stays_as_it_is(self, tenant: Tenant, is_known: bool) -> None:
        made, ana = queue(tenant, items=1), reviewer(tenant)
        item = review(made, ana, YES)
        ChatThread.objects.all().delete()
        if is_known:
            ReviewItem.objects.drop(item.pk, at=NOW)

        with pytest.raises(Conflict, match="has been deleted since"):
            undo("submitted", ana)

        assert ReviewItem.objects.get().state == ("gone" if is_known else "agreed")
        assert ReviewSlot.objects.get().answers == YES

    def test_to_what_is_gone_does_not_count_again(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1), reviewer(tenant)
        review(made, ana, YES)
        undo("submitted", ana)
        ChatThread.objects.all().delete()

        with pytest.raises(Conflict, match="has been deleted since"):
            undo("taken_back", ana)

        assert not ReviewVerdict.objects.exists()

    def test_about_which_reviewers_differ_is_not_given_anew(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1, reviews_per_item=2), reviewer(tenant)
        review(made, ana, YES)
        review(made, reviewer(tenant), NO)

        with pytest.raises(Conflict, match="whoever decides such items decides it"):
            undoing.undo_last(queue_id=made.pk, by=ana, at=SOON)

        assert ReviewItem.objects.get().state == "disputed"

    def test_of_somebody_else_is_not_there(self, tenant: Tenant) -> None:
        made = queue(tenant, items=1)
        review(made, reviewer(tenant), YES)

        with pytest.raises(NotFound):
            undo("submitted", lead(tenant))


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
