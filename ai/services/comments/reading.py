"""Comments as people read them: how many there are beside each message, and all of one message's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils.safestring import SafeString

from ai.models import Comment, CommentEvent, Message
from ai.services import actors
from ai.services.comments import mentions, places, settling
from ai.services.comments.writing import is_own

#: So many commented words are marked on one page of a transcript.
MOST_QUOTES = 500


def comment_counts() -> Coalesce:
    """How many open comments, with their replies, there are on a message, as a column of a query for messages.

    It costs no query of its own.
    """
    rows = Comment.objects.filter(message_id=OuterRef("pk"), deleted_at__isnull=True, resolved_at__isnull=True)
    settled = Comment.objects.filter(pk=OuterRef("parent_id"), resolved_at__isnull=False)
    count = rows.exclude(Exists(settled)).order_by().values("message_id").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(count, output_field=IntegerField()), 0)


def quotes(message_ids: Iterable[UUID]) -> list[dict[str, Any]]:
    """Which words of these messages are commented on: `{"message", "start", "quote"}`. One query."""
    rows = Comment.objects.on(message_ids).filter(deleted_at__isnull=True, resolved_at__isnull=True).exclude(quote="")
    found = rows.values_list("message_id", "start", "quote")[:MOST_QUOTES]
    return [{"message": str(message), "start": start, "quote": quote} for message, start, quote in found]


@dataclass
class Shown:
    """One comment as its reader sees it, with its replies."""

    row: Comment
    html: SafeString
    is_own: bool
    may_delete: bool
    is_changed: bool = False
    undo: CommentEvent | None = None
    replies: list[Shown] = field(default_factory=list)


def panel(message: Message, *, by: Any, at: datetime) -> list[Shown]:
    """A message's comments with their replies, in the order they were made: two queries.

    A deleted comment is left out, unless there are replies to it or `by` can take the deletion back.
    """
    rows = list(Comment.objects.on([message.pk]))
    latest: dict[UUID, CommentEvent] = {}
    for event in CommentEvent.objects.standing([row.pk for row in rows]):
        latest.setdefault(event.comment_id, event)
    plain = places.text_of(message) if any(row.quote for row in rows) else ""
    moderates = by.has_perm(settling.MODERATES)
    replies: dict[UUID, list[Shown]] = defaultdict(list)
    found: list[Shown] = []
    for row in rows:
        change = latest.get(row.pk)
        shown = Shown(
            row=row,
            html=mentions.html(row.text, row.mentions if isinstance(row.mentions, list) else []),
            is_own=is_own(row, by),
            may_delete=is_own(row, by) or moderates,
            is_changed=not places.still_says(row, plain),
            undo=change if change and settling.can_undo(change, row, by=by, at=at) else None,
        )
        (replies[row.parent_id] if row.parent_id else found).append(shown)
    for shown in found:
        shown.replies = [each for each in replies[shown.row.pk] if _is_worth(each)]
    return [shown for shown in found if shown.replies or _is_worth(shown)]


def _is_worth(shown: Shown) -> bool:
    return shown.row.deleted_at is None or shown.undo is not None


def who(by: Any) -> str:
    """The reader's name, as comments carry it."""
    return actors.name_of(by)
