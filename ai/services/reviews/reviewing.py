"""One review after the other: reserve the next item, keep a draft, answer, pass over, put back, take back.

Nobody learns what others answered before they have answered themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import ReviewEvent, ReviewItem, ReviewPass, ReviewQueue, ReviewRubric, ReviewSlot, ReviewVerdict
from ai.models.review_events import ReviewEventKind as Kind
from ai.models.review_items import ItemState
from ai.models.reviews import AGREEMENT, QueueState
from ai.services import actors, audit, permissions
from ai.services.reviews import history, queues
from ai.stores.rubrics import TEXTS, Rubric

LOST = (
    "Your reservation ran out and somebody else has taken this review. Your answers are still on your page: copy them."
)


#: What no answer changes any more.
SETTLED = (ItemState.DECIDED, ItemState.GONE)
#: Who knows that others disagree, and answers anew, no longer answers alone.
DISPUTED = "All reviews of this item are there, and they differ: whoever decides such items decides it."
DECIDE_IT = "You can see how others answered this item: decide it instead of answering it anew."
FINAL = "You let this answer count among the judge's figures: it stays as it is."
GONE = "What this item is about has been deleted since; answers stay as they are."


@dataclass(frozen=True)
class Task:
    """A reserved review: what it is about, what is asked, and what was drafted."""

    slot: ReviewSlot
    item: ReviewItem
    queue: ReviewQueue
    rubric: Rubric


def next_task(*, queue_id: UUID, by: Any, at: datetime) -> Task | None:
    """The review that `by` has reserved, or the next free one; None when nothing is left for them.

    Raises:
        Forbidden, NotFound.
        Conflict: the queue is paused or closed.
    """
    permissions.require(by, "ai.review_reviewqueue")
    queue = queues.get(queue_id)
    if queue.state != QueueState.OPEN:
        raise Conflict(f"The queue is {queue.state}: nothing can be reviewed until it is opened again.")
    minutes = queue.reservation_minutes
    while slot := ReviewSlot.objects.reserve(queue_id, actors.id_of(by), at=at, minutes=minutes):
        task = _task(slot, queue)
        if queues.is_there(task.item, queue.unit):
            return task
        ReviewItem.objects.drop(task.item.pk, at=at)
    return None


def _task(slot: ReviewSlot, queue: ReviewQueue) -> Task:
    item = ReviewItem.objects.get(pk=slot.item_id)
    rubrics = ReviewRubric.objects.filter(queue_id=queue.pk)
    asked = rubrics.get(version=slot.rubric_version) if slot.submitted_at else rubrics.latest("version")
    return Task(slot, item, queue, asked.rubric)


def task(*, slot_id: UUID, by: Any) -> Task:
    """A review that `by` has reserved or answered.

    Raises:
        Forbidden.
        NotFound: they have no such review.
    """
    slot = _mine(slot_id, by)
    return _task(slot, queues.get(slot.queue_id))


def _mine(slot_id: UUID, by: Any) -> ReviewSlot:
    permissions.require(by, "ai.review_reviewqueue")
    slot: ReviewSlot | None = ReviewSlot.objects.filter(pk=slot_id, reviewer=actors.id_of(by)).first()
    if slot is None:
        raise NotFound("You have no such review: its reservation ran out, or it was never yours.")
    return slot


def keep_draft(*, slot_id: UUID, answers: Mapping[str, Any], by: Any, at: datetime) -> datetime:
    """Keep what was answered so far, and the reservation with it; until when that holds.

    Raises:
        Forbidden, NotFound, InvalidInput.
        Conflict: the reservation ran out and somebody else took the review, or it is answered.
    """
    slot = _mine(slot_id, by)
    queue = queues.get(slot.queue_id)
    draft = ReviewRubric.objects.current(queue.pk).rubric.answers(answers, is_draft=True)
    until = at + timedelta(minutes=queue.reservation_minutes)
    if not ReviewSlot.objects.extend(slot, actors.id_of(by), draft=draft, until=until, at=at):
        raise Conflict(LOST)
    return until


@transaction.atomic
def submit(*, slot_id: UUID, answers: Mapping[str, Any], by: Any, at: datetime) -> ReviewItem:
    """Answer. The last review of an item settles it: where all say the same, that is its verdict, else it is disputed.

    Raises:
        Forbidden, NotFound.
        InvalidInput: an answer is missing or wrong; `param` is the question's id.
        Conflict: the reservation ran out and somebody else took the review, or it is answered.
    """
    slot = _mine(slot_id, by)
    version = ReviewRubric.objects.current(slot.queue_id).version
    rubric = ReviewRubric.objects.freeze(slot.queue_id, version=version, at=at)
    kept = rubric.answers(answers)
    if not ReviewSlot.objects.submit(slot, actors.id_of(by), answers=kept, version=version, at=at):
        raise Conflict(LOST)
    item = ReviewItem.objects.locked(slot.item_id)
    settle(item, rubric, at=at)
    audit.record("review.submitted", target=item, by=by, at=at, version=version)
    ReviewEvent.objects.retire(Kind.TAKEN_BACK, item_id=item.pk, slot_id=slot.pk, at=at)
    ReviewEvent.objects.retire(Kind.PUT_BACK, item_id=item.pk, slot_id=slot.pk, at=at)
    history.note(Kind.SUBMITTED, queue=slot, by=by, at=at)
    return ReviewItem.objects.locked(slot.item_id)


def settle(item: ReviewItem, rubric: Rubric, *, at: datetime) -> None:
    """Say where a locked item stands after an answer was given."""
    answered = list(ReviewSlot.objects.answered(item.pk))
    if item.state in SETTLED or ReviewSlot.objects.filter(item_id=item.pk).count() > len(answered):
        return
    if agree(rubric, answered):
        ReviewVerdict.objects.give(
            ReviewVerdict(
                tenant_id=item.tenant_id,
                item_id=item.pk,
                queue_id=item.queue_id,
                rubric_version=answered[-1].rubric_version,
                answers=answered[-1].answers,
                decided_by=AGREEMENT,
            )
        )
        ReviewItem.objects.move(item.pk, state=ItemState.AGREED, at=at)
    else:
        ReviewItem.objects.move(item.pk, state=ItemState.DISPUTED, at=at)


def agree(rubric: Rubric, answered: Sequence[ReviewSlot]) -> bool:
    """Whether these answers are the same, apart from texts, by the same version of the rubric."""
    compared = [question.id for question in rubric.questions if question.type not in TEXTS]
    said = {(slot.rubric_version, repr([(slot.answers or {}).get(name) for name in compared])) for slot in answered}
    return len(said) == 1


@transaction.atomic
def put_back(*, slot_id: UUID, by: Any, at: datetime) -> None:
    """Give a reserved review back to whoever comes next, `by` included.

    Raises:
        Forbidden, NotFound.
        Conflict: it is answered, or no longer theirs.
    """
    slot = _released(slot_id, by, at)
    audit.record("review.put_back", target=ReviewItem.objects.get(pk=slot.item_id), by=by, at=at)
    history.note(Kind.PUT_BACK, queue=slot, by=by, at=at, before={"draft": slot.draft})


def _released(slot_id: UUID, by: Any, at: datetime) -> ReviewSlot:
    slot = _mine(slot_id, by)
    if not ReviewSlot.objects.release(slot, actors.id_of(by), at=at):
        raise Conflict("This review is answered already.")
    return slot


@transaction.atomic
def pass_over(*, slot_id: UUID, by: Any, at: datetime, reason: str = "") -> None:
    """Give a reserved review back and never be offered its item again; with a reason, leads see why.

    What is kept of it for `by` is free for others.

    Raises:
        Forbidden, NotFound, Conflict.
    """
    slot = _released(slot_id, by, at)
    row = ReviewPass(
        tenant_id=slot.tenant_id,
        queue_id=slot.queue_id,
        item_id=slot.item_id,
        reviewer=actors.id_of(by),
        reason=reason[:2000],
    )
    ReviewPass.objects.note(row)
    kept = ReviewSlot.objects.forgo(slot.item_id, actors.id_of(by), at=at)
    audit.record("review.passed", target=ReviewItem.objects.get(pk=slot.item_id), by=by, at=at)
    before = {"draft": slot.draft, **({"kept": str(kept)} if kept else {})}
    history.note(Kind.PASSED, queue=slot, by=by, at=at, before=before)


@transaction.atomic
def take_back(*, slot_id: UUID, by: Any, at: datetime) -> Task:
    """Take an answer back into a draft, as long as nobody has decided the item, or is to decide it, since.

    Raises:
        Forbidden, NotFound.
        InvalidInput: there is no answer, or it is older than 30 days.
        Conflict: somebody has decided the item (who, and when), reviewers disagree about it, what it is about is gone, the
            answer was changed meanwhile, or it counts among the judge's figures that they have seen.
    """
    slot = _mine(slot_id, by)
    if slot.submitted_at is None or at - slot.submitted_at > history.UNDO:
        raise InvalidInput(f"There is no answer of the last {history.UNDO_DAYS} days to take back.")
    if slot.final_at:
        raise Conflict(FINAL)
    queue = queues.get(slot.queue_id)
    item = ReviewItem.objects.locked(slot.item_id)
    if item.state == ItemState.DECIDED:
        who = history.latest_of_item(item.pk, Kind.DECIDED) or "Somebody has decided this item since."
        raise Conflict(f"{who} Ask them to withdraw that first.")
    if item.state == ItemState.DISPUTED:
        raise Conflict(DECIDE_IT if by.has_perm("ai.adjudicate_reviewqueue") else DISPUTED)
    if item.state == ItemState.GONE or not queues.is_there(item, queue.unit):
        raise Conflict(GONE)
    before = {"answers": slot.answers, "version": slot.rubric_version, "submitted_at": slot.submitted_at.isoformat()}
    until = at + timedelta(minutes=queue.reservation_minutes)
    if not ReviewSlot.objects.reopen(slot, actors.id_of(by), submitted_at=slot.submitted_at, until=until, at=at):
        raise Conflict("This answer was changed meanwhile; reload and look again.")
    ReviewVerdict.objects.withdraw(item.pk, decided_by=AGREEMENT)
    ReviewItem.objects.move(item.pk, state=ItemState.OPEN, at=at)
    audit.record("review.taken_back", target=item, by=by, at=at)
    ReviewEvent.objects.retire(Kind.SUBMITTED, item_id=item.pk, slot_id=slot.pk, at=at)
    history.note(Kind.TAKEN_BACK, queue=slot, by=by, at=at, before=before)
    slot.refresh_from_db()
    return _task(slot, queue)


def last_answered(*, queue_id: UUID, by: Any) -> ReviewSlot | None:
    """What `by` answered last in the queue: what “undo” takes back. What stays as it is is not among it."""
    mine = ReviewSlot.objects.filter(queue_id=queue_id, reviewer=actors.id_of(by), submitted_at__isnull=False)
    mine = mine.filter(final_at__isnull=True)
    found: ReviewSlot | None = mine.order_by("-submitted_at", "-pk").first()
    return found


def final(slot_ids: Iterable[UUID | None]) -> set[UUID]:
    """Those of these reviews that stay as they are: one query."""
    rows = ReviewSlot.objects.filter(pk__in={key for key in slot_ids if key}, final_at__isnull=False)
    return set(rows.values_list("pk", flat=True))


def answers_for(*, item_id: UUID, by: Any) -> list[ReviewSlot]:
    """The answers to an item that `by` may see. What would tell them how to answer, or to answer anew, is not among them.

    Who has answered sees all when these agree, or somebody has decided; whoever decides, when all are there.

    Raises:
        NotFound: there is no such item.
    """
    item: ReviewItem | None = ReviewItem.objects.filter(pk=item_id).first()
    if item is None:
        raise NotFound("There is no such item.")
    answered = list(ReviewSlot.objects.answered(item_id))
    mine = [slot for slot in answered if slot.reviewer == actors.id_of(by)]
    if mine and item.state in (ItemState.AGREED, ItemState.DECIDED):
        return answered
    may_still_review = item.state == ItemState.OPEN and by.has_perm("ai.review_reviewqueue")
    return answered if by.has_perm("ai.adjudicate_reviewqueue") and not may_still_review else mine
