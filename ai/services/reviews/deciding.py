"""Where reviewers disagree: one person decides, and that answer counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ai.exceptions import Conflict, NotFound
from ai.models import ReviewItem, ReviewRubric, ReviewVerdict
from ai.models.review_items import ItemState
from ai.services import actors, audit, permissions

UNDECIDED = {
    ItemState.OPEN: "Reviews of this item are missing; it is decided when all are there.",
    ItemState.AGREED: "The reviewers agree on this item: there is nothing to decide.",
    ItemState.DECIDED: "This item has been decided already; reload and look again.",
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
    return verdict


@transaction.atomic
def withdraw(*, item_id: UUID, by: Any, at: datetime) -> None:
    """Take a decision back: the item is disputed again.

    Raises:
        Forbidden, NotFound.
        Conflict: nobody has decided it.
    """
    permissions.require(by, "ai.adjudicate_reviewqueue")
    item = _locked(item_id)
    verdict = ReviewVerdict.objects.filter(item_id=item_id).first()
    if item.state != ItemState.DECIDED or verdict is None:
        raise Conflict("Nobody has decided this item.")
    ReviewVerdict.objects.withdraw(item_id, decided_by=verdict.decided_by)
    ReviewItem.objects.move(item_id, state=ItemState.DISPUTED, at=at)
    audit.record("review_item.reopened", target=item, by=by, at=at)
