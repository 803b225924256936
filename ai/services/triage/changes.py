"""Changing feedback: every change is one conditional UPDATE, a line of its history, and an entry of the audit log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from ai import ids
from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import Feedback, FeedbackEvent
from ai.models.feedback import FeedbackState
from ai.models.feedback_events import EventKind
from ai.services import actors, audit, notifications, permissions
from ai.services.comments import mentions
from ai.stores.serialization import to_serializable

Json = dict[str, Any]

MOST_AT_ONCE = 1000


def rows_of(feedback_ids: Iterable[UUID], *, by: Any) -> list[Feedback]:
    """The feedback in scope, for somebody who may triage it.

    Raises:
        Forbidden.
        NotFound: there is none.
    """
    permissions.require(by, "ai.change_feedback")
    rows = list(Feedback.objects.filter(pk__in=list(feedback_ids)[:MOST_AT_ONCE]).order_by("pk"))
    if not rows:
        raise NotFound
    return rows


@transaction.atomic
def change(
    feedback_ids: Iterable[UUID],
    wanted: Callable[[Feedback], Json],
    *,
    by: Any,
    at: datetime,
    seen: Mapping[UUID, int] | None = None,
) -> list[Feedback]:
    """Give each feedback the values that `wanted` says of it; the rows, changed or not.

    Args:
        seen: the versions that `by` looked at when deciding. One that has changed since stops all of it.

    Raises:
        Forbidden, NotFound.
        Conflict: somebody else changed one of them meanwhile; who, and when.
    """
    rows, batch = rows_of(feedback_ids, by=by), ids.new()
    for row in rows:
        if (seen or {}).get(row.pk, row.version) != row.version:
            raise Conflict(f"{latest_change(row)} Look at it again.")
        write(row, wanted(row), by=by, at=at, batch=batch)
    return rows


def write(row: Feedback, values: Json, *, by: Any, at: datetime, batch: UUID, is_undo: bool = False) -> bool:
    """Set what differs; whether anything did.

    Raises:
        Conflict: somebody was quicker.
    """
    new = {name: value for name, value in values.items() if getattr(row, name) != value}
    if not new:
        return False
    before = {name: getattr(row, name) for name in new}
    if not _changed(row, new, by=by, at=at):
        raise Conflict("Somebody else changed it at the same moment. Look at it again.")
    old, now = to_serializable(before), to_serializable(new)
    if not is_undo:
        _event(row, EventKind.CHANGE, by=by, at=at, batch=batch, before=old, after=now)
    if "state" in new:
        audit.record("feedback.moved", target=row, by=by, at=at, old=before["state"], new=new["state"])
    rest = {name: value for name, value in now.items() if name != "state"}
    if rest:
        audit.record("feedback.changed", target=row, by=by, at=at, **rest)
    return True


def _changed(row: Feedback, new: Json, *, by: Any, at: datetime) -> bool:
    """Whether it was changed; an import may have set something that the new values do not go with."""
    try:
        with transaction.atomic():
            return Feedback.objects.change(row, new, by=actors.name_of(by), at=at)
    except IntegrityError as error:
        raise Conflict("An import changed it meanwhile, and this no longer fits. Look at it again.") from error


def latest_change(row: Feedback) -> str:
    """Who changed it last, as a sentence."""
    last = FeedbackEvent.objects.of(row.pk).filter(kind=EventKind.CHANGE).first()
    if last is None:
        return "It has been changed since."
    if last.undone_at:
        return f"What {last.by} did at {last.at:%H:%M} UTC has been taken back since."
    return f"{last.by} changed it at {last.at:%H:%M} UTC: {', '.join(sorted(last.after)).replace('_', ' ')}."


@transaction.atomic
def note(*, feedback_ids: Iterable[UUID], text: str, by: Any, at: datetime) -> int:
    """Keep a private note with each; how many. Whom it mentions is told, if they may read feedback.

    Raises:
        Forbidden, NotFound.
        InvalidInput: the note is empty, or longer than 5,000 characters.
    """
    words = text.strip()
    if not words or len(words) > 5000:
        raise InvalidInput("Write a note of at most 5,000 characters.")
    rows, batch = rows_of(feedback_ids, by=by), ids.new()
    for row in rows:
        _event(row, EventKind.NOTE, by=by, at=at, batch=batch, text=words)
        audit.record("feedback.noted", target=row, by=by, at=at)
        _tell_mentioned(row, words, batch=batch, by=by, at=at)
    return len(rows)


def _tell_mentioned(row: Feedback, words: str, *, batch: UUID, by: Any, at: datetime) -> None:
    users = mentions.people_in(words, tenant_id=row.tenant_id, codename="view_feedback")
    told = notifications.tell(
        "mention", to=users, key=f"note:{batch}:{row.pk}", by=by, at=at, tenant_id=row.tenant_id, text=words, target=row,
        title=f"{actors.name_of(by)} mentions you in a note", thread_id=row.thread_id, message_id=row.message_id,
    )  # fmt: skip
    if told:
        names = [actors.name_of(user) for user in users if actors.id_of(user) in told]
        audit.record("feedback.mentioned", target=row, by=by, at=at, people=names)


def _event(row: Feedback, kind: str, *, by: Any, at: datetime, batch: UUID, **values: Any) -> None:
    event = FeedbackEvent(
        tenant_id=row.tenant_id, feedback_id=row.pk, thread_id=row.thread_id, kind=kind, by=actors.name_of(by), at=at,
        batch=batch, version=row.version, **values,
    )  # fmt: skip
    FeedbackEvent.objects.add(event)


def moved(row: Feedback, state: str, *, by: Any) -> Json:
    """What changes when the feedback moves to `state`."""
    values: Json = {"state": FeedbackState(state), "snoozed_until": None}
    if state == FeedbackState.OPEN:
        values |= {"assignee": "", "duplicate_of": None, "fixed_by": None, "reason": ""}
    elif state == FeedbackState.ASSIGNED and not row.assignee:
        values["assignee"] = actors.name_of(by)
    return values
