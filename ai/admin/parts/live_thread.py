"""The end of a transcript while a run answers it: what was said since, and what is being written now."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from ai.admin.parts import comments, steps
from ai.models import ChatThread, Run
from ai.services import comparisons, transcripts

#: How long the page waits before it looks again, in milliseconds.
WAITS: dict[str, int] = {"queued": 800, "in_progress": 400, "cancelling": 400, "requires_action": 2000}


def of_page(thread: ChatThread, page: transcripts.Page) -> dict[str, Any]:
    """The turns of a page that stay, and the end that may grow; a page of the middle has no end."""
    if page.later is not None:
        return {"turns": page.turns}
    _without_active(page.turns)
    run = transcripts.active_run(thread)
    since = _since(run, page)
    end = [turn for turn in page.turns if turn.sequence > since]
    context = _context(thread, run, since, end, page.messages)
    return {**context, "turns": [turn for turn in page.turns if turn.sequence <= since]}


def _since(run: Run | None, page: transcripts.Page) -> int:
    """The number of the last message before the run's own."""
    if run is None or run.history_until is None:
        return page.last
    return max(min(run.history_until, page.last), page.first - 1)


def answer(admin: Any, request: HttpRequest, thread: ChatThread, context: dict[str, Any]) -> HttpResponse:
    """The end of the transcript after message `?after=`, for a page that showed the run `?run=`."""
    since = _number(request.GET.get("after", ""))
    page = transcripts.Page([])
    if thread.last_sequence > since:
        page = transcripts.page(thread=thread, after=since, with_comments=context["may"]["comments"])
    run = transcripts.active_run(thread)
    shown = _run(thread, request.GET.get("run", "")) if run is None else None
    live = _context(thread, run, since, page.turns, page.messages)
    seen = {each.pk for turn in page.turns for each in [*turn.unanswered, *([turn.run] if turn.run else [])]}
    if shown is not None and shown.pk not in seen:
        live["live"]["unanswered"] = shown
    counts = comments.counts_of(page)
    values = {**context, "thread": thread, "page": page, "model_admin": admin, **live, "comments": counts}
    headers = {"Cache-Control": "no-store"}
    return TemplateResponse(request, "admin/ai/chatthread/live.html", values, headers=headers)


def _context(thread: ChatThread, run: Run | None, since: int, end: list[Any], messages: list[Any]) -> dict[str, Any]:
    """`live`: the turns of the end, the run that goes on with what it says, and where to look for more."""
    _without_active(end)
    found: dict[str, Any] = {"turns": end, "run": run, "url": "", "wait": 0}
    if run is not None:
        said = transcripts.unsaved(run, messages)
        address = reverse("admin:ai_chatthread_live", args=[thread.pk], query={"after": since, "run": run.pk.hex})
        found |= {
            "steps": comparisons.steps_of(said),
            "waiting_for": steps.waiting_for(run) if run.status == "requires_action" else [],
            "url": address,
            "wait": WAITS.get(run.status, 0),
        }
    return {"live": found}


def _without_active(turns: list[Any]) -> None:
    """The run that goes on has its own place, at the end."""
    for turn in turns:
        turn.unanswered = [each for each in turn.unanswered if not each.is_active]


def _run(thread: ChatThread, text: str) -> Run | None:
    """The thread's run that a page showed, when it has ended without an answer."""
    try:
        key = UUID(text)
    except ValueError:
        return None
    run: Run | None = Run.objects.originals().filter(pk=key, thread_id=str(thread.pk)).first()
    return run if run is not None and run.status != "completed" else None


def _number(text: str) -> int:
    return min(int(text), 2**31 - 1) if text.isascii() and text.isdigit() else 0
