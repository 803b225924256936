"""Writing comments: a new one, a reply, and other words for one's own."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ai.exceptions import Conflict, Forbidden, InvalidInput, NotFound
from ai.models import ChatThread, Comment, Message
from ai.models.comments import LONGEST_TEXT
from ai.services import actors, audit, notifications, people, permissions
from ai.services.comments import mentions, places, settling
from ai.services.comments.places import WHOLE, Place
from ai.stores.serialization import clean_text

MAY = "ai.comment_message"
#: So many comments on one message are enough.
MOST_ON_ONE = 500


@transaction.atomic
def add(
    *,
    thread_id: UUID,
    message_id: UUID,
    text: str,
    by: Any,
    at: datetime,
    quote: str = "",
    start: int = 0,
) -> Comment:
    """Comment on a message, or on the words `quote` of it.

    Args:
        start: where `by` saw the quote, in characters of the message's plain text; the nearest place that says so is meant.

    Raises:
        Forbidden, NotFound.
        InvalidInput: the comment is empty or too long, or the message does not say what is quoted.
    """
    permissions.require(by, MAY)
    message = _message(thread_id, message_id)
    place = places.find(places.text_of(message), quote, near=start) if quote else WHOLE
    return _write(message, thread_id, text, by=by, at=at, place=place)


@transaction.atomic
def reply(*, comment_id: UUID, text: str, by: Any, at: datetime) -> Comment:
    """Reply to a comment; a reply to a reply answers the comment that both belong to.

    Raises:
        Forbidden, NotFound, InvalidInput.
        Conflict: the comment was deleted, and nothing is left to reply to, or it was resolved.
    """
    permissions.require(by, MAY)
    about = one(comment_id)
    parent = about if about.parent_id is None else one(about.parent_id)
    if parent.deleted_at:
        raise Conflict("This comment was deleted meanwhile. Write a new one.")
    if parent.resolved_at:
        raise Conflict(f"{parent.resolved_by} resolved this comment meanwhile. Open it again to reply.")
    return _write(_message(parent.thread_id, parent.message_id), parent.thread_id, text, by=by, at=at, parent=parent)


@transaction.atomic
def edit(*, comment_id: UUID, text: str, by: Any, at: datetime, seen: int | None = None) -> Comment:
    """Say one's own comment in other words. Whoever is mentioned now and was not before is told.

    Args:
        seen: the version that `by` looked at.

    Raises:
        Forbidden: it is somebody else's.
        NotFound, InvalidInput.
        Conflict: it was deleted, or changed meanwhile.
    """
    permissions.require(by, MAY)
    row = one(comment_id)
    if not is_own(row, by):
        raise Forbidden("Only who wrote a comment can edit it.")
    if row.deleted_at or (seen is not None and seen != row.version):
        raise Conflict("The comment was changed or deleted meanwhile. Look at it again.")
    words = _words(text)
    if words == row.text:
        return row
    mentioned = mentions.people_in(words, tenant_id=row.tenant_id)
    values = {"text": words, "edited_at": at, "mentions": _named(mentioned)}
    settling.write(row, values, verb="edited", by=by, at=at)
    audit.record("comment.edited", target=row, by=by, at=at, message=str(row.message_id), thread=str(row.thread_id))
    _tell_mentioned(row, mentioned, by=by, at=at)
    return row


def one(comment_id: UUID) -> Comment:
    """The comment, in scope.

    Raises:
        NotFound.
    """
    row: Comment | None = Comment.objects.filter(pk=comment_id).first()
    if row is None:
        raise NotFound
    return row


def is_own(row: Comment, by: Any) -> bool:
    """Whether `by` wrote it."""
    return bool(row.author_id) and row.author_id == actors.id_of(by)


def _message(thread_id: UUID, message_id: UUID) -> Message:
    """The message of the thread, both in scope.

    Raises:
        NotFound.
    """
    message = Message.objects.get_message(message_id)
    if message.thread_id != str(thread_id) or not ChatThread.objects.filter(pk=thread_id).exists():
        raise NotFound
    return message


def _words(text: str) -> str:
    words = places.lines(clean_text(text)).strip()
    if not words or len(words) > LONGEST_TEXT:
        raise InvalidInput(f"Write a comment of at most {LONGEST_TEXT:,} characters.")
    return words


def _named(users: list[Any]) -> list[str]:
    return [actors.name_of(user) for user in users]


def _write(
    message: Message, thread_id: UUID, text: str, *, by: Any, at: datetime, place: Place = WHOLE, parent: Any = None
) -> Comment:
    words = _words(text)
    if Comment.objects.filter(message_id=message.pk)[MOST_ON_ONE - 1 :].exists():
        raise InvalidInput(f"A message has at most {MOST_ON_ONE} comments.")
    mentioned = mentions.people_in(words, tenant_id=message.tenant_id)
    row = Comment(
        tenant_id=message.tenant_id, thread_id=thread_id, message_id=message.pk, parent_id=parent.pk if parent else None,
        author_id=actors.id_of(by), author=actors.name_of(by)[:255], at=at, text=words, mentions=_named(mentioned),
        **place._asdict(),
    )  # fmt: skip
    Comment.objects.add(row)
    facts: dict[str, Any] = {"message": str(message.pk), "thread": str(thread_id)}
    if parent:
        facts["reply_to"] = str(parent.pk)
    audit.record("comment.added", target=row, by=by, at=at, **facts)
    told = _tell_mentioned(row, mentioned, by=by, at=at)
    if parent:
        _tell_others(row, parent, told, by=by, at=at)
    return row


def _tell_mentioned(row: Comment, users: list[Any], *, by: Any, at: datetime) -> set[str]:
    """Tell whom the comment mentions, and who was told; who was told of it before is not told again."""
    others = [user for user in users if not is_own(row, user)]
    told = notifications.tell(
        "mention", to=others, key=f"mention:{row.pk}", by=by, at=at, tenant_id=row.tenant_id,
        title=f"{actors.name_of(by)} mentions you in a comment", **_about(row),
    )  # fmt: skip
    if told:
        names = [actors.name_of(user) for user in others if actors.id_of(user) in told]
        facts: dict[str, Any] = {"message": str(row.message_id), "thread": str(row.thread_id)}
        audit.record("comment.mentioned", target=row, by=by, at=at, people=names, **facts)
    return told


def _tell_others(row: Comment, parent: Comment, told: set[str], *, by: Any, at: datetime) -> None:
    """Tell whoever commented there before, and may still read it, of a reply."""
    before = Comment.objects.filter(parent_id=parent.pk, deleted_at__isnull=True).exclude(pk=row.pk)
    wrote = {parent.author_id, *before.values_list("author_id", flat=True)[:MOST_ON_ONE]}
    readers = mentions.readers(row.tenant_id).filter(pk__in=people.keys(wrote - told))
    to = [user for user in readers[: people.MOST] if not is_own(row, user)]
    notifications.tell(
        "reply", to=to, key=f"reply:{row.pk}", by=by, at=at, tenant_id=row.tenant_id,
        title=f"{actors.name_of(by)} replies to a comment of yours", **_about(row),
    )  # fmt: skip


def _about(row: Comment) -> dict[str, Any]:
    return {"text": row.text, "thread_id": row.thread_id, "message_id": row.message_id, "target": row}
