"""Queues and people for tests of reviews."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ai.models import ReviewItem, ReviewQueue, Tenant
from ai.services import actors
from ai.services.reviews import queues, reviewing
from ai.services.selections import Selection
from tests import factories

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
QUESTIONS: list[dict[str, Any]] = [
    {"id": "helpful", "type": "yes_no", "text": "Was it helpful?"},
    {"id": "why", "type": "text", "text": "Why?"},
]
YES, NO = {"helpful": True}, {"helpful": False}


def queue(tenant: Tenant, *, items: int = 3, **values: Any) -> ReviewQueue:
    """A queue of threads."""
    made = queues.make(
        **{"name": "Helpful?", "unit": "thread", "questions": QUESTIONS, **values},
        tenant_id=tenant.pk,
        by=actors.SYSTEM,
        at=NOW,
    )
    if items:
        chosen = Selection.of_ids("threads", [row.pk for row in factories.threads(tenant, items)])
        queues.fill(queue_id=made.pk, selection=chosen, by=actors.SYSTEM, at=NOW)
    return made


def reviewer(tenant: Tenant, *more: str) -> Any:
    """Somebody who may review."""
    return factories.staff("review_reviewqueue", *more, tenants=(tenant,))


def lead(tenant: Tenant) -> Any:
    """Somebody who may also decide."""
    return reviewer(tenant, "adjudicate_reviewqueue", "change_reviewqueue")


def review(queue: ReviewQueue, by: Any, answers: dict[str, Any], at: datetime = NOW) -> ReviewItem:
    """The next item, answered."""
    task = reviewing.next_task(queue_id=queue.pk, by=by, at=at)
    assert task is not None
    return reviewing.submit(slot_id=task.slot.pk, answers=answers, by=by, at=at)
