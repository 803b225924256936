"""Fifty reviewers at once, in several processes, on a thousand items."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ai.models import ReviewSlot, ReviewVerdict, Tenant
from tests.runs.processes import crowd, said
from tests.services.reviews.making import queue

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

ITEMS = 1_000
PROCESSES, REVIEWERS_EACH = 5, 10


class TestCrowd:
    def test_answers_every_review_once(self, tenant: Tenant, tmp_path: Path) -> None:
        made = queue(tenant, items=ITEMS)
        with crowd(
            tmp_path,
            "tests.services.reviews.crowd",
            str(made.pk),
            str(tenant.pk),
            processes=PROCESSES,
            people_each=REVIEWERS_EACH,
        ) as running:
            done = said(running)

        taken = Counter(slot for slots in done.values() for slot in slots)
        assert len(taken) == ITEMS
        assert set(taken.values()) == {1}
        rows = ReviewSlot.objects.filter(queue_id=made.pk).values_list("pk", "reviewer")
        assert {str(key): who for key, who in rows} == {slot: who for who, slots in done.items() for slot in slots}
        assert ReviewVerdict.objects.filter(queue_id=made.pk).count() == ITEMS
        assert sum(bool(slots) for slots in done.values()) > PROCESSES
