"""What was done to reviews, and taking it back, for tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ai.models import ReviewEvent, ReviewQueue
from ai.services.reviews import reviewing, undoing
from ai.services.reviews.reviewing import Task
from tests.services.reviews.making import NOW

SOON = NOW + timedelta(minutes=5)
LATER = NOW + timedelta(minutes=40)


def event(kind: str) -> ReviewEvent:
    found: ReviewEvent = ReviewEvent.objects.filter(kind=kind).order_by("-at", "-pk")[0]
    return found


def undo(kind: str, by: Any, at: datetime = SOON) -> undoing.Undone:
    return undoing.undo(event_id=event(kind).pk, by=by, at=at)


def task(made: ReviewQueue, by: Any, at: datetime = NOW) -> Task:
    found = reviewing.next_task(queue_id=made.pk, by=by, at=at)
    assert found is not None
    return found
