"""What a person or an application can do with feedback: give it, and move it through triage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction

from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import Feedback, FeedbackReceipt, Message
from ai.services import actors, audit, permissions
from ai.services.triage import steps
from ai.stores.serialization import clean_text

LONGEST = 255

#: What an application's user is called who has the name of somebody that works here.
NAMESAKE = " (application)"


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
        InvalidInput: there is neither a rating nor a score nor a label nor a comment, or the rating is not "up" or "down".
    """
    permissions.require(by, "ai.add_feedback")
    value = _opinion(rating=rating, comment=comment, score=score, label=label)
    row: Feedback = Message.objects.get_message(message_id).add_feedback(value, actors.name_of(by))
    audit.record("feedback.given", target=row, by=by, at=at, rating=rating, message=str(message_id))
    return row


def _opinion(*, rating: str, comment: str, score: float | None, label: str) -> dict[str, Any]:
    if rating not in ("", "up", "down"):
        raise InvalidInput("A rating is “up” or “down”.", param="rating")
    if not (rating or comment.strip() or score is not None or label.strip()):
        raise InvalidInput("Give a thumb, a score, a choice or a comment.")
    return {"rating": rating, "comment": comment.strip(), "score": score, "label": label.strip()}


def receive(
    *,
    message_id: UUID,
    user: str,
    said: Mapping[str, Any],
    by: Any,
    at: datetime,
    external_id: str = "",
    metadata: Mapping[str, Any] | None = None,
    **opinion: Any,
) -> Feedback:
    """Keep what a user of an application thinks of a message. A second opinion of the same user replaces the first, which
    stays in its history; the same `external_id` again changes nothing.

    Args:
        said: all that the application sent, which tells a repetition from something else under the same `external_id`.
        opinion: `rating`, `comment`, `score`, `label` as in `give`.

    Raises:
        Forbidden, NotFound, InvalidInput.
        Conflict: something else was sent under this `external_id`.
    """
    permissions.require(by, "ai.add_feedback")
    value = _opinion(**{"rating": "", "comment": "", "score": None, "label": "", **opinion})
    name = clean_text(user).strip()
    if not 0 < len(name) <= LONGEST - len(NAMESAKE):
        raise InvalidInput(f"A user has a name of 1 to {LONGEST - len(NAMESAKE)} characters.", param="user")
    try:
        with transaction.atomic():
            row: Feedback = Message.objects.get_message(message_id).add_feedback(value, _apart(name))
            _note(row, external_id, said, metadata, at=at)
            audit.record(
                "feedback.given", target=row, by=by, at=at, rating=value["rating"], message=str(message_id), user=name
            )
    except IntegrityError:
        # The same was sent twice at once, and the other was quicker: what was written here is undone.
        if not external_id or (known := sent_before(external_id=external_id, said=said, by=by)) is None:
            raise
        return known
    return row


def sent_before(*, external_id: str, said: Mapping[str, Any], by: Any) -> Feedback | None:
    """The feedback that an application sent under an id of its own; None when it sent nothing under it.

    Raises:
        Forbidden.
        NotFound: what was sent has been deleted.
        Conflict: that was something else.
    """
    permissions.require(by, "ai.add_feedback")
    receipt = FeedbackReceipt.objects.under(external_id)
    if receipt is None:
        return None
    if receipt.digest != _digest(said):
        raise Conflict("Something else was sent under this external ID; use another one.", param="external_id")
    row: Feedback | None = Feedback.objects.filter(pk=receipt.feedback_id).first()
    if row is None:
        raise NotFound("The feedback that was sent under this external ID has been deleted.")
    return row


def _apart(user: str) -> str:
    """The user's name, told apart from those of the people who work here: nobody overwrites what these said."""
    people = get_user_model()
    is_taken = people._default_manager.filter(**{people.USERNAME_FIELD: user}).exists()
    return user + NAMESAKE if is_taken else user


def _note(
    row: Feedback, external_id: str, said: Mapping[str, Any], metadata: Mapping[str, Any] | None, *, at: datetime
) -> None:
    receipt = FeedbackReceipt(
        tenant_id=row.tenant_id, feedback_id=row.pk, thread_id=row.thread_id, external_id=external_id or None,
        digest=_digest(said), metadata=dict(metadata or {}), created=at, modified=at,
    )  # fmt: skip
    FeedbackReceipt.objects.add(receipt)


def _digest(said: Mapping[str, Any]) -> str:
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


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
