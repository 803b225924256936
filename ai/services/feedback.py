"""What a person can do with feedback: give it, and move it through triage."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ai.exceptions import InvalidInput, NotFound
from ai.models import Feedback, Message
from ai.models.feedback import FeedbackState
from ai.services import actors, audit, permissions

MOST_AT_ONCE = 1000


@transaction.atomic
def give(
    *,
    message_id: UUID,
    by: Any,
    at: datetime,
    rating: str = "",
    comment: str = "",
    score: float | None = None,
    label: str = "",
) -> Feedback:
    """Keep what `by` thinks of a message; a second opinion of theirs replaces the first, which stays in its history.

    Raises:
        Forbidden, NotFound.
        InvalidInput: there is neither a rating nor a score nor a comment, or the rating is not "up" or "down".
    """
    permissions.require(by, "ai.add_feedback")
    if rating not in ("", "up", "down"):
        raise InvalidInput("A rating is “up” or “down”.")
    if not (rating or comment.strip() or score is not None):
        raise InvalidInput("Give a thumb, a score or a comment.")
    message = Message.objects.get_message(message_id)
    value = {"rating": rating, "comment": comment.strip(), "score": score, "label": label}
    row: Feedback = message.add_feedback(value, actors.name_of(by))
    audit.record("feedback.given", target=row, by=by, at=at, rating=rating, message=str(message_id))
    return row


@transaction.atomic
def set_state(*, feedback_id: UUID, state: str, by: Any, at: datetime) -> Feedback:
    """Move a feedback to another state of triage; the move stays in its history. The same state changes nothing.

    Raises:
        Forbidden, NotFound, InvalidInput.
    """
    permissions.require(by, "ai.change_feedback")
    if state not in FeedbackState.values:
        raise InvalidInput(f"There is no state {state[:20]!r}; choose one of {', '.join(FeedbackState.values)}.")
    row: Feedback | None = Feedback.objects.filter(pk=feedback_id).first()
    if row is None:
        raise NotFound
    if row.state == state:
        return row
    before, row = row.state, Feedback.objects.move(feedback_id, state=state, by=actors.name_of(by), at=at)
    audit.record("feedback.moved", target=row, by=by, at=at, old=before, new=state)
    return row


@transaction.atomic
def set_states(*, feedback_ids: Iterable[UUID], state: str, by: Any, at: datetime) -> int:
    """Move several; how many there were in scope.

    Raises:
        Forbidden, InvalidInput.
        NotFound: none of them exists for `by`.
    """
    permissions.require(by, "ai.change_feedback")
    keys = list(Feedback.objects.filter(pk__in=list(feedback_ids)[:MOST_AT_ONCE]).values_list("pk", flat=True))
    if not keys:
        raise NotFound
    for key in keys:
        set_state(feedback_id=key, state=state, by=by, at=at)
    return len(keys)
