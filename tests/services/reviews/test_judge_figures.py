"""How far a judge agrees with people, what follows from it, and who may see what it said."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ai import tenancy
from ai.exceptions import NotFound
from ai.models import (
    AuditEntry,
    Job,
    JobItem,
    ReviewItem,
    ReviewJudge,
    ReviewJudgement,
    ReviewQueue,
    ReviewRubric,
    ReviewVerdict,
    Tenant,
)
from ai.services import actors
from ai.services.reviews import deciding, figures, judge_figures, queues, reviewing
from tests import factories
from tests.services.reviews.judges import judge
from tests.services.reviews.making import NO, NOW, QUESTIONS, YES, lead, queue, review, reviewer

pytestmark = pytest.mark.django_db

REFERENCE: dict[str, Any] = json.loads((Path(__file__).parents[2] / "stores" / "agreement_reference.json").read_text())


@pytest.fixture(autouse=True)
def _model(db: None) -> None:
    factories.language_model(alias="scripted")


def judged(made: ReviewQueue, said: list[dict[str, Any] | None], **values: Any) -> ReviewJudge:
    """A judge that has answered the items so, in their order; None is a failure."""
    found = judge(made, **{"least_items": 1, **values})
    version = ReviewRubric.objects.current(made.pk).version
    ReviewRubric.objects.freeze(made.pk, version=version, at=NOW)
    ReviewJudge.objects.freeze(found, rubric_version=version, at=NOW)
    for item, answers in zip(ReviewItem.objects.filter(queue_id=made.pk).order_by("position"), said, strict=False):
        row = ReviewJudgement(
            tenant_id=made.tenant_id, queue_id=made.pk, item_id=item.pk, judge_version=found.version,
            rubric_version=version, answers=answers, reason="unmistakable" if answers else "",
            error="" if answers else "It failed.",
        )  # fmt: skip
        assert ReviewJudgement.objects.keep(row, at=NOW)
    found.refresh_from_db()
    return found


def trust(made: ReviewQueue, by: Any = actors.SYSTEM, at: datetime = NOW) -> judge_figures.Trust:
    found = judge_figures.trust(queue_id=made.pk, by=by, at=at)
    assert found is not None
    return found


class TestTrust:
    def test_compares_with_the_verdict(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=12), reviewer(tenant)
        for answers in (YES, YES, NO, NO) * 3:
            review(made, ana, answers)
        judged(made, [YES, YES, NO, YES] * 3)

        [found] = trust(made).compared

        assert (found.items, found.pairs, found.percent) == (12, 12, 0.75)
        assert found.kappa == pytest.approx(0.5)
        assert found.matrix
        assert (found.matrix.labels, found.matrix.rows) == (["yes", "no"], [("yes", [6, 0]), ("no", [3, 3])])

    @pytest.mark.parametrize("case", REFERENCE["kappa"])
    def test_has_the_kappa_of_scikit_learn(self, tenant: Tenant, case: dict[str, Any]) -> None:
        labels = sorted({str(value) for value in case["first"] + case["second"]} | {"a", "b"})
        asked = [{"id": "label", "type": "choice", "text": "Which?", "options": labels}]
        # κ of the same answers again and again is the same; of few items none is told.
        times = -(-judge_figures.LEAST_TOLD // len(case["first"]))
        first, second = case["first"] * times, case["second"] * times
        made, ana = queue(tenant, items=len(first), questions=asked), reviewer(tenant)
        for value in first:
            review(made, ana, {"label": str(value)})
        judged(made, [{"label": str(value)} for value in second])

        [found] = trust(made).compared

        assert found.kappa == (None if case["value"] is None else pytest.approx(case["value"], abs=1e-9))

    def test_compares_with_each_reviewer_where_they_differ(self, tenant: Tenant) -> None:
        made = queue(tenant, items=10, reviews_per_item=2)
        ana, ben = reviewer(tenant), reviewer(tenant)
        for _ in range(10):
            review(made, ana, YES)
            review(made, ben, NO)
        judged(made, [YES] * 10)

        [found] = trust(made).compared

        assert (found.items, found.pairs, found.percent) == (10, 20, 0.5)

    def test_does_not_compare_with_a_decision_that_was_made_in_sight_of_its_answer(self, tenant: Tenant) -> None:
        made = queue(tenant, items=10, reviews_per_item=2)
        ana, ben = reviewer(tenant), reviewer(tenant)
        for _ in range(10):
            review(made, ana, YES)
            item = review(made, ben, NO)
        judged(made, [YES] * 10)
        deciding.decide(item_id=item.pk, answers=YES, by=lead(tenant), at=NOW)

        assert [(each.pairs, each.percent) for each in trust(made).compared] == [(20, 0.5)]

    def test_says_nothing_of_items_that_others_may_still_review(self, tenant: Tenant) -> None:
        made = queue(tenant, items=1, reviews_per_item=2)
        review(made, reviewer(tenant), YES)
        judged(made, [YES])

        assert [each.items for each in trust(made).compared] == [0]

    def test_says_nothing_of_answers_to_other_questions(self, tenant: Tenant) -> None:
        made = queue(tenant, items=1)
        review(made, reviewer(tenant), YES)
        queues.ask(queue_id=made.pk, questions=[{**QUESTIONS[0], "text": "Really?"}], by=lead(tenant), at=NOW)
        judged(made, [YES])

        assert [each.items for each in trust(made).compared] == [0]

    def test_is_measured_anew_for_a_new_version(self, tenant: Tenant) -> None:
        made = queue(tenant, items=1)
        review(made, reviewer(tenant), YES)
        judged(made, [YES])

        judge(made, prompt="Be strict.")

        assert (trust(made).judge.version, trust(made).answered) == (2, 0)

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"threshold": 0.6}, "not yet trusted: κ 0.50 of 0.60 on 12 items"),
            ({"threshold": 0.5}, "trusted: κ 0.50 of 0.50 on 12 items"),
            (
                {"threshold": 0.5, "least_items": 15},
                "not yet trusted: κ 0.50 of 0.50 on 12 items; at least 15 are needed",
            ),
        ],
    )
    def test_says_whether_it_is_enough(self, tenant: Tenant, values: dict[str, Any], words: str) -> None:
        made, ana = queue(tenant, items=12), reviewer(tenant)
        for answers in (YES, YES, NO, NO) * 3:
            review(made, ana, answers)
        judged(made, [YES, YES, NO, YES] * 3, **values)

        assert trust(made).words == words
        assert bool(trust(made).trusted) == words.startswith("trusted")

    def test_is_not_there_where_kappa_is_undefined(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=10), reviewer(tenant)
        for _ in range(10):
            review(made, ana, YES)
        judged(made, [YES] * 10)

        [found] = trust(made).compared

        assert (found.percent, found.kappa, found.is_trusted) == (1.0, None, False)
        assert "undefined" in found.why_not

    def test_counts_what_failed(self, tenant: Tenant) -> None:
        made = queue(tenant, items=3)
        found = judged(made, [YES, None, None])

        assert (trust(made).answered, trust(made).failed) == (1, 2)
        assert judge_figures.failures(queue_id=made.pk, judge=found, most=9) == [(2, "It failed."), (3, "It failed.")]

    def test_costs_the_same_queries_for_three_items_and_three_hundred(
        self, tenant: Tenant, django_assert_num_queries: Any
    ) -> None:
        made = queue(tenant, items=300)
        judged(made, [YES] * 300)

        with django_assert_num_queries(7):
            found = trust(made)
        with django_assert_num_queries(0):
            judge_figures.findings(found)

    def test_of_another_tenant_is_not_there(self, tenant: Tenant) -> None:
        made, other = queue(tenant), factories.tenant()
        judged(made, [YES])

        with tenancy.scope(other.pk):
            with pytest.raises(NotFound):
                trust(made)
            with pytest.raises(NotFound):
                judge_figures.answer_for(item_id=ReviewItem._base_manager.all()[0].pk, by=lead(other))


class TestFindings:
    def measured(self, tenant: Tenant, *, threshold: float) -> ReviewQueue:
        """Twelve items that people and the judge have answered, and twenty that only the judge has."""
        made, ana = queue(tenant, items=32), reviewer(tenant)
        for answers in (YES, YES, NO, NO) * 3:
            review(made, ana, answers)
        judged(made, [*[YES, YES, NO, YES] * 3, *[YES] * 15, *[NO] * 5], threshold=threshold)
        return made

    def test_leave_out_a_judge_that_is_not_trusted(self, tenant: Tenant) -> None:
        made = self.measured(tenant, threshold=0.6)

        assert judge_figures.findings(trust(made)) == []

    def test_of_a_trusted_judge_are_of_items_that_nobody_has_reviewed(self, tenant: Tenant) -> None:
        made = self.measured(tenant, threshold=0.5)

        yes, no = judge_figures.findings(trust(made))

        assert (yes.answer, yes.rate.value, yes.rate.total) == ("yes", 0.75, 20)
        assert no.rate.value == 0.25

    @pytest.mark.parametrize("threshold", [0.5, 0.6])
    def test_never_change_those_of_people(self, tenant: Tenant, threshold: float) -> None:
        made = self.measured(tenant, threshold=threshold)

        yes, no = figures.findings(queue_id=made.pk)

        assert (yes.rate.count, yes.rate.total, no.rate.count) == (6, 12, 6)
        assert ReviewVerdict.objects.filter(queue_id=made.pk).count() == 12
        assert figures.progress(queue_id=made.pk, at=NOW).answered == 12

    def test_of_few_items_would_tell_what_it_said_of_each(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=10 + judge_figures.LEAST_TOLD - 1), reviewer(tenant)
        for answers in (YES, NO) * 5:
            review(made, ana, answers)
        judged(made, [*[YES, NO] * 5, *[YES] * 9])

        assert trust(made).trusted
        assert judge_figures.findings(trust(made)) == []


class TestBlindness:
    def seen(self, item: ReviewItem, by: Any) -> bool:
        return judge_figures.answer_for(item_id=item.pk, by=by) is not None

    def test_nobody_sees_it_while_they_may_still_review(self, tenant: Tenant) -> None:
        made, boss, ana = queue(tenant, items=1, reviews_per_item=2), lead(tenant), reviewer(tenant)
        judged(made, [YES])
        item = ReviewItem.objects.get()

        assert not self.seen(item, boss)
        assert not self.seen(item, ana)
        review(made, ana, NO)
        assert not self.seen(item, boss)
        review(made, boss, NO)
        assert not self.seen(item, ana)

    def test_nobody_sees_it_who_could_take_their_answer_back(self, tenant: Tenant) -> None:
        made, boss = queue(tenant, items=1), lead(tenant)
        judged(made, [YES])
        item = review(made, boss, NO)

        assert not self.seen(item, boss)
        reviewing.take_back(slot_id=reviewing.last_answered(queue_id=made.pk, by=boss).pk, by=boss, at=NOW)  # type: ignore[union-attr]
        assert not self.seen(item, boss)

    def test_whoever_decides_sees_it_when_all_reviews_are_there(self, tenant: Tenant) -> None:
        made = queue(tenant, items=1, reviews_per_item=2)
        judged(made, [YES])
        review(made, reviewer(tenant), YES)
        item = review(made, reviewer(tenant), NO)

        found = judge_figures.answer_for(item_id=item.pk, by=lead(tenant))

        assert found is not None
        assert (found[0].answers, found[0].reason, found[1].version) == (YES, "unmistakable", 1)
        assert not self.seen(item, reviewer(tenant))

    def test_nobody_works_it_out_from_figures_that_change_with_their_own_answer(self, tenant: Tenant) -> None:
        made, ana, boss = queue(tenant, items=13), reviewer(tenant), lead(tenant)
        for answers in (YES, NO) * 6:
            review(made, ana, answers)
        judged(made, [*[YES, NO] * 6, NO])
        before = trust(made, by=boss)

        review(made, boss, YES)

        after = trust(made, by=boss)
        assert (after.compared, after.own) == (before.compared, 1)
        assert [each.items for each in trust(made, by=lead(tenant)).compared] == [13]
        assert [each.items for each in trust(made, by=boss, at=NOW + timedelta(days=31)).compared] == [13]

    def test_figures_of_few_items_are_not_told(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=9), reviewer(tenant)
        for _ in range(9):
            review(made, ana, YES)
        judged(made, [*[YES] * 8, NO])

        [found] = trust(made).compared

        assert (found.items, found.percent, found.kappa, found.matrix) == (9, None, None, None)
        assert (found.is_trusted, found.why_not) == (False, "9 of 10 items")

    def test_it_is_none_of_what_reviewers_see(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1), reviewer(tenant)
        judged(made, [NO])
        item = review(made, ana, YES)

        assert [slot.answers for slot in reviewing.answers_for(item_id=item.pk, by=ana)] == [YES]
        assert item.state == "agreed"

    def test_neither_jobs_nor_the_audit_log_tell_it(self, tenant: Tenant) -> None:
        made = queue(tenant, items=1)
        judged(made, [{**YES, "why": "unmistakable"}])

        told = [*AuditEntry.objects.values(), *Job.objects.values(), *JobItem.objects.values()]

        assert "unmistakable" not in str(told)
