"""Where reviewers disagree: one person decides, and that answer counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import ReviewEvent, ReviewItem, ReviewRubric, ReviewVerdict
from ai.models.review_events import ReviewEventKind
from ai.models.review_items import ItemState
from ai.services import actors, audit, permissions
from ai.services.reviews import history

UNDECIDED = {
    ItemState.OPEN: "Reviews of this item are missing; it is decided when all are there.",
    ItemState.AGREED: "The reviewers agree on this item: there is nothing to decide.",
    ItemState.DECIDED: "This item has been decided already; reload and look again.",
    ItemState.GONE: "What this item is about has been deleted: there is nothing to decide.",
}


def _locked(item_id: UUID) -> ReviewItem:
    if not ReviewItem.objects.filter(pk=item_id).exists():
        raise NotFound("There is no such item.")
    return ReviewItem.objects.locked(item_id)


@transaction.atomic
def decide(*, item_id: UUID, answers: Mapping[str, Any], by: Any, at: datetime, reason: str = "") -> ReviewVerdict:
    """Give the answers that count for a disputed item.

    Raises:
        Forbidden, NotFound.
        InvalidInput: an answer is missing or wrong; `param` is the question's id.
        Conflict: the item is not disputed.
    """
    permissions.require(by, "ai.adjudicate_reviewqueue")
    item = _locked(item_id)
    if item.state != ItemState.DISPUTED:
        raise Conflict(UNDECIDED[ItemState(item.state)])
    current = ReviewRubric.objects.current(item.queue_id)
    verdict = ReviewVerdict.objects.give(
        ReviewVerdict(
            tenant_id=item.tenant_id,
            item_id=item.pk,
            queue_id=item.queue_id,
            rubric_version=current.version,
            answers=current.rubric.answers(answers),
            decided_by=actors.name_of(by),
            reason=reason[:2000],
        )
    )
    ReviewItem.objects.move(item.pk, state=ItemState.DECIDED, at=at)
    audit.record("review_item.decided", target=item, by=by, at=at)
    history.note(ReviewEventKind.DECIDED, queue=item, by=by, at=at, after={"verdict": str(verdict.pk)})
    return verdict


@transaction.atomic
def withdraw(*, item_id: UUID, by: Any, at: datetime, verdict: str | None = None) -> None:
    """Take a decision back: the item is disputed again.

    Args:
        verdict: the id of the decision that `by` means; another one stays.

    Raises:
        Forbidden, NotFound.
        InvalidInput: it is older than 30 days.
        Conflict: nobody has decided it, or it has been decided anew.
    """
    permissions.require(by, "ai.adjudicate_reviewqueue")
    item = _locked(item_id)
    given = ReviewVerdict.objects.filter(item_id=item_id).first()
    if item.state != ItemState.DECIDED or given is None:
        raise Conflict(
            f"Nobody has decided this item. {history.latest_of_item(item_id, ReviewEventKind.WITHDRAWN)}".strip()
        )
    if verdict and str(given.pk) != verdict:
        raise Conflict(f"It has been decided anew. {history.latest_of_item(item_id, ReviewEventKind.DECIDED)}")
    if item.modified <= at - history.UNDO:
        raise InvalidInput(f"This was decided more than {history.UNDO_DAYS} days ago and stays as it is.")
    ReviewVerdict.objects.withdraw(item_id, decided_by=given.decided_by)
    ReviewItem.objects.move(item_id, state=ItemState.DISPUTED, at=at)
    ReviewEvent.objects.retire(ReviewEventKind.DECIDED, item_id=item_id, at=at)
    audit.record("review_item.reopened", target=item, by=by, at=at)
    before = {**given.to_json(), "rubric_version": given.rubric_version}
    history.note(ReviewEventKind.WITHDRAWN, queue=item, by=by, at=at, before=before)


@transaction.atomic
def restore(*, event: ReviewEvent, by: Any, at: datetime) -> ReviewVerdict:
    """Let the decision count again that was withdrawn in `event`.

    Raises:
        Forbidden, NotFound.
        Conflict: the item is not disputed any more, or not for the same answers; who changed it, and when.
    """
    permissions.require(by, "ai.adjudicate_reviewqueue")
    if event.item_id is None:
        raise NotFound
    item = _locked(event.item_id)
    # Whoever decided knew the answers of that time, and nobody had decided otherwise.
    if item.state != ItemState.DISPUTED or ReviewEvent.objects.since(event):
        raise Conflict(f"The decision cannot be restored any more. {history.since(event)}")
    verdict = ReviewVerdict.objects.give(
        ReviewVerdict(tenant_id=item.tenant_id, item_id=item.pk, queue_id=item.queue_id, **event.before)
    )
    ReviewItem.objects.move(item.pk, state=ItemState.DECIDED, at=at)
    audit.record("review_item.decided", target=item, by=by, at=at)
    history.note(ReviewEventKind.DECIDED, queue=item, by=by, at=at, after={"verdict": str(verdict.pk)})
    return verdict
