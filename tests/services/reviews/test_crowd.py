"""Fifty reviewers at once, in several processes, on a thousand items."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ai.models import ReviewSlot, ReviewVerdict, Tenant
from tests.runs.processes import ROOT, environment_of
from tests.services.reviews.making import queue

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

ITEMS = 1_000
PROCESSES, REVIEWERS_EACH = 5, 10


class TestCrowd:
    def test_answers_every_review_once(self, tenant: Tenant, tmp_path: Path) -> None:
        made = queue(tenant, items=ITEMS)
        command = [sys.executable, "-m", "tests.services.reviews.crowd", str(made.pk), str(tenant.pk)]
        environment = {**os.environ, **environment_of(tmp_path), "LOG_LEVEL": "ERROR"}

        crowd = [
            subprocess.Popen(
                [*command, str(number * REVIEWERS_EACH), str(REVIEWERS_EACH)],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
            )
            for number in range(PROCESSES)
        ]
        said = [process.communicate(timeout=200)[0] for process in crowd]

        done: dict[str, list[str]] = {}
        for text in said:
            done |= json.loads(text)
        taken = Counter(slot for slots in done.values() for slot in slots)
        assert len(taken) == ITEMS
        assert set(taken.values()) == {1}
        rows = ReviewSlot.objects.filter(queue_id=made.pk).values_list("pk", "reviewer")
        assert {str(key): who for key, who in rows} == {slot: who for who, slots in done.items() for slot in slots}
        assert ReviewVerdict.objects.filter(queue_id=made.pk).count() == ITEMS
        assert sum(bool(slots) for slots in done.values()) > PROCESSES
