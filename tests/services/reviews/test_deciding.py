"""Deciding, figures, and filling queues."""

from __future__ import annotations

import random
from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from ai import ids
from ai.exceptions import Conflict, Forbidden, InvalidInput
from ai.models import ChatThread, ReviewItem, ReviewQueue, ReviewVerdict, Run, Tenant
from ai.services import actors
from ai.services.reviews import deciding, figures, queues, sampling
from ai.services.selections import Selection
from tests import factories
from tests.admin import world
from tests.services.reviews.making import NO, NOW, YES, lead, queue, review, reviewer


@pytest.fixture
def disputed(tenant: Tenant) -> ReviewItem:
    """An item that two people answered differently."""
    made = queue(tenant, items=1, reviews_per_item=2)
    review(made, reviewer(tenant), YES)
    return review(made, reviewer(tenant), NO)


class TestDecide:
    def test_gives_the_answer_that_counts(self, tenant: Tenant, disputed: ReviewItem) -> None:
        by = lead(tenant)

        deciding.decide(item_id=disputed.pk, answers=YES, by=by, at=NOW, reason="See message 3.")

        verdict = ReviewVerdict.objects.get()
        assert (verdict.answers, verdict.decided_by, verdict.reason) == (YES, by.username, "See message 3.")
        disputed.refresh_from_db()
        assert disputed.state == "decided"

    def test_happens_once(self, tenant: Tenant, disputed: ReviewItem) -> None:
        deciding.decide(item_id=disputed.pk, answers=YES, by=lead(tenant), at=NOW)

        with pytest.raises(Conflict, match="decided already"):
            deciding.decide(item_id=disputed.pk, answers=NO, by=lead(tenant), at=NOW)

    def test_waits_for_all_reviews(self, tenant: Tenant) -> None:
        made = queue(tenant, items=1, reviews_per_item=2)
        item = review(made, reviewer(tenant), YES)

        with pytest.raises(Conflict, match="are missing"):
            deciding.decide(item_id=item.pk, answers=YES, by=lead(tenant), at=NOW)

    def test_says_when_there_is_nothing_left_to_decide(self, tenant: Tenant, disputed: ReviewItem) -> None:
        ReviewItem.objects.drop(disputed.pk, at=NOW)

        with pytest.raises(Conflict, match="has been deleted: there is nothing to decide"):
            deciding.decide(item_id=disputed.pk, answers=YES, by=lead(tenant), at=NOW)

    def test_is_not_for_every_reviewer(self, tenant: Tenant, disputed: ReviewItem) -> None:
        with pytest.raises(Forbidden):
            deciding.decide(item_id=disputed.pk, answers=YES, by=reviewer(tenant), at=NOW)

    def test_can_be_withdrawn(self, tenant: Tenant, disputed: ReviewItem) -> None:
        by = lead(tenant)
        deciding.decide(item_id=disputed.pk, answers=YES, by=by, at=NOW)

        deciding.withdraw(item_id=disputed.pk, by=by, at=NOW)

        disputed.refresh_from_db()
        assert disputed.state == "disputed"
        assert not ReviewVerdict.objects.exists()


class TestFigures:
    def test_count_reviews_and_items(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=3, reviews_per_item=2), reviewer(tenant)
        review(made, ana, YES)
        review(made, reviewer(tenant), NO)

        found = figures.progress(queue_id=made.pk, at=NOW)

        assert (found.reviews, found.answered, found.percent) == (6, 2, 33)
        assert found.items == {"open": 2, "disputed": 1}
        assert [pace.answered for pace in figures.paces(queue_id=made.pk, at=NOW)] == [1, 1]

    def test_say_how_far_reviewers_agree(self, tenant: Tenant) -> None:
        made, ana, ben = queue(tenant, items=4, reviews_per_item=2), reviewer(tenant), reviewer(tenant)
        for hers, his in [(YES, YES), (NO, NO), (YES, NO), (NO, NO)]:
            review(made, ana, hers)
            review(made, ben, his)

        [found] = figures.agreements(queue_id=made.pk)

        assert found.percent == 0.75
        assert list(found.kappas.values()) == [pytest.approx(0.5)]
        assert found.alpha == pytest.approx(8 / 15)

    def test_say_nothing_of_items_that_others_may_still_review(self, tenant: Tenant) -> None:
        made = queue(tenant, items=1, reviews_per_item=3)
        review(made, reviewer(tenant), YES)
        review(made, reviewer(tenant), NO)

        assert [found.percent for found in figures.agreements(queue_id=made.pk)] == [None]

    def test_give_rates_with_their_interval(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=4), reviewer(tenant)
        for answers in (YES, YES, YES, NO):
            review(made, ana, answers)

        yes, no = figures.findings(queue_id=made.pk)

        assert (yes.answer, yes.rate.value, yes.rate.total) == ("yes", 0.75, 4)
        assert no.rate.value == 0.25
        assert yes.rate.low < 0.75 < yes.rate.high
        # 75 % ± 5 % takes 286 of an endless population.
        assert figures.more_for(yes, made, margin=0.05) == pytest.approx(286 - 4, abs=5)
        assert figures.more_for(yes, made, margin=0.5) == 0

    def test_count_what_somebody_did_in_the_last_hour(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=3), reviewer(tenant)
        for _ in range(2):
            review(made, ana, YES)

        def last_hour(minutes: int) -> int:
            at = NOW + timedelta(minutes=minutes)
            return figures.last_hour(queue_id=made.pk, reviewer=actors.id_of(ana), at=at)

        assert (last_hour(5), last_hour(90)) == (2, 0)


class TestMake:
    @pytest.mark.parametrize(
        ("name", "value"),
        [("name", " "), ("unit", "planet"), ("questions", []), ("reviews_per_item", 11), ("reservation_minutes", 0)],
    )
    def test_names_the_value_that_cannot_be_used(self, tenant: Tenant, name: str, value: object) -> None:
        with pytest.raises(InvalidInput) as refused:
            queue(tenant, items=0, **{name: value})

        assert refused.value.param == name

    def test_refuses_a_second_queue_with_the_name(self, tenant: Tenant) -> None:
        queue(tenant, items=0)

        with pytest.raises(Conflict, match="choose another name"):
            queue(tenant, items=0)


class TestFill:
    def test_passes_over_what_the_queue_has(self, tenant: Tenant) -> None:
        made = queue(tenant, items=2)
        everything = Selection.of_list("threads", {})
        factories.thread(tenant)

        added = queues.fill(
            queue_id=made.pk, selection=everything.frozen(at=NOW.replace(year=2100)), by=actors.SYSTEM, at=NOW
        )

        assert added == 1
        assert list(ReviewItem.objects.order_by("position").values_list("position", flat=True)) == [0, 1, 2]

    def test_refuses_other_things(self, tenant: Tenant) -> None:
        made = queue(tenant, items=0)

        with pytest.raises(InvalidInput, match="for threads, not for runs"):
            queues.fill(queue_id=made.pk, selection=Selection.of_list("runs", {}), by=actors.SYSTEM, at=NOW)

    def test_takes_nothing_of_another_tenant(self, tenant: Tenant) -> None:
        made = queue(tenant, items=0)
        strange = factories.thread(factories.tenant())

        with pytest.raises(InvalidInput, match="no such threads"):
            queues.fill(queue_id=made.pk, selection=Selection.of_ids("threads", [strange.pk]), by=actors.SYSTEM, at=NOW)

    def test_takes_the_same_sample_for_the_same_seed(self, tenant: Tenant) -> None:
        rows = [factories.thread(tenant) for _ in range(30)]
        chosen = Selection.of_ids("threads", [row.pk for row in rows])

        def sampled(name: str, seed: int) -> set[UUID]:
            made = queue(tenant, items=0, name=name)
            queues.fill(queue_id=made.pk, selection=chosen, sample=10, seed=seed, by=actors.SYSTEM, at=NOW)
            assert ReviewQueue.objects.get(pk=made.pk).population == 30
            return set(ReviewItem.objects.filter(queue_id=made.pk).values_list("object_id", flat=True))

        assert sampled("One", 1) == sampled("Two", 1) != sampled("Three", 2)

    @pytest.mark.parametrize(("unit", "noun"), [("message", "messages"), ("run", "runs"), ("replay", "runs")])
    def test_knows_the_thread_of_each_unit(self, tenant: Tenant, unit: str, noun: str) -> None:
        world.build(tenant, count=2)
        made = queue(tenant, items=0, unit=unit)
        run = Run.objects.originals().first()
        Run.objects.filter(pk=run.pk).update(replay_of=run.pk, replay_of_thread=run.thread_id)

        queues.fill(
            queue_id=made.pk,
            selection=Selection.of_list(noun, {}),
            by=actors.SYSTEM,
            at=timezone.now() + timedelta(minutes=1),
        )

        items = list(ReviewItem.objects.all())
        assert items
        assert ChatThread.objects.filter(pk__in=[item.thread_id for item in items]).count() == len(
            {item.thread_id for item in items}
        )


class TestSampling:
    def test_does_not_depend_on_the_order(self) -> None:
        keys = [ids.new() for _ in range(200)]
        shuffled = random.Random(1).sample(keys, len(keys))

        assert sampling.random(keys, size=20, seed=7) == sampling.random(shuffled, size=20, seed=7)

    def test_takes_of_each_stratum_its_share_and_at_least_one(self) -> None:
        strata = {ids.new(): name for name, count in (("a", 90), ("b", 9), ("c", 1)) for _ in range(count)}

        chosen = [strata[key] for key in sampling.stratified(strata, size=20, seed=1)]

        assert (len(chosen), chosen.count("c")) == (20, 1)
        assert 15 <= chosen.count("a") <= 18

    def test_takes_all_where_there_are_no_more(self) -> None:
        strata = {ids.new(): "a" for _ in range(5)}

        assert set(sampling.stratified(strata, size=20, seed=1)) == set(strata)
