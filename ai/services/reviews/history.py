"""What was done to a queue and its items, for 30 days of taking back, and who changed what since."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Q

from ai.models import ReviewEvent, ReviewItem, ReviewQueue, ReviewSlot
from ai.models.review_events import ReviewEventKind
from ai.services import actors

UNDO_DAYS = 30
UNDO = timedelta(days=UNDO_DAYS)

#: What a reviewer does, and takes back, alone.
OWN = (ReviewEventKind.SUBMITTED, ReviewEventKind.TAKEN_BACK, ReviewEventKind.PASSED, ReviewEventKind.PUT_BACK)
DECISIONS = (ReviewEventKind.DECIDED, ReviewEventKind.WITHDRAWN)

_VERBS = {
    ReviewEventKind.SUBMITTED: "answered it",
    ReviewEventKind.TAKEN_BACK: "took an answer back",
    ReviewEventKind.PASSED: "skipped it",
    ReviewEventKind.PUT_BACK: "put it back",
    ReviewEventKind.ASSIGNED: "assigned it",
    ReviewEventKind.UNASSIGNED: "took the assignment away",
    ReviewEventKind.DECIDED: "decided it",
    ReviewEventKind.WITHDRAWN: "withdrew the decision",
    ReviewEventKind.MOVED: "changed the queue",
}


def note(
    kind: str,
    *,
    queue: ReviewQueue | ReviewItem | ReviewSlot,
    by: Any,
    at: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> ReviewEvent:
    """Keep what `by` did to a queue, an item, or one review of an item."""
    item_id = queue.item_id if isinstance(queue, ReviewSlot) else queue.pk if isinstance(queue, ReviewItem) else None
    event = ReviewEvent(
        tenant_id=queue.tenant_id,
        queue_id=queue.pk if isinstance(queue, ReviewQueue) else queue.queue_id,
        item_id=item_id,
        slot_id=queue.pk if isinstance(queue, ReviewSlot) else None,
        position=None if isinstance(queue, ReviewQueue) else queue.position,
        kind=kind,
        by=actors.id_of(by),
        by_name=actors.name_of(by),
        at=at,
        before=before or {},
        after=after or {},
    )
    return ReviewEvent.objects.add(event)


def at_words(at: datetime) -> str:
    """The time in a sentence."""
    return f"{at:%H:%M} UTC on {at.day} {at:%B}"


def said(event: ReviewEvent) -> str:
    """Who did what and when, as a sentence."""
    return f"{event.by_name} {_VERBS[ReviewEventKind(event.kind)]} at {at_words(event.at)}."


def since(event: ReviewEvent) -> str:
    """Who changed it after the event, as a sentence."""
    later = ReviewEvent.objects.since(event)
    return said(later) if later is not None else "It has been changed since."


def latest_of_item(item_id: UUID, kind: str) -> str:
    """Who did so to the item last, as a sentence; empty where nobody did."""
    event = ReviewEvent.objects.filter(item_id=item_id, kind=kind).order_by("-at", "-pk").first()
    return said(event) if event is not None else ""


def name_of(reviewer: str) -> str:
    """What the person with this id is called; others go by their id."""
    found = get_user_model()._default_manager.filter(pk=int(reviewer)).first() if reviewer.isdigit() else None
    return found.get_username() if found is not None else reviewer


def seen_by(*, queue_id: UUID, by: Any, at: datetime, most: int) -> list[ReviewEvent]:
    """The latest things that `by` may take back, or see taken back: their own, and what leads did to the queue: one query."""
    wanted = Q(by=actors.id_of(by))
    if by.has_perm("ai.change_reviewqueue"):
        wanted |= Q(kind__in=[ReviewEventKind.ASSIGNED, ReviewEventKind.UNASSIGNED, ReviewEventKind.MOVED])
    if by.has_perm("ai.adjudicate_reviewqueue"):
        wanted |= Q(kind__in=DECISIONS)
    rows = ReviewEvent.objects.filter(wanted, queue_id=queue_id, at__gt=at - UNDO)
    return list(rows.order_by("-at", "-pk")[:most])
