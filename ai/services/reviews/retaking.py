"""What a reviewer took back, skipped or put back, made as it was before, unless somebody else has the review since."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from ai.exceptions import Conflict, NotFound
from ai.models import ReviewEvent, ReviewItem, ReviewPass, ReviewRubric, ReviewSlot
from ai.models.review_events import ReviewEventKind
from ai.models.review_items import ItemState
from ai.models.reviews import QueueState
from ai.services import actors, audit, permissions
from ai.services.reviews import history, queues, reviewing


@transaction.atomic
def answer_again(*, event: ReviewEvent, by: Any, at: datetime) -> ReviewItem:
    """Let the answer count again that was taken back in `event`.

    Raises:
        Forbidden, NotFound.
        Conflict: somebody has taken the review since, it is kept for them, or it is answered anew (who, and when); or what it
            is about is gone.
    """
    permissions.require(by, "ai.review_reviewqueue")
    slot, before = _slot_of(event), event.before
    when = datetime.fromisoformat(before["submitted_at"])
    kept = {"answers": before["answers"], "version": before["version"], "submitted_at": when}
    if not ReviewSlot.objects.restore(slot.pk, actors.id_of(by), **kept, at=at):
        raise Conflict(f"Your answer cannot count again. {_since(slot, event)}")
    item = ReviewItem.objects.locked(slot.item_id)
    if item.state == ItemState.GONE or not queues.is_there(item, queues.get(item.queue_id).unit):
        raise Conflict(reviewing.GONE)
    asked = ReviewRubric.objects.get(queue_id=slot.queue_id, version=before["version"])
    reviewing.settle(item, asked.rubric, at=at)
    audit.record("review.submitted", target=item, by=by, at=at, version=before["version"])
    history.note(ReviewEventKind.SUBMITTED, queue=slot, by=by, at=at)
    return ReviewItem.objects.locked(slot.item_id)


@transaction.atomic
def offer_again(*, event: ReviewEvent, by: Any, at: datetime) -> ReviewSlot | None:
    """Be offered an item again that was passed over in `event`; the review of it, where it is reserved at once.

    Raises:
        Forbidden, NotFound.
        Conflict: no review of the item is left; who answered, and when.
    """
    permissions.require(by, "ai.review_reviewqueue")
    slot, me = _slot_of(event), actors.id_of(by)
    ReviewPass.objects.forget(slot.item_id, me)
    if kept := event.before.get("kept"):
        ReviewSlot.objects.assign(slot.queue_id, me, at=at, slots=[UUID(kept)])
    free = ReviewSlot.objects.free_for(slot.queue_id, me, at=at).filter(item_id=slot.item_id)
    free = free.order_by(F("assigned_to").asc(nulls_last=True), "number").first()
    if free is None:
        raise Conflict(f"No review of this item is left. {_since(slot, event)}")
    audit.record("review.offered_again", target=ReviewItem.objects.get(pk=slot.item_id), by=by, at=at)
    return _held(free, event, by=by, at=at)


@transaction.atomic
def take_again(*, event: ReviewEvent, by: Any, at: datetime) -> ReviewSlot:
    """Reserve the review again that was put back in `event`, with its draft.

    Raises:
        Forbidden, NotFound.
        Conflict: somebody has taken it since (who, and when), or the queue is not open.
    """
    permissions.require(by, "ai.review_reviewqueue")
    slot = _slot_of(event)
    queue = queues.get(slot.queue_id)
    if queue.state != QueueState.OPEN:
        raise Conflict(f"The queue is {queue.state}: nothing can be reviewed until it is opened again.")
    held = _held(slot, event, by=by, at=at)
    if held is None:
        raise Conflict(f"This review is not free any more. {_since(slot, event)}")
    audit.record("review.taken_again", target=ReviewItem.objects.get(pk=slot.item_id), by=by, at=at)
    return held


def _slot_of(event: ReviewEvent) -> ReviewSlot:
    slot: ReviewSlot | None = ReviewSlot.objects.filter(pk=event.slot_id).first()
    if slot is None:
        raise NotFound("What this item was about has been deleted since.")
    return slot


def _held(slot: ReviewSlot, event: ReviewEvent, *, by: Any, at: datetime) -> ReviewSlot | None:
    """The slot, reserved with the draft of the event; None where it is not free, or the queue gives out nothing."""
    queue = queues.get(slot.queue_id)
    until = at + timedelta(minutes=queue.reservation_minutes)
    draft = event.before.get("draft") or {}
    is_open = queue.state == QueueState.OPEN
    if not is_open or not ReviewSlot.objects.hold(slot.pk, actors.id_of(by), draft=draft, until=until, at=at):
        return None
    slot.refresh_from_db()
    return slot


def _since(slot: ReviewSlot, event: ReviewEvent) -> str:
    """Who has taken the review, or changed the item, since."""
    slot.refresh_from_db()
    if slot.reviewer and slot.reviewer != event.by and slot.submitted_at is None:
        return f"{history.name_of(slot.reviewer)} took it at {history.at_words(slot.modified)}."
    if slot.assigned_to and slot.assigned_to != event.by:
        return f"It is kept for {history.name_of(slot.assigned_to)} since."
    return history.since(event)
