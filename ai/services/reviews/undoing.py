"""Taking back what was done to a queue or an item: for 30 days, unless somebody changed it since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import ReviewEvent, ReviewSlot
from ai.models.review_events import ReviewEventKind as Kind
from ai.services import actors
from ai.services.reviews import assigning, deciding, history, queues, retaking, reviewing

TOO_OLD = f"This is older than {history.UNDO_DAYS} days and stays as it is."


@dataclass(frozen=True)
class Undone:
    """What is as it was before, in words; the review that is the reviewer's again, if one is."""

    words: str
    slot_id: UUID | None = None


@transaction.atomic
def undo(*, event_id: UUID, by: Any, at: datetime) -> Undone:
    """Take back one thing that was done. What reviewers did themselves, nobody else takes back.

    Raises:
        Forbidden.
        NotFound: there is no such thing, or it is another reviewer's.
        InvalidInput: it is older than 30 days.
        Conflict: it was taken back already, or somebody changed the same since; who, what and when.
    """
    event: ReviewEvent | None = ReviewEvent.objects.filter(pk=event_id).first()
    if event is None or (event.kind in history.OWN and event.by != actors.id_of(by)):
        raise NotFound("There is nothing of yours to take back there.")
    if event.at <= at - history.UNDO:
        raise InvalidInput(TOO_OLD)
    if not ReviewEvent.objects.take_back(event.pk, at=at):
        raise Conflict(f"This was taken back already. {history.since(event)}")
    return _INVERSES[Kind(event.kind)](event, by, at)


def last_of(*, queue_id: UUID, by: Any, at: datetime) -> ReviewEvent | None:
    """What `by` did last as a reviewer of the queue and has not taken back."""
    kinds = (Kind.SUBMITTED, Kind.PASSED, Kind.PUT_BACK)
    rows = ReviewEvent.objects.filter(
        queue_id=queue_id, by=actors.id_of(by), kind__in=kinds, undone_at__isnull=True, at__gt=at - history.UNDO
    )
    final = ReviewSlot.objects.filter(queue_id=queue_id, reviewer=actors.id_of(by), final_at__isnull=False)
    rows = rows.exclude(kind=Kind.SUBMITTED, slot_id__in=final.values("pk"))
    found: ReviewEvent | None = rows.order_by("-at", "-pk").first()
    return found


def undo_last(*, queue_id: UUID, by: Any, at: datetime) -> Undone:
    """Take back what `by` did last as a reviewer: an answer, a skip, or putting back.

    Raises:
        Forbidden.
        NotFound: they did nothing in the last 30 days.
        InvalidInput, Conflict: as `undo`.
    """
    event = last_of(queue_id=queue_id, by=by, at=at)
    if event is not None:
        return undo(event_id=event.pk, by=by, at=at)
    slot = reviewing.last_answered(queue_id=queue_id, by=by)
    if slot is None:
        raise NotFound("You have done nothing in this queue that could be taken back.")
    return _taken(reviewing.take_back(slot_id=slot.pk, by=by, at=at))


def _taken(task: reviewing.Task) -> Undone:
    return Undone("The answer is a draft again.", task.slot.pk)


def _submitted(event: ReviewEvent, by: Any, at: datetime) -> Undone:
    return _taken(reviewing.take_back(slot_id=_slot(event), by=by, at=at))


def _slot(event: ReviewEvent) -> UUID:
    if event.slot_id is None:  # only of a queue or an item
        raise NotFound
    return event.slot_id


def _taken_back(event: ReviewEvent, by: Any, at: datetime) -> Undone:
    retaking.answer_again(event=event, by=by, at=at)
    return Undone("Your answer counts again.")


def _passed(event: ReviewEvent, by: Any, at: datetime) -> Undone:
    slot = retaking.offer_again(event=event, by=by, at=at)
    return Undone("The item is offered to you again.", slot.pk if slot else None)


def _put_back(event: ReviewEvent, by: Any, at: datetime) -> Undone:
    return Undone("The item is yours again.", retaking.take_again(event=event, by=by, at=at).pk)


def _decided(event: ReviewEvent, by: Any, at: datetime) -> Undone:
    try:
        deciding.withdraw(item_id=event.item_id or UUID(int=0), by=by, at=at, verdict=event.after.get("verdict"))
    except Conflict as error:
        raise Conflict(f"The decision cannot be taken back any more. {history.since(event)}") from error
    return Undone("The decision is withdrawn; the item is disputed again.")


def _withdrawn(event: ReviewEvent, by: Any, at: datetime) -> Undone:
    deciding.restore(event=event, by=by, at=at)
    return Undone("The decision counts again.")


def _assigned(event: ReviewEvent, by: Any, at: datetime) -> Undone:
    return Undone(assigning.undo_assigned(event=event, by=by, at=at))


def _unassigned(event: ReviewEvent, by: Any, at: datetime) -> Undone:
    return Undone(assigning.undo_unassigned(event=event, by=by, at=at))


def _moved(event: ReviewEvent, by: Any, at: datetime) -> Undone:
    queue = queues.get(event.queue_id)
    if queue.state != event.after.get("state"):
        raise Conflict(f"The queue is {queue.state} by now. {history.since(event)}")
    moved = queues.move(queue_id=event.queue_id, state=str(event.before.get("state")), by=by, at=at, was=queue.state)
    return Undone(f"The queue is {moved.get_state_display().lower()} again.")


_INVERSES: dict[Kind, Callable[[ReviewEvent, Any, datetime], Undone]] = {
    Kind.SUBMITTED: _submitted,
    Kind.TAKEN_BACK: _taken_back,
    Kind.PASSED: _passed,
    Kind.PUT_BACK: _put_back,
    Kind.DECIDED: _decided,
    Kind.WITHDRAWN: _withdrawn,
    Kind.ASSIGNED: _assigned,
    Kind.UNASSIGNED: _unassigned,
    Kind.MOVED: _moved,
}
