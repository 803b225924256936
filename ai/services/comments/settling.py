"""What becomes of comments: deleted, resolved, opened again, and each of these taken back for 30 days."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import Comment, CommentEvent
from ai.services import actors, audit, notifications, permissions
from ai.stores.serialization import to_serializable

MAY, MODERATES = "ai.comment_message", "ai.moderate_comment"
UNDO = timedelta(days=30)
WORDS = {"edited": "edited it", "deleted": "deleted it", "resolved": "resolved it", "reopened": "opened it again"}


def write(row: Comment, values: dict[str, Any], *, verb: str, by: Any, at: datetime) -> None:
    """Change a comment, and keep how it was.

    Raises:
        Conflict: somebody was quicker.
    """
    before = {name: getattr(row, name) for name in values}
    if not Comment.objects.change(row, values, at=at):
        raise Conflict("Somebody else changed the comment at the same moment. Look at it again.")
    event = CommentEvent(
        tenant_id=row.tenant_id, comment_id=row.pk, thread_id=row.thread_id, message_id=row.message_id, verb=verb,
        by=actors.name_of(by)[:255], by_id=actors.id_of(by), at=at, version=row.version,
        before=to_serializable(before), after=to_serializable({**values, "text": ""} if "text" in values else values),
    )  # fmt: skip
    CommentEvent.objects.add(event)
    _reword(row, values, at=at)


@transaction.atomic
def delete(*, comment_id: UUID, by: Any, at: datetime) -> Comment:
    """Delete a comment: its place stays, so that replies can be understood. What it said is gone for good after 30 days.

    Raises:
        NotFound.
        Forbidden: it is somebody else's, and `by` is nobody who may delete it.
        Conflict: it was deleted already.
    """
    row = _one(comment_id)
    is_own = bool(row.author_id) and row.author_id == actors.id_of(by)
    permissions.require(by, MAY if is_own else MODERATES)
    if row.deleted_at:
        raise Conflict("The comment was deleted already.")
    write(row, {"text": "", "mentions": [], "deleted_at": at}, verb="deleted", by=by, at=at)
    _record(row, "deleted", by=by, at=at)
    return row


@transaction.atomic
def resolve(*, comment_id: UUID, by: Any, at: datetime, is_resolved: bool = True) -> Comment:
    """Say that what a comment is about is settled, or that it is not; the same again changes nothing.

    Raises:
        Forbidden, NotFound.
        InvalidInput: it is a reply.
        Conflict: it was deleted.
    """
    permissions.require(by, MAY)
    row = _one(comment_id)
    if row.parent_id:
        raise InvalidInput("Resolve the comment that this replies to.")
    if row.deleted_at:
        raise Conflict("The comment was deleted meanwhile.")
    if bool(row.resolved_at) == is_resolved:
        return row
    values = {"resolved_at": at, "resolved_by": actors.name_of(by)[:255]} if is_resolved else _UNRESOLVED
    verb = "resolved" if is_resolved else "reopened"
    write(row, dict(values), verb=verb, by=by, at=at)
    _record(row, verb, by=by, at=at)
    return row


_UNRESOLVED: dict[str, Any] = {"resolved_at": None, "resolved_by": ""}


@transaction.atomic
def undo(*, event_id: UUID, by: Any, at: datetime) -> Comment:
    """Take a change of one's own back; moderators that of others.

    Raises:
        Forbidden, NotFound.
        Conflict: it was taken back already, is older than 30 days, or the comment was changed since; by whom.

    What was changed since and taken back itself does not stand in the way.
    """
    event: CommentEvent | None = CommentEvent.objects.filter(pk=event_id).first()
    if event is None:
        raise NotFound
    permissions.require(by, MAY if event.by_id == actors.id_of(by) else MODERATES)
    row = _one(event.comment_id)
    if event.undone_at or event.at <= at - UNDO:
        raise Conflict("This was taken back already, or is older than 30 days.")
    if CommentEvent.objects.standing([row.pk]).first() != event or not _is_as_left(row, event):
        raise Conflict(f"This cannot be taken back any more. {_latest(row)}")
    values = _values(event.before)
    if not (CommentEvent.objects.take_back(event.pk, at=at) and Comment.objects.change(row, values, at=at)):
        raise Conflict("Somebody else changed the comment at the same moment. Look at it again.")
    _reword(row, values, at=at)
    _record(row, "restored", by=by, at=at, what=event.verb)
    return row


def can_undo(event: CommentEvent, row: Comment, *, by: Any, at: datetime) -> bool:
    """Whether `undo` would do it for `by`, whose permission to comment is known; `event` is the last that stands."""
    is_theirs = event.by_id == actors.id_of(by) or by.has_perm(MODERATES)
    return is_theirs and _is_as_left(row, event) and event.at > at - UNDO


def sweep(*, at: datetime) -> int:
    """Forget what can no longer be taken back; its caller sees every tenant."""
    return CommentEvent.objects.forget(before=at - UNDO)


def _one(comment_id: UUID) -> Comment:
    row: Comment | None = Comment.objects.filter(pk=comment_id).first()
    if row is None:
        raise NotFound
    return row


def _is_as_left(row: Comment, event: CommentEvent) -> bool:
    """Whether the comment is as the change left it. What it says is not kept with the change, but when it was said is."""
    after = _values(event.after)
    return all(getattr(row, name) == value for name, value in after.items() if name != "text")


def _reword(row: Comment, values: dict[str, Any], *, at: datetime) -> None:
    """What people were told of the comment says no more than the comment does."""
    if "text" in values:
        notifications.reword(target=row, text=row.text, at=at)


def _latest(row: Comment) -> str:
    last = CommentEvent.objects.standing([row.pk]).first()
    if last is None:
        return "It has been changed since."
    return f"{last.by} {WORDS.get(last.verb, 'changed it')} at {last.at:%H:%M} UTC."


def _values(said: dict[str, Any]) -> dict[str, Any]:
    """The values of columns that JSON keeps."""
    fields: Any = Comment._meta
    return {name: fields.get_field(name).to_python(value) for name, value in said.items()}


def _record(row: Comment, verb: str, *, by: Any, at: datetime, **data: Any) -> None:
    facts = {"message": str(row.message_id), "thread": str(row.thread_id), **data}
    audit.record(f"comment.{verb}", target=row, by=by, at=at, **facts)
