"""What webhooks can be told of: the one table of audit actions that are events, and what is said of each.

Whatever is audited can become an event by a line here; no service knows of webhooks. The audit log is also the outbox: an
entry is there exactly when what it tells of was done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ai import ids
from ai.exceptions import NotFound
from ai.models import AuditEntry, Comment, Feedback

Json = dict[str, Any]

TEST = "webhook.test"


@dataclass(frozen=True)
class Subjects:
    """The rows that audit entries are about, read together."""

    comments: Mapping[UUID, Comment]
    feedback: Mapping[UUID, Feedback]


@dataclass(frozen=True)
class Event:
    """A type of event, and which facts of the audit entry are said: ids and states alone.

    `texts` gives the words, for webhooks that want them.
    """

    type: str
    about: str
    facts: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    texts: Callable[[AuditEntry, Subjects], Json] = lambda entry, about: {}


def _comment(entry: AuditEntry, about: Subjects) -> Json:
    row = _one(about.comments, entry)
    return {"text": row.text, "quote": row.quote} if row else {}


def _feedback(entry: AuditEntry, about: Subjects) -> Json:
    row = _one(about.feedback, entry)
    return {"comment": row.comment} if row else {}


def _one(rows: Mapping[UUID, Any], entry: AuditEntry) -> Any:
    key = _key(entry.target_id)
    return rows.get(key) if key else None


_PLACE = {"message": "message_id", "thread": "thread_id"}
_JOB_ENDED = "job.ended"

#: Audit action → event.
ACTIONS: Mapping[str, Event] = {
    "feedback.given": Event(
        "feedback.created", "feedback_id", {"rating": "rating", "message": "message_id"}, texts=_feedback
    ),
    "feedback.moved": Event("feedback.state_changed", "feedback_id", {"old": "old_state", "new": "state"}),
    "comment.added": Event("comment.created", "comment_id", {**_PLACE, "reply_to": "reply_to"}, texts=_comment),
    "comment.mentioned": Event("mention", "comment_id", {**_PLACE, "people": "people"}, texts=_comment),
    "feedback.mentioned": Event("mention", "feedback_id", {"people": "people"}),
    "review_item.decided": Event("review_item.decided", "review_item_id"),
    "job.cancelled": Event(_JOB_ENDED, "job_id", fixed={"status": "cancelled"}),
}
#: Events that nobody did: see `ai.models.endings`.
ENDINGS = ("run.failed", _JOB_ENDED)

TYPES = {
    "feedback.created": "Somebody gives feedback",
    "feedback.state_changed": "Feedback moves to another state",
    "comment.created": "Somebody comments on a message",
    "mention": "Somebody is mentioned in a comment or note",
    "review_item.decided": "A lead decides a review",
    "run.failed": "A run fails or expires",
    _JOB_ENDED: "A job ends, fails, or is cancelled",
}


def subjects(entries: Iterable[AuditEntry]) -> Subjects:
    """What the entries are about: one query of each kind."""
    keys: dict[str, set[UUID]] = {"comment": set(), "feedback": set()}
    for entry in entries:
        if entry.target_type in keys and (key := _key(entry.target_id)):
            keys[entry.target_type].add(key)
    comments = Comment.objects.only("text", "quote").in_bulk(keys["comment"])
    feedback = Feedback.objects.only("comment", "thread_id", "message_id").in_bulk(keys["feedback"])
    return Subjects(comments, feedback)


def said_of(entry: AuditEntry, about: Subjects, *, with_text: bool) -> Json:
    """The `data` of an audit entry's event."""
    event = ACTIONS[entry.action]
    kept = entry.data if isinstance(entry.data, dict) else {}
    facts = {name: kept[key] for key, name in event.facts.items() if key in kept}
    said = {event.about: entry.target_id, "actor": entry.actor_name, **facts, **event.fixed}
    return {**said, **(event.texts(entry, about) if with_text else {})}


def place_of(entry: AuditEntry, about: Subjects) -> tuple[UUID | None, UUID | None]:
    """The thread and the message that the event is about, with which what was said of it is deleted."""
    row = _one(about.feedback, entry) if entry.target_type == "feedback" else None
    if row:
        return row.thread_id, row.message_id
    kept = entry.data if isinstance(entry.data, dict) else {}
    thread, message = (_key(str(kept.get(name) or "")) for name in ("thread", "message"))
    return thread, message


def _key(text: str) -> UUID | None:
    try:
        return ids.parse(text)
    except NotFound:
        return None
