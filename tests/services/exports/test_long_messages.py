"""Exports of long messages hold a few of them at a time."""

from __future__ import annotations

import tracemalloc

import pytest
from django.utils import timezone

from ai.models import Tenant
from ai.services import actors
from ai.services.exports import asking
from ai.services.selections import Selection
from tests import factories

pytestmark = pytest.mark.django_db

LONG, COUNT = 250_000, 160


@pytest.mark.parametrize(
    ("noun", "format_name"),
    [
        ("messages", "csv"),
        ("messages", "jsonl"),
        ("threads", "jsonl"),
        ("threads", "transcript"),
        ("threads", "sft"),
        ("threads", "dpo"),
    ],
)
def test_holds_less_than_half_of_what_it_writes(tenant: Tenant, noun: str, format_name: str) -> None:
    for number in range(COUNT):
        words = str(number) + "x" * LONG
        factories.thread(tenant, {"role": "user", "content": words}, {"role": "assistant", "content": "ok"})
    tracemalloc.start()

    try:
        made = asking.at_once(
            selection=Selection.of_list(noun, {}), format_name=format_name, by=actors.SYSTEM, at=timezone.now()
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    made.content.close()
    assert peak < LONG * COUNT / 2
