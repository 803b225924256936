"""Feedback that waits for a model's labels, and what the model answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ai import tenancy
from ai.models import Feedback, Message, Tenant
from ai.services.triage import rules, suggesting
from tests import factories
from tests.fakes.vendors import Recorded, Reply
from tests.services.retitling import end_task

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
#: The labels to choose from, in their order.
CHOICES = list(rules.LABELS)


def given(
    tenant: Tenant, comment: str = "It knows nothing of ferries", *, answer: str = "", user: str = "cora"
) -> Feedback:
    """Feedback on an answer, as an application or a person gives it."""
    talk = [{"role": "user", "content": "When does it leave?"}, {"role": "assistant", "content": answer or "At nine."}]
    thread = factories.thread(tenant, *talk)
    with tenancy.scope(tenant.pk):
        about: Any = Message.objects.list_thread_messages(thread.pk).last()
        row: Feedback = about.add_feedback({"rating": "down", "comment": comment}, user)
    # Given at NOW, whatever the clock says.
    if row.suggest_at is not None:
        Feedback._base_manager.filter(pk=row.pk).update(suggest_at=NOW)
    return now_of(row)


def now_of(row: Feedback) -> Feedback:
    with tenancy.everything(reason="test"):
        found: Feedback = Feedback.objects.get(pk=row.pk)
        return found


def carry_on(at: datetime = NOW) -> int:
    return suggesting.carry_on(now=lambda: at)


def chose(*labels: str) -> Callable[[Recorded], Reply]:
    """What a model answers that chooses these labels: Marvin asks for their numbers."""
    return end_task([CHOICES.index(label) for label in labels] or [len(CHOICES)])
