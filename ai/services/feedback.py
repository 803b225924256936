"""What a person can do with feedback: give it, and move it through triage."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ai.exceptions import InvalidInput
from ai.models import Feedback, Message
from ai.services import actors, audit, permissions
from ai.services.triage import steps


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


def set_state(*, feedback_id: UUID, state: str, by: Any, at: datetime) -> Feedback:
    """Move a feedback to another state of triage; the move stays in its history. The same state changes nothing.

    Raises:
        Forbidden, NotFound, InvalidInput, Conflict.
    """
    return steps.move(feedback_ids=[feedback_id], state=state, by=by, at=at)[0]


def set_states(*, feedback_ids: Iterable[UUID], state: str, by: Any, at: datetime) -> int:
    """Move several; how many there were in scope.

    Raises:
        Forbidden, InvalidInput, Conflict.
        NotFound: none of them exists for `by`.
    """
    return len(steps.move(feedback_ids=feedback_ids, state=state, by=by, at=at))
