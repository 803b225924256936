"""Taking changes back: for 30 days, unless somebody changed the same feedback since."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from ai.exceptions import Conflict, NotFound
from ai.models import Feedback, FeedbackEvent
from ai.models.feedback_events import EventKind
from ai.services import actors, permissions
from ai.services.triage import changes

UNDO = timedelta(days=30)


@dataclass
class Undone:
    """What is as it was before, and why the rest is not."""

    rows: list[Feedback] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def undo_last(*, by: Any, at: datetime) -> Undone:
    """Take back the last thing that `by` did, with all the feedback it was done to.

    Raises:
        Forbidden.
        NotFound: they did nothing in the last 30 days.
        Conflict: somebody changed all of it since; who, and when.
    """
    permissions.require(by, "ai.change_feedback")
    mine = FeedbackEvent.objects.filter(
        by=actors.name_of(by), kind=EventKind.CHANGE, undone_at__isnull=True, at__gt=at - UNDO
    )
    last = mine.order_by("-at", "-pk").first()
    if last is None:
        raise NotFound("You have changed nothing in the last 30 days that could be taken back.")
    return _undo(list(mine.filter(batch=last.batch).order_by("pk")), by=by, at=at)


def undo(*, event_id: UUID, by: Any, at: datetime) -> Undone:
    """Take back one change, of whomever.

    Raises:
        Forbidden, NotFound.
        Conflict: it was taken back already, is older than 30 days, or somebody changed the feedback since.
    """
    permissions.require(by, "ai.change_feedback")
    event = FeedbackEvent.objects.filter(pk=event_id, kind=EventKind.CHANGE).first()
    if event is None:
        raise NotFound
    if event.undone_at or event.at <= at - UNDO:
        raise Conflict("This was taken back already, or is older than 30 days.")
    return _undo([event], by=by, at=at)


@transaction.atomic
def _undo(events: list[FeedbackEvent], *, by: Any, at: datetime) -> Undone:
    found = Undone()
    rows = Feedback.objects.in_bulk([event.feedback_id for event in events])
    for event in events:
        row = rows.get(event.feedback_id)
        if row is None:
            found.conflicts.append("It was deleted since.")
        elif not _is_latest(event, row) or not FeedbackEvent.objects.take_back(event.pk, at=at):
            found.conflicts.append(changes.latest_change(row))
        else:
            changes.write(row, _values(event.before), by=by, at=at, batch=event.batch, is_undo=True)
            found.rows.append(row)
    if not found.rows:
        raise Conflict(f"This cannot be taken back any more. {found.conflicts[0]}")
    return found


def _is_latest(event: FeedbackEvent, row: Feedback) -> bool:
    """Whether the feedback is as the event left it."""
    last = FeedbackEvent.objects.standing([row.pk]).first()
    now = all(getattr(row, name) == value for name, value in _values(event.after).items())
    return now and last is not None and last.pk == event.pk


def _values(said: dict[str, Any]) -> dict[str, Any]:
    """The values of columns that JSON keeps."""
    fields: Any = Feedback._meta
    return {name: fields.get_field(name).to_python(value) for name, value in said.items()}
