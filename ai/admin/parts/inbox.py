"""The feedback inbox: a list of cards, and beside it the one that is open, in its conversation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils import timezone

from ai import conf, ids
from ai.admin.parts import badges, inbox_acts, list_views, view_door
from ai.admin.parts.base import BARE, in_bulk, sees_several_tenants, tenant_names
from ai.admin.parts.inbox_views import InboxPlace, query
from ai.admin.parts.list_views import VIEW
from ai.exceptions import NotFound
from ai.models import ChatThread, Feedback, FeedbackEvent, Message
from ai.models.feedback import FeedbackState, Rating, Severity
from ai.models.feedback_events import EventKind
from ai.services import actors, audit, rendering, transcripts
from ai.services.triage import fixes, inbox, rules, steps
from ai.services.triage.inbox import Filters, Listing
from ai.services.triage.undoing import UNDO

Json = dict[str, Any]

#: So many messages of the conversation are shown, and so many lines of the history.
AROUND, MOST_EVENTS = 5, 50
SEVERITY_TONES = {Severity.CRITICAL: "red", Severity.HIGH: "orange", Severity.MEDIUM: "blue", Severity.LOW: "gray"}
STATES = ((inbox.UNDONE, "To do"), (inbox.ALL, "All states"), *FeedbackState.choices)
SNOOZES = ((24, "a day"), (4, "4 hours"), (72, "3 days"), (168, "a week"))


def show(admin: Any, request: HttpRequest) -> HttpResponse:
    """The inbox."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    return _show(admin, request)


def act(admin: Any, request: HttpRequest) -> HttpResponse:
    """What its buttons do."""
    if not admin.has_triage_permission(request):
        raise PermissionDenied
    if request.method != "POST":
        raise Http404("Nothing can be read there.")
    goes_on = inbox_acts.act(request)
    return _next(admin, request, goes_on.url) if _is_scripted(request) else goes_on


def views(admin: Any, request: HttpRequest) -> HttpResponse:
    """What is done with its saved views."""
    return view_door.act(admin, InboxPlace(admin), request)


def _key(text: str) -> UUID | None:
    """The id in an address.

    Raises:
        Http404: it is none.
    """
    try:
        return ids.parse(text) if text else None
    except NotFound as error:
        raise Http404("There is no such feedback.") from error


def _is_scripted(request: HttpRequest) -> bool:
    """Whether the page's script asks: it puts the middle in place, and a frame around it would be made for nothing."""
    return request.headers.get("X-Requested-With") == "inbox"


def _next(admin: Any, request: HttpRequest, url: str) -> HttpResponse:
    """The page at `url` at once, which saves the script a second request; it is told the address."""
    request.GET = QueryDict(urlsplit(url).query)
    response = _show(admin, request)
    response.headers["X-Address"] = url
    return response


def _show(admin: Any, request: HttpRequest) -> HttpResponse:
    place = InboxPlace(admin)
    if where := list_views.leads_to(place, request):
        return HttpResponseRedirect(where)
    at, filters = timezone.now(), Filters.read(request.GET)
    after, chosen = _key(request.GET.get("after", "")), _key(request.GET.get("item", ""))
    found = inbox.listing(filters, by=request.user, after=after)
    row = Feedback.objects.filter(pk=chosen).first() if chosen else next(iter(found.rows), None)
    if chosen and row is None:
        raise Http404("There is no such feedback here; it may have been deleted, or belong to another tenant.")
    first = query(filters, request.GET.get(VIEW, ""))
    here = first + (f"&after={after}" if after else "")
    context = {
        **_list(request, found, filters, row, here, at=at),
        "first": first,
        "view": request.GET.get(VIEW, ""),
        "panel": list_views.panel(
            place, request, tenants=tenant_names(request) if sees_several_tenants(request) else {}
        ),
        **(_pane(request, row, at=at) if row else {}),
        "row": row,
        "may_triage": admin.has_triage_permission(request),
        **({"frame": BARE} if _is_scripted(request) else {}),
    }
    response: HttpResponse = admin.page(request, "admin/ai/feedback/inbox.html", "Feedback inbox", **context)
    return response


def _list(request: HttpRequest, found: Listing, filters: Filters, row: Any, here: str, *, at: datetime) -> Json:
    """The cards, and what the filters can be set to: at most two queries more than the list itself."""
    about = in_bulk(Message, (each.message_id for each in found.rows), "preview")
    names = tenant_names(request) if sees_several_tenants(request) else {}
    cards = [_card(each, about, names, here, at=at) for each in found.rows]
    keys = [each.pk for each in found.rows]
    place = keys.index(row.pk) if row and row.pk in keys else -1
    return {
        "cards": cards,
        "filters": filters,
        "here": here,
        "is_filtered": bool(filters.query),
        "later": f"?{query(filters, request.GET.get(VIEW, ''))}&after={found.later}" if found.later else "",
        "is_first_page": "after" not in request.GET,
        "next_key": keys[place + 1] if 0 <= place < len(keys) - 1 else "",
        "states": STATES,
        "ratings": (("", "Any rating"), *Rating.choices),
        "severities": (("", "Any severity"), *((str(value), label) for value, label in Severity.choices)),
        "tenants": [("", "All tenants"), *((str(key), name) for key, name in names.items())] if names else [],
        "known_labels": sorted({label for each in found.rows for label in each.labels} | set(rules.labels_for(None))),
    }


def _card(row: Any, about: Json, names: Mapping[UUID, str], here: str, *, at: datetime) -> Json:
    message = about.get(str(row.message_id))
    return {
        "row": row,
        "href": f"?{here}&{urlencode({'item': row.pk})}",
        "words": row.comment or row.label or (message.preview if message else "") or "No comment",
        "tenant": names.get(row.tenant_id, ""),
        **_facts(row, at=at),
    }


def _facts(row: Any, *, at: datetime) -> Json:
    """What is said of a feedback in a word each."""
    tone = SEVERITY_TONES.get(row.severity, "gray")
    return {
        "rating": badges.rating(row.rating)
        if row.rating or row.score is None
        else badges.badge(f"{row.score:g}", "blue"),
        "state": badges.status(row.state, row.get_state_display()),
        "severity": badges.badge(row.get_severity_display(), tone) if row.severity else "",
        "is_overdue": inbox.is_overdue(row, at=at),
    }


def _pane(request: HttpRequest, row: Feedback, *, at: datetime) -> Json:
    """What is shown of the open card."""
    user: Any = request.user
    may = {
        **dict.fromkeys(("rate", "feedback"), False),
        "messages": user.has_perm("ai.view_message"),
        "runs": user.has_perm("ai.view_run"),
        "files": user.has_perm("ai.view_datasource"),
        "replay": user.has_perm("ai.replay_run"),
    }
    events = FeedbackEvent.objects.of(row.pk)[:MOST_EVENTS]
    return {
        **_conversation(request, row, may, at=at),
        "facts": _facts(row, at=at),
        "may": may,
        "me": actors.name_of(user),
        "suggested": rules.suggestions(row),
        "asked": _asked(user, row),
        "fix": fixes.fix_of(row),
        "macros": rules.macros(),
        "duplicates": steps.duplicates(row),
        "people": steps.people(tenant_id=row.tenant_id) if user.has_perm("ai.change_feedback") else [],
        "snoozes": SNOOZES,
        "levels": [(value, label) for value, label in Severity.choices if value],
        "events": _history(events, at=at),
    }


def _asked(user: Any, row: Feedback) -> Json:
    """What is said of the model that suggests labels; nothing where none does."""
    alias = conf.current().feedback_model
    if not alias:
        return {}
    said = row.suggestions if isinstance(row.suggestions, dict) else {}
    return {
        "model": alias,
        "may": user.has_perm("ai.suggest_feedback") and user.has_perm("ai.change_feedback"),
        "is_waiting": row.suggest_at is not None,
        "error": str(said.get("error") or ""),
        "by": str(said.get("model") or ""),
        "found_none": "labels" in said and not said["labels"],
    }


def _conversation(request: HttpRequest, row: Feedback, may: Json, *, at: datetime) -> Json:
    """The messages around the one that the feedback is about, for those who may read them."""
    user: Any = request.user
    thread = ChatThread.objects.filter(pk=row.thread_id).first()
    if thread is None or not (may["messages"] or user.has_perm("ai.view_chatthread")):
        return {"thread": None}
    audit.seen(thread, by=user, at=at)
    try:
        page = transcripts.page(thread=thread, around=row.message_id, limit=AROUND)
    except NotFound:
        return {"thread": thread}
    turn = next((turn for turn in page.turns if turn.id == row.message_id), None)
    run = turn.run if turn and may["runs"] else None
    return {
        "thread": thread,
        "page": page,
        "turns": page.turns,
        "full": "",
        "replays": [_replay(each, row, page) for each in turn.replays] if turn and may["runs"] else [],
        "replay_url": badges.url("ai_chatthread_replay", thread.pk, run=run.pk) if run and may["replay"] else "",
    }


def _replay(run: Any, row: Feedback, page: Any) -> Json:
    """A replay of the answer, and whether it can be said to have fixed the feedback."""
    place = next((each.sequence for each in page.messages if each.pk == row.message_id), 0)
    is_about = (run.replay_from or 0) <= place <= (run.replay_to or 0)
    return {"run": run, "is_fix": run.pk == row.fixed_by, "may_fix": is_about and run.status in fixes.ANSWERED}


def _history(events: Any, *, at: datetime) -> list[Json]:
    """Who did what, the latest first. The latest change that stands can be taken back."""
    found, may_undo = [], True
    for event in events:
        is_change = event.kind == EventKind.CHANGE
        stands = is_change and event.undone_at is None
        can_undo = stands and may_undo and event.at > at - UNDO
        found.append({"event": event, "is_change": is_change, "words": _words(event), "can_undo": can_undo})
        may_undo = may_undo and not stands
    return found


def _words(event: FeedbackEvent) -> list[str]:
    return [f"{name.replace('_', ' ').capitalize()}: {_value(name, value)}" for name, value in event.after.items()]


def _value(name: str, value: Any) -> str:
    if value in (None, "", []):
        return "none"
    if name == "state":
        return str(dict(FeedbackState.choices).get(value, value))
    if name == "fixed_by":
        return "a replay"
    if name == "severity":
        return str(dict(Severity.choices).get(value, value))
    if name == "labels":
        return ", ".join(value)
    if name in ("due_at", "snoozed_until"):
        return f"{timezone.localtime(datetime.fromisoformat(value)):%-d %b %H:%M}"
    return rendering.visible(str(value))
