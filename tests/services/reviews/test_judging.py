"""A model that answers the rubric beside people: set up, asked through Marvin, resumed, and nothing twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from ai import ids, tenancy
from ai.exceptions import Forbidden, InvalidInput, NotFound
from ai.models import (
    AuditEntry,
    LanguageModel,
    ReviewJudge,
    ReviewJudgement,
    Tenant,
)
from ai.services.reviews import judging
from tests import factories
from tests.fakes.vendors import VendorServer
from tests.services.reviews.judges import SAYS_YES, answering, judge, judgements, run
from tests.services.reviews.making import NOW, YES, lead, queue, reviewer

pytestmark = pytest.mark.django_db


class TestSetUp:
    def test_gives_a_queue_its_judge(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant)

        found = judge(made, prompt="  Be strict.  ", threshold=0.7, least_items=5)

        assert (found.version, found.model, found.prompt) == (1, "scripted", "Be strict.")
        assert (found.threshold, found.least_items, found.tenant_id) == (0.7, 5, tenant.pk)
        assert AuditEntry.objects.get(action="review_queue.judge_changed").data["version"] == 1

    def test_changes_a_version_that_has_not_answered(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant)
        judge(made)

        found = judge(made, prompt="Be strict.")

        assert (found.version, found.prompt, ReviewJudge.objects.count()) == (1, "Be strict.", 1)

    @pytest.mark.parametrize("change", [{"prompt": "Be strict."}, {"model_alias": "other"}])
    def test_makes_a_new_version_of_one_that_has(
        self, tenant: Tenant, scripted: VendorServer, change: dict[str, str]
    ) -> None:
        factories.language_model(alias="other", base_url=scripted.url("openai-compatible"))
        made = queue(tenant, items=1)
        judge(made)
        scripted.script(answering(SAYS_YES))
        run(made)

        found = judge(made, **change)

        assert found.version == 2
        assert ReviewJudge.objects.get(version=1).prompt == ""
        assert ReviewJudgement.objects.get().judge_version == 1

    def test_keeps_the_version_where_only_the_threshold_changes(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=1)
        judge(made)
        scripted.script(answering(SAYS_YES))
        run(made)

        found = judge(made, threshold=0.9, least_items=3)

        assert (found.version, found.threshold, found.least_items) == (1, 0.9, 3)

    @pytest.mark.parametrize(
        ("values", "param"),
        [
            ({"model_alias": ""}, "model"),
            ({"model_alias": "no-such-model"}, "model"),
            ({"threshold": 1.1}, "threshold"),
            ({"least_items": 0}, "least_items"),
            ({"prompt": "x" * 10_001}, "prompt"),
        ],
    )
    def test_names_what_cannot_be_used(
        self, tenant: Tenant, scripted: VendorServer, values: dict[str, Any], param: str
    ) -> None:
        with pytest.raises(InvalidInput) as refused:
            judge(queue(tenant), **values)

        assert refused.value.param == param

    def test_takes_no_agent(self, tenant: Tenant, settings: Any) -> None:
        settings.AI_AGENTS = {"clerk": "tests.marvin.agents.clerk"}

        with pytest.raises(InvalidInput, match="agent cannot judge"):
            judge(queue(tenant), model_alias="clerk")

    @pytest.mark.parametrize("permission", ["change_reviewqueue", "replay_run"])
    def test_needs_both_permissions(self, tenant: Tenant, scripted: VendorServer, permission: str) -> None:
        made, by = queue(tenant), factories.staff(permission, tenants=(tenant,))

        with pytest.raises(Forbidden):
            judge(made, by=by)
        judge(made)
        with pytest.raises(Forbidden):
            judging.start(queue_id=made.pk, by=by, at=NOW)

    def test_of_another_tenant_is_not_there(self, tenant: Tenant, scripted: VendorServer) -> None:
        made, other = queue(tenant), factories.tenant()
        judge(made)

        with tenancy.scope(other.pk):
            for act in (judge, run):
                with pytest.raises(NotFound):
                    act(made)
            assert not ReviewJudge.objects.exists()


class TestCost:
    def test_is_told_before_and_counted_after(self, tenant: Tenant, scripted: VendorServer) -> None:
        LanguageModel.objects.filter(alias="scripted").update(input_price=Decimal(2), output_price=Decimal(10))
        made = queue(tenant, items=3)
        judge(made)
        expected = judging.estimate(queue_id=made.pk)
        scripted.script(answering(SAYS_YES))

        job = run(made)

        assert expected.threads == 3
        assert expected.cost
        assert Decimal("0.002") < expected.cost < Decimal("0.02")
        assert Decimal(job.data["cost"]) == Decimal(3 * (11 * 2 + 7 * 10)) / 1_000_000
        assert (job.data["input_tokens"], job.data["output_tokens"]) == (33, 21)
        assert judging.estimate(queue_id=made.pk).threads == 0

    def test_is_unknown_where_no_price_is(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=1)
        judge(made)
        scripted.script(answering(SAYS_YES))

        assert judging.estimate(queue_id=made.pk).cost is None
        assert run(made).data["cost"] is None


class TestConstraints:
    def row(self, tenant: Tenant, **values: Any) -> ReviewJudgement:
        fixed: dict[str, Any] = {"queue_id": ids.new(), "item_id": ids.new(), "judge_version": 1, "rubric_version": 1}
        return ReviewJudgement(tenant_id=tenant.pk, **(fixed | values))

    def test_one_answer_of_each_version_to_each_item(self, tenant: Tenant) -> None:
        item = ids.new()
        self.row(tenant, item_id=item, answers=YES).save(force_insert=True)

        with pytest.raises(IntegrityError), transaction.atomic():
            self.row(tenant, item_id=item, answers=YES).save(force_insert=True)

    def test_an_answer_stays_whatever_comes_after_it(self, tenant: Tenant) -> None:
        item, queue_id = ids.new(), ids.new()
        fixed: dict[str, Any] = {"item_id": item, "queue_id": queue_id}
        assert ReviewJudgement.objects.keep(self.row(tenant, **fixed, error="It failed."), at=NOW)
        assert ReviewJudgement.objects.keep(self.row(tenant, **fixed, answers=YES), at=NOW)

        assert not ReviewJudgement.objects.keep(self.row(tenant, **fixed, answers={"helpful": False}), at=NOW)
        assert not ReviewJudgement.objects.keep(self.row(tenant, **fixed, error="Late."), at=NOW)

        assert judgements() == [(YES, "")]

    @pytest.mark.parametrize("values", [{}, {"answers": YES, "error": "Both"}])
    def test_an_answer_or_an_error(self, tenant: Tenant, values: dict[str, Any]) -> None:
        with pytest.raises(IntegrityError, match="ai_review_judgement_answer_or_error"), transaction.atomic():
            self.row(tenant, **values).save(force_insert=True)


def test_a_lead_with_the_role_may_set_up_and_run(tenant: Tenant, scripted: VendorServer) -> None:
    made, by = queue(tenant, items=1), reviewer(tenant, "change_reviewqueue", "replay_run")
    judge(made, by=by)

    assert judging.start(queue_id=made.pk, by=by, at=NOW).requested_by == by.username
    with pytest.raises(Forbidden):
        judging.start(queue_id=made.pk, by=lead(tenant), at=NOW)
