"""What reviewers answered, for programs that take it out of a queue. Only of items that are settled: all reviews are there,
and reviewers agree or somebody has decided. Nothing else is told of an answer, to nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model

from ai.models import ReviewItem, ReviewRubric, ReviewSlot, ReviewVerdict
from ai.models.review_items import ItemState
from ai.services import permissions
from ai.services.reviews import queues

#: Where an item's answer stands, as far as a reviewer could still be told by it.
SETTLED = (ItemState.AGREED, ItemState.DECIDED)


@dataclass(frozen=True)
class Settled:
    """An item with the answer that counts, and what each reviewer said."""

    item: ReviewItem
    verdict: ReviewVerdict
    reviews: list[ReviewSlot]


def items(*, queue_id: UUID, by: Any) -> Any:
    """The queue's items and where each stands: a queryset. That two reviewers disagree tells each what the other said, so
    it is for those who lead.

    Raises:
        Forbidden, NotFound.
    """
    permissions.require(by, "ai.change_reviewqueue")
    return ReviewItem.objects.filter(queue_id=queues.get(queue_id).pk)


def settled(*, queue_id: UUID, by: Any) -> Any:
    """The items whose answers can be taken out: a queryset.

    Raises:
        Forbidden, NotFound.
    """
    return items(queue_id=queue_id, by=by).filter(state__in=SETTLED)


def of(rows: Sequence[ReviewItem]) -> list[Settled]:
    """What was said of items from `settled`: two queries. An item that was reopened since is left out."""
    # Each asks about the state again: somebody may take an answer back between one query and the next.
    still = ReviewItem.objects.filter(pk__in=[row.pk for row in rows], state__in=SETTLED).values("pk")
    verdicts = {verdict.item_id: verdict for verdict in ReviewVerdict.objects.filter(item_id__in=still)}
    reviews: dict[UUID, list[ReviewSlot]] = defaultdict(list)
    answered = ReviewSlot.objects.filter(item_id__in=still, submitted_at__isnull=False)
    for slot in answered.order_by("submitted_at", "pk"):
        reviews[slot.item_id].append(slot)
    return [Settled(row, verdicts[row.pk], reviews[row.pk]) for row in rows if row.pk in verdicts and row.pk in reviews]


def names(found: Iterable[Settled]) -> dict[str, str]:
    """What the reviewers are called, by the id that their reviews have: one query. Who has left goes by the id."""
    who = {slot.reviewer or "" for each in found for slot in each.reviews}
    people = get_user_model()._default_manager.filter(pk__in=[int(key) for key in who if key.isdecimal()])
    return {str(person.pk): person.get_username() for person in people}


def rubrics(queue_ids: Iterable[UUID]) -> dict[UUID, ReviewRubric]:
    """What each queue asks now: one query."""
    rows = ReviewRubric.objects.filter(queue_id__in=list(queue_ids)).order_by("version")
    return {row.queue_id: row for row in rows}
