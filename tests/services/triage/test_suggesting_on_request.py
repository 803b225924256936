"""Asking a model for labels of chosen feedback, and confirming what it suggests."""

from __future__ import annotations

from typing import Any

import pytest

from ai.exceptions import Forbidden, InvalidInput
from ai.models import AuditEntry, Feedback, FeedbackEvent, LanguageModel, Tenant
from ai.services.triage import rules, steps, suggesting
from tests import factories
from tests.fakes.vendors import VendorServer
from tests.services.triage.suggested import NOW, carry_on, chose, given, now_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("feedback_model")]


class TestRequest:
    def test_asks_about_those_with_a_comment(self, scripted: VendorServer, tenant: Tenant) -> None:
        scripted.script(chose("wrong"))
        row, silent = given(tenant), given(tenant, "", user="dan")
        Feedback.objects.update(suggest_at=None)
        ana = factories.staff("change_feedback", "suggest_feedback", tenants=(tenant,))

        count = suggesting.request(feedback_ids=[row.pk, silent.pk], by=ana, at=NOW)
        carry_on()

        assert count == 1
        assert [each.label for each in rules.suggestions(now_of(row))] == ["wrong"]
        assert now_of(silent).suggestions is None
        assert AuditEntry.objects.get(action="feedback.labels_wanted").target_id == str(row.pk)

    def test_begins_anew_after_it_was_given_up(self, scripted: VendorServer, tenant: Tenant) -> None:
        row = given(tenant)
        Feedback.objects.filter(pk=row.pk).update(suggest_at=None, suggest_tries=suggesting.MOST_TRIES)
        ana = factories.staff("change_feedback", "suggest_feedback", tenants=(tenant,))

        suggesting.request(feedback_ids=[row.pk], by=ana, at=NOW)

        assert (now_of(row).suggest_at, now_of(row).suggest_tries) == (NOW, 0)

    @pytest.mark.parametrize("held", [("change_feedback",), ("suggest_feedback",), ()])
    def test_needs_both_permissions(self, scripted: VendorServer, tenant: Tenant, held: tuple[str, ...]) -> None:
        row = given(tenant)

        with pytest.raises(Forbidden):
            suggesting.request(feedback_ids=[row.pk], by=factories.staff(*held, tenants=(tenant,)), at=NOW)

    def test_says_what_is_missing(self, scripted: VendorServer, tenant: Tenant, settings: Any) -> None:
        row, silent = given(tenant), given(tenant, "", user="dan")
        ana = factories.staff("change_feedback", "suggest_feedback", tenants=(tenant,))

        with pytest.raises(InvalidInput, match="no comment"):
            suggesting.request(feedback_ids=[silent.pk], by=ana, at=NOW)
        LanguageModel.objects.update(is_enabled=False)
        with pytest.raises(InvalidInput):
            suggesting.request(feedback_ids=[row.pk], by=ana, at=NOW)
        settings.AI_FEEDBACK_MODEL = ""
        with pytest.raises(InvalidInput, match="AI_FEEDBACK_MODEL"):
            suggesting.request(feedback_ids=[row.pk], by=ana, at=NOW)


class TestConfirming:
    def test_makes_a_label_of_a_suggestion_which_is_then_suggested_no_more(
        self, scripted: VendorServer, tenant: Tenant
    ) -> None:
        scripted.script(chose("tone"))
        row = given(tenant)
        carry_on()
        ana = factories.staff("change_feedback", tenants=(tenant,))

        steps.add_labels(feedback_ids=[row.pk], labels=["tone"], by=ana, at=NOW, seen={row.pk: 0})

        assert (now_of(row).labels, rules.suggestions(now_of(row))) == (["tone"], [])
        assert FeedbackEvent.objects.of(row.pk).get().after == {"labels": ["tone"]}
