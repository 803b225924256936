"""Feedback on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from ai.api.pages import PageQuery
from ai.api.wire.base import Metadata, Request, seconds
from ai.api.wire.names import PublicIds
from ai.models import Feedback, FeedbackEvent, FeedbackReceipt
from ai.models.feedback_events import EventKind

States = Literal["open", "triaged", "assigned", "snoozed", "resolved", "dismissed"]
Wanted = Literal["todo", "open", "triaged", "assigned", "snoozed", "resolved", "dismissed"]
Thumb = Literal["up", "down"]
Severities = Annotated[int, Field(ge=0, le=4, strict=True)]

#: The last second of the year 9999: later ones are no times.
LAST_SECOND = 253_402_300_799
Second = Annotated[int, Field(ge=0, le=LAST_SECOND)]

NAMED_TWICE = "Name the message by one of message_id, run_id and thread_id."


class CreateFeedback(Request):
    """What a user of an application thinks of an answer: at least one of `rating`, `score`, `choice` and `comment`."""

    message_id: str | None = Field(None, description="The message it is about.")
    run_id: str | None = Field(None, description="Or the run: its last answer.")
    thread_id: str | None = Field(None, description="Or the thread: its last answer, or `message_external_id`.")
    message_external_id: str | None = Field(
        None, min_length=1, max_length=255, description="The id that a message of the thread has elsewhere."
    )
    user: str = Field(
        min_length=1, max_length=200, description="Whose feedback it is. A user has one feedback on a message."
    )
    rating: Thumb | None = Field(None, description="A thumb.")
    score: float | None = Field(None, ge=1, le=5, strict=True, description="From 1 to 5; 5 is best.")
    choice: str | None = Field(None, min_length=1, max_length=100, description="What the user chose from a list.")
    comment: str | None = Field(None, max_length=20_000)
    metadata: Metadata | None = None
    external_id: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        description="Your own id. The same again changes nothing and answers the same feedback; so does the header "
        "`Idempotency-Key`, which counts where this is absent.",
    )


class ModifyFeedback(Request):
    """What the feedback is to be like; what is absent or null stays as it is."""

    version: int | None = Field(
        None, ge=0, description="The version you looked at: 409 when somebody has changed it since."
    )
    state: States | None = None
    severity: Severities | None = Field(None, description="1 is critical, 4 is low, 0 is not set.")
    labels: list[Annotated[str, StringConstraints(max_length=200)]] | None = Field(None, max_length=100)
    assignee: str | None = Field(None, max_length=255, description="A user name of the console; empty for nobody.")
    reason: str | None = Field(None, max_length=200)
    snoozed_until: Second | None = Field(None, description="Until when it is “snoozed”: Unix time.")
    fixed_by: str | None = Field(
        None, max_length=255, description="The replay (a run) of the answer that did better; empty for none."
    )


class CreateNote(Request):
    """Words for colleagues, which the user never sees."""

    text: str = Field(min_length=1, max_length=5000)


class FeedbackQuery(PageQuery):
    """Which feedback, and the page of it."""

    state: Wanted | None = Field(None, description="A state; `todo` is open, triaged or assigned.")
    rating: Thumb | None = None
    severity: int | None = Field(None, ge=0, le=4)
    label: str | None = Field(None, max_length=100, description="A label that it carries.")
    assignee: str | None = Field(None, max_length=255)
    user: str | None = Field(None, max_length=255)
    thread_id: str | None = Field(None, max_length=255)
    external_id: str | None = Field(None, max_length=255, description="Your own id.")
    since: int | None = Field(None, ge=0, le=LAST_SECOND, description="First given then or later: Unix time.")


class Opinion(BaseModel):
    """What somebody thought earlier."""

    given_at: str
    rating: Thumb | None
    score: float | None
    choice: str | None
    comment: str | None


class FeedbackAnswer(BaseModel):
    """One user's feedback on one message, and where its triage stands."""

    id: str
    object: Literal["feedback"]
    created_at: int
    given_at: int
    thread_id: str
    message_id: str
    user: str
    rating: Thumb | None
    score: float | None
    choice: str | None
    comment: str | None
    state: States
    severity: int
    labels: list[str]
    assignee: str | None
    reason: str | None
    due_at: int | None
    snoozed_until: int | None
    duplicate_of: str | None
    fixed_by: str | None
    version: int
    external_id: str | None
    metadata: dict[str, Any]
    earlier: list[Opinion]


class FeedbackEventAnswer(BaseModel):
    """What somebody did with a feedback: a change from `before` to `after`, or a note."""

    id: str
    object: Literal["feedback.event"]
    created_at: int
    type: Literal["change", "note"]
    by: str
    version: int
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    text: str | None
    undone_at: int | None


def feedback(rows: Sequence[Feedback]) -> list[dict[str, Any]]:
    """The feedback as JSON: two queries at most, whatever its number."""
    receipts = FeedbackReceipt.objects.last_of(row.pk for row in rows)
    ids = PublicIds(
        *(key for row in rows for key in (row.pk, row.thread_id, row.message_id, row.duplicate_of, row.fixed_by))
    )
    return [_one(row, ids, receipts.get(row.pk)) for row in rows]


def one(row: Feedback) -> dict[str, Any]:
    """One of it."""
    return feedback([row])[0]


def _one(row: Feedback, ids: PublicIds, receipt: FeedbackReceipt | None) -> dict[str, Any]:
    return {
        "id": ids.of("feedback", row.pk),
        "object": "feedback",
        "created_at": seconds(row.created),
        "given_at": seconds(row.given_at),
        "thread_id": ids.of("thread", row.thread_id),
        "message_id": ids.of("message", row.message_id),
        "user": row.user_id,
        **_opinion(row.rating, row.score, row.label, row.comment),
        "state": row.state,
        "severity": row.severity,
        "labels": row.labels,
        "assignee": row.assignee or None,
        "reason": row.reason or None,
        "due_at": seconds(row.due_at),
        "snoozed_until": seconds(row.snoozed_until),
        "duplicate_of": ids.maybe("feedback", row.duplicate_of),
        "fixed_by": ids.maybe("run", row.fixed_by),
        "version": row.version,
        "external_id": receipt.own_id if receipt else None,
        "metadata": receipt.metadata if receipt else {},
        "earlier": [_earlier(said) for said in row.history if isinstance(said, dict) and "rating" in said],
    }


def _opinion(rating: Any, score: Any, choice: Any, comment: Any) -> dict[str, Any]:
    return {"rating": rating or None, "score": score, "choice": choice or None, "comment": comment or None}


def _earlier(said: dict[str, Any]) -> dict[str, Any]:
    given = _opinion(said["rating"], said.get("score"), said.get("label"), said.get("comment"))
    return {"given_at": str(said.get("at") or ""), **given}


def events(rows: Sequence[FeedbackEvent]) -> list[dict[str, Any]]:
    """A feedback's history as JSON."""
    ids = PublicIds(*(row.pk for row in rows))
    return [
        {
            "id": ids.of("feedback_event", row.pk),
            "object": "feedback.event",
            "created_at": seconds(row.at),
            "type": row.kind,
            "by": row.by,
            "version": row.version,
            "before": row.before if row.kind == EventKind.CHANGE else None,
            "after": row.after if row.kind == EventKind.CHANGE else None,
            "text": row.text or None,
            "undone_at": seconds(row.undone_at),
        }
        for row in rows
    ]


def moment(second: int | None) -> datetime | None:
    """A Unix time as a time."""
    return None if second is None else datetime.fromtimestamp(second, UTC)
