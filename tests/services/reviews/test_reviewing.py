"""One review after the other, and what others may know of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ai import tenancy
from ai.exceptions import Conflict, Forbidden, InvalidInput, NotFound
from ai.models import ChatThread, ReviewItem, ReviewRubric, ReviewSlot, ReviewVerdict, Tenant
from ai.services import actors
from ai.services.reviews import queues, reviewing
from tests import factories
from tests.services.reviews.making import NO, NOW, QUESTIONS, YES, lead, queue, review, reviewer

LATER = NOW + timedelta(minutes=31)


class TestNextTask:
    def test_gives_the_items_in_their_order(self, tenant: Tenant) -> None:
        made, ana = queue(tenant), reviewer(tenant)

        positions = [review(made, ana, YES).position for _ in range(3)]

        assert positions == [0, 1, 2]
        assert reviewing.next_task(queue_id=made.pk, by=ana, at=NOW) is None

    def test_gives_the_same_one_until_it_is_answered(self, tenant: Tenant) -> None:
        made, ana = queue(tenant), reviewer(tenant)

        first, second = (reviewing.next_task(queue_id=made.pk, by=ana, at=NOW) for _ in range(2))

        assert first is not None
        assert second is not None
        assert first.slot.pk == second.slot.pk

    def test_gives_two_people_different_slots(self, tenant: Tenant) -> None:
        made = queue(tenant, items=2)

        tasks = [reviewing.next_task(queue_id=made.pk, by=reviewer(tenant), at=NOW) for _ in range(3)]

        assert tasks[2] is None
        assert len({task.slot.pk for task in tasks if task}) == 2

    def test_gives_nobody_two_reviews_of_one_item(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1, reviews_per_item=2), reviewer(tenant)
        review(made, ana, YES)

        assert reviewing.next_task(queue_id=made.pk, by=ana, at=NOW) is None

    def test_gives_away_what_ran_out(self, tenant: Tenant) -> None:
        made, ana, ben = queue(tenant, items=1), reviewer(tenant), reviewer(tenant)
        hers = reviewing.next_task(queue_id=made.pk, by=ana, at=NOW)

        assert reviewing.next_task(queue_id=made.pk, by=ben, at=NOW) is None
        his = reviewing.next_task(queue_id=made.pk, by=ben, at=LATER)

        assert hers is not None
        assert his is not None
        assert his.slot.pk == hers.slot.pk
        with pytest.raises(NotFound):
            reviewing.submit(slot_id=hers.slot.pk, answers=YES, by=ana, at=LATER)

    def test_gives_back_what_ran_out_to_whoever_had_it(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1, reviews_per_item=2), reviewer(tenant)
        reviewing.next_task(queue_id=made.pk, by=ana, at=NOW)

        assert reviewing.next_task(queue_id=made.pk, by=ana, at=LATER) is not None

    def test_gives_what_is_kept_for_somebody_to_nobody_else(self, tenant: Tenant) -> None:
        made, ana, ben = queue(tenant, items=1), reviewer(tenant), reviewer(tenant)
        item = ReviewItem.objects.get()
        queues.assign(item_id=item.pk, to=ana, by=lead(tenant), at=NOW)

        assert reviewing.next_task(queue_id=made.pk, by=ben, at=NOW) is None
        assert reviewing.next_task(queue_id=made.pk, by=ana, at=NOW) is not None

    def test_passes_over_what_was_deleted_meanwhile(self, tenant: Tenant) -> None:
        made = queue(tenant, items=2)
        first, second = ReviewItem.objects.order_by("position")
        ChatThread.objects.delete_thread(first.thread_id)

        task = reviewing.next_task(queue_id=made.pk, by=reviewer(tenant), at=NOW)

        assert task is not None
        assert task.item.pk == second.pk
        assert ReviewItem.objects.get(pk=first.pk).state == "gone"

    @pytest.mark.parametrize("state", ["paused", "closed"])
    def test_gives_nothing_of_a_queue_that_is_not_open(self, tenant: Tenant, state: str) -> None:
        made = queue(tenant)
        queues.move(queue_id=made.pk, state=state, by=lead(tenant), at=NOW)

        with pytest.raises(Conflict, match=state):
            reviewing.next_task(queue_id=made.pk, by=reviewer(tenant), at=NOW)

    def test_is_for_those_who_may_review(self, tenant: Tenant) -> None:
        made = queue(tenant)

        with pytest.raises(Forbidden):
            reviewing.next_task(queue_id=made.pk, by=factories.staff(tenants=(tenant,)), at=NOW)

    def test_of_another_tenant_does_not_exist(self, tenant: Tenant) -> None:
        made, other = queue(tenant), factories.tenant()

        with tenancy.scope(other.pk), pytest.raises(NotFound):
            reviewing.next_task(queue_id=made.pk, by=reviewer(other), at=NOW)

    def test_costs_the_same_for_three_items_and_three_hundred(
        self, tenant: Tenant, django_assert_max_num_queries: object
    ) -> None:
        made, ana = queue(tenant, items=300), reviewer(tenant)
        for _ in range(20):
            review(made, ana, YES)
        ana.has_perm("ai.review_reviewqueue")

        with django_assert_max_num_queries(15):  # type: ignore[operator] # six begin and end transactions, one locks
            reviewing.next_task(queue_id=made.pk, by=ana, at=NOW)


class TestKeepDraft:
    def test_keeps_the_answers_and_the_reservation(self, tenant: Tenant) -> None:
        made, ana = queue(tenant), reviewer(tenant)
        task = reviewing.next_task(queue_id=made.pk, by=ana, at=NOW)
        assert task is not None

        until = reviewing.keep_draft(
            slot_id=task.slot.pk, answers={"why": "It"}, by=ana, at=NOW + timedelta(minutes=20)
        )

        again = reviewing.next_task(queue_id=made.pk, by=ana, at=NOW + timedelta(minutes=45))
        assert until == NOW + timedelta(minutes=50)
        assert again is not None
        assert again.slot.draft == {"why": "It"}


class TestSubmit:
    def test_of_the_only_review_is_the_verdict(self, tenant: Tenant) -> None:
        made = queue(tenant)

        item = review(made, reviewer(tenant), {**YES, "why": "It was."})

        assert item.state == "agreed"
        verdict = ReviewVerdict.objects.get()
        assert (verdict.item_id, verdict.answers, verdict.decided_by) == (
            item.pk,
            {"helpful": True, "why": "It was."},
            "agreement",
        )

    def test_waits_for_the_other_reviews(self, tenant: Tenant) -> None:
        made = queue(tenant, reviews_per_item=2)

        assert review(made, reviewer(tenant), YES).state == "open"

    def test_agrees_apart_from_texts(self, tenant: Tenant) -> None:
        made = queue(tenant, reviews_per_item=2)
        review(made, reviewer(tenant), {**YES, "why": "One"})

        assert review(made, reviewer(tenant), {**YES, "why": "Other"}).state == "agreed"

    def test_disputes_where_answers_differ(self, tenant: Tenant) -> None:
        made = queue(tenant, reviews_per_item=2)
        review(made, reviewer(tenant), YES)

        assert review(made, reviewer(tenant), NO).state == "disputed"
        assert not ReviewVerdict.objects.exists()

    def test_names_the_question_that_needs_an_answer(self, tenant: Tenant) -> None:
        made, ana = queue(tenant), reviewer(tenant)

        with pytest.raises(InvalidInput) as refused:
            review(made, ana, {"why": "It was."})

        assert refused.value.param == "helpful"
        assert not ReviewSlot.objects.filter(submitted_at__isnull=False).exists()

    def test_of_anothers_review_is_refused(self, tenant: Tenant) -> None:
        made, ana = queue(tenant), reviewer(tenant)
        task = reviewing.next_task(queue_id=made.pk, by=ana, at=NOW)
        assert task is not None

        with pytest.raises(NotFound):
            reviewing.submit(slot_id=task.slot.pk, answers=YES, by=reviewer(tenant), at=NOW)

    def test_a_second_time_is_refused(self, tenant: Tenant) -> None:
        made, ana = queue(tenant), reviewer(tenant)
        task = reviewing.next_task(queue_id=made.pk, by=ana, at=NOW)
        assert task is not None
        reviewing.submit(slot_id=task.slot.pk, answers=YES, by=ana, at=NOW)

        with pytest.raises(Conflict):
            reviewing.submit(slot_id=task.slot.pk, answers=NO, by=ana, at=NOW)

        assert ReviewSlot.objects.get(pk=task.slot.pk).answers == YES


class TestRubric:
    def test_changes_until_somebody_has_answered(self, tenant: Tenant) -> None:
        made = queue(tenant)

        asked = queues.ask(queue_id=made.pk, questions=QUESTIONS[:1], by=lead(tenant), at=NOW)

        assert asked.version == 1
        assert len(asked.questions) == 1

    def test_has_a_new_version_from_then_on(self, tenant: Tenant) -> None:
        made = queue(tenant)
        review(made, reviewer(tenant), YES)

        asked = queues.ask(queue_id=made.pk, questions=QUESTIONS[:1], by=lead(tenant), at=NOW)
        review(made, reviewer(tenant), NO)

        assert asked.version == 2
        assert ReviewRubric.objects.get(version=1).questions[1]["id"] == "why"
        answered = ReviewSlot.objects.filter(submitted_at__isnull=False).order_by("position")
        assert list(answered.values_list("rubric_version", flat=True)) == [1, 2]


class TestPass:
    def test_gives_the_item_to_others(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1), reviewer(tenant)
        task = reviewing.next_task(queue_id=made.pk, by=ana, at=NOW)
        assert task is not None

        reviewing.pass_over(slot_id=task.slot.pk, by=ana, at=NOW, reason="I know the customer.")

        assert reviewing.next_task(queue_id=made.pk, by=ana, at=NOW) is None
        assert reviewing.next_task(queue_id=made.pk, by=reviewer(tenant), at=NOW) is not None

    def test_is_not_putting_back(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1), reviewer(tenant)
        task = reviewing.next_task(queue_id=made.pk, by=ana, at=NOW)
        assert task is not None

        reviewing.put_back(slot_id=task.slot.pk, by=ana, at=NOW)

        assert reviewing.next_task(queue_id=made.pk, by=ana, at=NOW) is not None


class TestTakeBack:
    def test_makes_a_draft_of_the_answer(self, tenant: Tenant) -> None:
        made, ana = queue(tenant), reviewer(tenant)
        item = review(made, ana, YES)
        slot = reviewing.last_answered(queue_id=made.pk, by=ana)
        assert slot is not None

        task = reviewing.take_back(slot_id=slot.pk, by=ana, at=NOW)

        assert (task.slot.draft, task.slot.answers, task.item.state) == (YES, None, "open")
        assert not ReviewVerdict.objects.filter(item_id=item.pk).exists()
        assert reviewing.submit(slot_id=slot.pk, answers=NO, by=ana, at=NOW).state == "agreed"

    def test_after_thirty_days_is_too_late(self, tenant: Tenant) -> None:
        made, ana = queue(tenant), reviewer(tenant)
        review(made, ana, YES)
        slot = reviewing.last_answered(queue_id=made.pk, by=ana)
        assert slot is not None

        with pytest.raises(InvalidInput, match="30 days"):
            reviewing.take_back(slot_id=slot.pk, by=ana, at=NOW + timedelta(days=31))


class TestBlindness:
    def test_nobody_sees_answers_before_their_own(self, tenant: Tenant) -> None:
        made, ana, ben = queue(tenant, items=1, reviews_per_item=2), reviewer(tenant), reviewer(tenant)
        item = review(made, ana, YES)

        before = reviewing.answers_for(item_id=item.pk, by=ben)
        review(made, ben, YES, at=NOW + timedelta(seconds=1))
        after = reviewing.answers_for(item_id=item.pk, by=ben)

        assert before == []
        assert [slot.answers for slot in after] == [YES, YES]

    def test_nobody_sees_answers_that_would_tell_how_to_answer_anew(self, tenant: Tenant) -> None:
        made, ana, ben = queue(tenant, items=1, reviews_per_item=2), reviewer(tenant), reviewer(tenant)
        review(made, ana, YES)
        item = review(made, ben, NO)

        assert [slot.answers for slot in reviewing.answers_for(item_id=item.pk, by=ben)] == [NO]

    def test_whoever_sees_them_decides_and_does_not_answer_anew(self, tenant: Tenant) -> None:
        made, boss = queue(tenant, items=1, reviews_per_item=2), lead(tenant)
        review(made, reviewer(tenant), YES)
        review(made, boss, NO)
        slot = reviewing.last_answered(queue_id=made.pk, by=boss)
        assert slot is not None

        with pytest.raises(Conflict, match="decide it instead"):
            reviewing.take_back(slot_id=slot.pk, by=boss, at=NOW)

    def test_not_even_who_may_decide(self, tenant: Tenant) -> None:
        made = queue(tenant, items=1, reviews_per_item=2)
        item = review(made, reviewer(tenant), YES)

        assert reviewing.answers_for(item_id=item.pk, by=lead(tenant)) == []

    def test_whoever_decides_sees_all_when_all_are_there(self, tenant: Tenant) -> None:
        made = queue(tenant, items=1, reviews_per_item=2)
        review(made, reviewer(tenant), YES)
        item = review(made, reviewer(tenant), NO)

        assert len(reviewing.answers_for(item_id=item.pk, by=lead(tenant))) == 2
        assert reviewing.answers_for(item_id=item.pk, by=reviewer(tenant)) == []

    def test_the_audit_log_tells_no_answers(self, tenant: Tenant) -> None:
        from ai.models import AuditEntry

        review(queue(tenant), reviewer(tenant), {**YES, "why": "unmistakable"})

        assert "unmistakable" not in str(list(AuditEntry.objects.values()))


def test_actors_without_an_account_review_under_their_name(tenant: Tenant) -> None:
    assert review(queue(tenant), actors.SYSTEM, YES).state == "agreed"
