"""Feedback over HTTP: what users of applications think of answers, and its triage."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import HeaderEx, P, Query, Router

from ai.api import lookups, pages
from ai.api.answers import documented, reply
from ai.api.auth import caller
from ai.api.bodies import Json
from ai.api.pages import ListAnswer, PageQuery
from ai.api.wire import feedback as wire
from ai.api.wire.base import given
from ai.exceptions import InvalidInput, NotFound
from ai.models import ChatThread, Feedback, FeedbackEvent, FeedbackReceipt, Message, Run
from ai.models.feedback_receipts import REPEATS
from ai.services import feedback, permissions
from ai.services.actors import KeyActor
from ai.services.triage import changes, revising
from ai.services.triage.inbox import ALL, Filters
from ai.stores.serialization import clean_text

router = Router(tags=["Feedback"])

BY_TIME = ("at", "pk")
KEY_CHARACTERS = 200


@router.get("", response=documented(ListAnswer[wire.FeedbackAnswer]), operation_id="listFeedback")
async def index(request: HttpRequest, query: Query[wire.FeedbackQuery]) -> HttpResponse:
    """The tenant's feedback, the newest first. Keys with the scope `read` or `feedback`."""

    def work() -> dict[str, Any]:
        return pages.read(_chosen(query, by=caller(request).by), query, kind="feedback").body(wire.feedback)

    return await reply(work)


def _chosen(query: wire.FeedbackQuery, *, by: Any) -> Any:
    """As the inbox filters it, and by what programs ask besides."""
    said = {"state": query.state or ALL, "rating": query.rating, "label": query.label, "severity": query.severity}
    rows = Filters.read({name: value for name, value in said.items() if value is not None}).rows(by=by)
    if query.assignee:
        rows = rows.filter(assignee=query.assignee)
    if query.user:
        rows = rows.filter(user_id=query.user)
    if query.thread_id:
        rows = rows.filter(thread_id__in=lookups.keys(query.thread_id))
    if query.external_id:
        sent = FeedbackReceipt.objects.filter(external_id=query.external_id)
        rows = rows.filter(pk__in=sent.values("feedback_id"))
    return rows.filter(created__gte=wire.moment(query.since)) if query.since is not None else rows


@router.post("", response=documented(wire.FeedbackAnswer), operation_id="createFeedback")
async def create(
    request: HttpRequest,
    data: Json[wire.CreateFeedback],
    idempotency_key: HeaderEx[str | None, P(alias="Idempotency-Key")] = None,
) -> HttpResponse:
    """Keep what a user thinks of an answer. Another user's feedback is another one, and a second opinion of the same user
    replaces the first, which stays among `earlier`. Keys with the scope `feedback`.
    """

    def work() -> dict[str, Any]:
        by, said = caller(request).by, {key: value for key, value in given(data).items() if key != "external_id"}
        if (data.external_id or "").startswith(REPEATS):
            raise InvalidInput(f"No external_id begins with “{REPEATS}”.", param="external_id")
        named = data.external_id or _header(idempotency_key, by=caller(request).by)
        row = feedback.sent_before(external_id=named, said=said, by=by) if named else None
        if row is None:
            row = feedback.receive(
                message_id=_message(data).pk,
                user=data.user,
                said=said,
                by=by,
                at=timezone.now(),
                external_id=named,
                metadata=data.metadata,
                **_opinion(data),
            )
        return wire.one(row)

    return await reply(work)


def _header(text: str | None, *, by: KeyActor) -> str:
    """The header as a name of its own: what one API key sends under it is nothing to another key."""
    key = clean_text(text or "").strip()
    if len(key) > KEY_CHARACTERS:
        raise InvalidInput(f"An Idempotency-Key has at most {KEY_CHARACTERS} characters.", param="Idempotency-Key")
    return f"{REPEATS}{by.pk}/{key}" if key else ""


def _opinion(data: wire.CreateFeedback) -> dict[str, Any]:
    return {
        "rating": data.rating or "",
        "score": data.score,
        "label": data.choice or "",
        "comment": data.comment or "",
    }


def _message(data: wire.CreateFeedback) -> Message:
    """The message that the feedback is about.

    Raises:
        InvalidInput: it is named in no way, or in several.
        NotFound: there is none.
    """
    if sum(bool(name) for name in (data.message_id, data.run_id, data.thread_id)) != 1:
        raise InvalidInput(wire.NAMED_TWICE, param="message_id")
    if data.message_external_id and not data.thread_id:
        raise InvalidInput("Name the thread that the message is in.", param="thread_id")
    if data.message_id:
        return lookups.row(Message.objects, "message", data.message_id)
    if data.run_id:
        run: Run = lookups.row(Run.objects.only("pk"), "run", data.run_id)
        return _last(Message.objects.filter(run_id=str(run.pk)), f"The run '{data.run_id[:100]}'")
    named = data.thread_id or ""
    thread: ChatThread = lookups.row(ChatThread.objects.only("pk"), "thread", named)
    rows = Message.objects.list_thread_messages(thread.pk)
    if not data.message_external_id:
        return _last(rows, f"The thread '{named[:100]}'")
    found = rows.filter(external_id=data.message_external_id).first()
    if found is None:
        raise lookups.missing("message", data.message_external_id)
    return found


def _last(rows: Any, whose: str) -> Message:
    """The last answer of several messages."""
    found: Message | None = rows.filter(role="assistant", is_listed=True).order_by("-sequence").first()
    if found is None:
        raise NotFound(f"{whose} has no answer yet.")
    return found


@router.get("/{feedback_id}", response=documented(wire.FeedbackAnswer), operation_id="getFeedback")
async def read(request: HttpRequest, feedback_id: str) -> HttpResponse:
    """The feedback. Keys with the scope `read` or `feedback`."""
    return await reply(lambda: wire.one(_row(feedback_id)))


@router.post("/{feedback_id}", response=documented(wire.FeedbackAnswer, 409), operation_id="modifyFeedback")
async def modify(request: HttpRequest, feedback_id: str, data: Json[wire.ModifyFeedback]) -> HttpResponse:
    """Change what is given, all of it at once. With the `version` that you looked at, 409 when somebody has changed it since,
    and who. Keys with the scope `feedback`.
    """

    def work() -> dict[str, Any]:
        values = {**given(data), "snoozed_until": wire.moment(data.snoozed_until), "fixed_by": _replay(data.fixed_by)}
        row = revising.revise(feedback_id=_row(feedback_id).pk, by=caller(request).by, at=timezone.now(), **values)
        return wire.one(row)

    return await reply(work)


@router.post("/{feedback_id}/notes", response=documented(wire.FeedbackAnswer), operation_id="createFeedbackNote")
async def note(request: HttpRequest, feedback_id: str, data: Json[wire.CreateNote]) -> HttpResponse:
    """Add words for colleagues; the history has them. Keys with the scope `feedback`."""

    def work() -> dict[str, Any]:
        row = _row(feedback_id)
        changes.note(feedback_ids=[row.pk], text=data.text, by=caller(request).by, at=timezone.now())
        return wire.one(row)

    return await reply(work)


@router.get(
    "/{feedback_id}/history",
    response=documented(ListAnswer[wire.FeedbackEventAnswer]),
    operation_id="listFeedbackHistory",
)
async def history(request: HttpRequest, feedback_id: str, query: Query[PageQuery]) -> HttpResponse:
    """Who did what with the feedback, the latest first; notes too, so it takes the scope `feedback`."""

    def work() -> dict[str, Any]:
        row = _row(feedback_id)
        permissions.require(caller(request).by, "ai.change_feedback")
        events = FeedbackEvent.objects.filter(feedback_id=row.pk)
        return pages.read(events, query, kind="feedback_event", by=BY_TIME).body(wire.events)

    return await reply(work)


def _replay(run_id: str | None) -> Any:
    """The key of the replay that is named; empty where none is to be.

    Raises:
        InvalidInput: there is no such run.
    """
    if not run_id:
        return run_id
    try:
        return lookups.row(Run.objects.only("pk"), "run", run_id).pk
    except NotFound as error:
        raise InvalidInput(error.message, param="fixed_by") from error


def _row(feedback_id: str) -> Feedback:
    row: Feedback = lookups.row(Feedback.objects, "feedback", feedback_id)
    return row
