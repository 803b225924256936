"""Who lets their own answers stay sees how far the judge agrees with them, and can no longer use that."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from ai import tenancy
from ai.exceptions import Conflict, Forbidden, NotFound
from ai.models import AuditEntry, ReviewEvent, ReviewSlot, Tenant
from ai.services import actors
from ai.services.reviews import judge_figures, judging, reviewing, undoing
from tests import factories
from tests.services.reviews.making import NO, NOW, YES, lead, queue, review, reviewer
from tests.services.reviews.test_judge_figures import judged, trust

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _model(db: None) -> None:
    factories.language_model(alias="scripted")


class TestCountOwn:
    def test_who_lets_their_answers_stay_sees_them_compared(self, tenant: Tenant) -> None:
        made, boss = queue(tenant, items=12), lead(tenant)
        for answers in (YES, NO) * 6:
            item = review(made, boss, answers)
        judged(made, [*[YES, NO] * 6])
        alone = trust(made, by=boss)

        assert judging.count_own(queue_id=made.pk, by=boss, at=NOW) == 12

        assert (alone.own, alone.may_count_own, [each.items for each in alone.compared]) == (12, True, [0])
        found = trust(made, by=boss)
        assert (found.own, found.may_count_own) == (0, False)
        assert [(each.items, each.percent) for each in found.compared] == [(12, 1.0)]
        assert judge_figures.answer_for(item_id=item.pk, by=boss) is not None

    def test_what_counts_for_its_author_is_never_taken_back(self, tenant: Tenant) -> None:
        made, boss = queue(tenant, items=2), lead(tenant)
        judged(made, [YES, YES])
        review(made, boss, YES)
        slot, event = ReviewSlot.objects.get(reviewer=actors.id_of(boss)), ReviewEvent.objects.get()
        judging.count_own(queue_id=made.pk, by=boss, at=NOW)

        for take_back in (
            lambda: reviewing.take_back(slot_id=slot.pk, by=boss, at=NOW),
            lambda: undoing.undo(event_id=event.pk, by=boss, at=NOW),
        ):
            with pytest.raises(Conflict, match="stays as it is"):
                take_back()
        assert not ReviewSlot.objects.reopen(slot, actors.id_of(boss), submitted_at=NOW, until=NOW, at=NOW)
        assert undoing.last_of(queue_id=made.pk, by=boss, at=NOW) is None
        assert reviewing.last_answered(queue_id=made.pk, by=boss) is None
        with pytest.raises(NotFound):
            undoing.undo_last(queue_id=made.pk, by=boss, at=NOW)

    def test_what_is_answered_after_that_is_left_out_again(self, tenant: Tenant) -> None:
        made, boss = queue(tenant, items=12), lead(tenant)
        judged(made, [YES] * 12)
        for _ in range(11):
            review(made, boss, YES)
        judging.count_own(queue_id=made.pk, by=boss, at=NOW)

        review(made, boss, NO)

        found = trust(made, by=boss)
        assert (found.own, [(each.items, each.percent) for each in found.compared]) == (1, [(11, 1.0)])

    def test_only_answers_that_others_agree_with_stay(self, tenant: Tenant) -> None:
        made, boss, ana = queue(tenant, items=2, reviews_per_item=2), lead(tenant), reviewer(tenant)
        judged(made, [YES, YES])
        for _ in range(2):
            review(made, boss, YES)
        review(made, ana, YES)

        assert judging.count_own(queue_id=made.pk, by=boss, at=NOW) == 1
        still_open = ReviewSlot.objects.get(reviewer=actors.id_of(boss), final_at__isnull=True)
        assert reviewing.take_back(slot_id=still_open.pk, by=boss, at=NOW).slot.submitted_at is None
        assert not ReviewSlot.objects.filter(reviewer=actors.id_of(ana), final_at__isnull=False).exists()

    def test_only_leads_let_their_answers_count_and_only_beside_a_judge(self, tenant: Tenant) -> None:
        made, ana, boss = queue(tenant, items=2), reviewer(tenant), lead(tenant)
        for who in (ana, boss):
            review(made, who, YES)

        with pytest.raises(Conflict, match="no judge"):
            judging.count_own(queue_id=made.pk, by=boss, at=NOW)
        judged(made, [YES, YES])
        with pytest.raises(Forbidden):
            judging.count_own(queue_id=made.pk, by=ana, at=NOW)
        with tenancy.scope(factories.tenant().pk), pytest.raises(NotFound):
            judging.count_own(queue_id=made.pk, by=boss, at=NOW)
        assert judging.count_own(queue_id=made.pk, by=boss, at=NOW) == 1
        with pytest.raises(Conflict, match="left out"):
            judging.count_own(queue_id=made.pk, by=boss, at=NOW)
        assert AuditEntry.objects.filter(action="review_queue.own_answers_final").count() == 1

    def test_what_nobody_has_answered_cannot_stay(self, tenant: Tenant) -> None:
        queue(tenant, items=1)

        with pytest.raises(IntegrityError, match="ai_review_slot_final_is_answered"), transaction.atomic():
            ReviewSlot.objects.update(final_at=NOW)
