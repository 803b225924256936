"""The pages that ask before a sync, before a move, and which conversations to bring in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from ai import ids
from ai.admin.parts.base import answer, sees_several_tenants, tenant_names
from ai.admin.syncs import LIST, MOST_TICKED, may_sync
from ai.exceptions import InvalidInput, NotFound
from ai.models import RemoteConnection
from ai.models.connections import Makes
from ai.services import connections
from ai.services.selections import Selection
from ai.services.sync import moves, requests

MOST_COUNTED = 10_000

DIRECTIONS = (
    ("both", "Both ways", "What is new on either side goes to the other."),
    ("pull", "Fetch", "The remote side is only read."),
    ("push", "Send", "Only what is new here is sent."),
)
MAKES = (
    ("", "What the connection makes", "As its page says."),
    (Makes.CONVERSATION, "A conversation", "OpenAI's Conversations: messages, tool calls and their results."),
    (
        Makes.THREAD,
        "An Assistants-style thread",
        "Another console, Azure, or a compatible server: what users and assistants said.",
    ),
)


@dataclass(frozen=True)
class Page:
    """A page that asks before something is done with a selection: what it says of it, and what queues it."""

    template: str
    title: str
    about: Callable[[HttpRequest, Selection], dict[str, Any]]
    queue: Callable[[HttpRequest, Selection, str], tuple[str, str]]


def _require(request: HttpRequest) -> None:
    if not may_sync(request):
        raise PermissionDenied


def _selection(request: HttpRequest) -> Selection:
    """What the address names: ids, or the filters of the list."""
    if "ids" in request.GET:
        keys = [ids.parse(text) for text in request.GET["ids"].split(",")[:MOST_TICKED]]
        return Selection.of_ids("threads", keys)
    return Selection.of_list("threads", request.GET)


def _asked(admin: Any, request: HttpRequest, page: Page) -> HttpResponse:
    """The page that asks; posted, what it asks for is queued."""
    _require(request)
    try:
        selection = _selection(request)
    except (InvalidInput, NotFound) as error:
        messages.error(request, error.message)
        return HttpResponseRedirect(reverse(LIST))
    if selection.ids is not None and not selection.count(most=1):
        raise Http404("None of these threads exists here; they may have been deleted, or belong to another tenant.")
    back = _back(selection)
    if request.method == "POST":
        return answer(request, request.get_full_path(), lambda: page.queue(request, selection, back))
    context = {
        "said": _said(selection),
        "connections": choices(request),
        "back": back,
        **page.about(request, selection),
    }
    response: HttpResponse = admin.page(request, page.template, page.title, **context)
    return response


def _said(selection: Selection) -> str:
    """The selection in words."""
    if selection.ids is None:
        return selection.describe()
    count = len(selection.ids)
    return "1 thread" if count == 1 else f"{count} threads"


def _back(selection: Selection) -> str:
    if selection.ids is not None and len(selection.ids) == 1:
        return reverse("admin:ai_chatthread_change", args=[selection.ids[0]])
    query = selection.query()
    return reverse(LIST) + (f"?{query}" if query else "")


def _job_url(request: HttpRequest, job: Any, back: str) -> tuple[str, str]:
    """The job's page, for those who may see jobs."""
    if request.user.has_perm("ai.view_job"):
        return "", reverse("admin:ai_job_change", args=[job.pk])
    return "It is being done in the background.", back


def _connection_of(request: HttpRequest) -> UUID | None:
    text = request.POST.get("connection", "")
    return ids.parse(text) if text else None


def choices(request: HttpRequest) -> list[tuple[str, str]]:
    """(id, words) of the connections that can be chosen, with the tenant where there are several."""
    names = tenant_names(request) if sees_several_tenants(request) else {}
    return [(str(row.pk), _words(row, names)) for row in connections.choices()]


def _words(row: RemoteConnection, names: dict[UUID, str]) -> str:
    tenant = names.get(row.tenant_id, "") if row.tenant_id else ""
    return f"{row.name} · {tenant}" if tenant else row.name


def sync(admin: Any, request: HttpRequest) -> HttpResponse:
    """Ask in which direction, and queue the sync."""
    return _asked(admin, request, Page("admin/ai/sync/ask.html", "Sync threads", _about_sync, _synced))


def _about_sync(request: HttpRequest, selection: Selection) -> dict[str, Any]:
    remote = selection.queryset().filter(external_id__isnull=False).exclude(external_id="")
    return {
        "count": int(remote.order_by().values("pk")[:MOST_COUNTED].count()),
        "directions": DIRECTIONS,
        "move_url": f"{reverse('admin:ai_chatthread_move')}?{request.GET.urlencode()}",
    }


def _synced(request: HttpRequest, selection: Selection, back: str) -> tuple[str, str]:
    at = timezone.now()
    job = requests.request(
        selection=selection.frozen(at=at),
        direction=request.POST.get("direction", ""),
        connection_id=_connection_of(request),
        whole=request.POST.get("whole") == "on",
        by=request.user,
        at=at,
    )
    return _job_url(request, job, back)


def move(admin: Any, request: HttpRequest) -> HttpResponse:
    """Ask where to, and queue the move."""
    return _asked(admin, request, Page("admin/ai/sync/move.html", "Move threads", _about_move, _moved))


def _about_move(request: HttpRequest, selection: Selection) -> dict[str, Any]:
    return {"count": selection.count(most=MOST_COUNTED), "kinds": MAKES}


def _moved(request: HttpRequest, selection: Selection, back: str) -> tuple[str, str]:
    connection_id = _connection_of(request)
    if connection_id is None:
        raise InvalidInput("Choose a connection.")
    at = timezone.now()
    job = moves.request(
        selection=selection.frozen(at=at),
        connection_id=connection_id,
        makes=request.POST.get("makes", ""),
        by=request.user,
        at=at,
    )
    return _job_url(request, job, back)


def bring_in(admin: Any, request: HttpRequest) -> HttpResponse:
    """Ask which conversations, and queue their threads."""
    _require(request)
    if not admin.may(request, "add"):
        raise PermissionDenied
    back = reverse(LIST)
    if request.method == "POST":
        return answer(request, request.get_full_path(), lambda: _brought(request, back))
    context = {"connections": choices(request), "back": back}
    response: HttpResponse = admin.page(request, "admin/ai/sync/bring_in.html", "Bring in conversations", **context)
    return response


def _brought(request: HttpRequest, back: str) -> tuple[str, str]:
    connection_id = _connection_of(request)
    if connection_id is None:
        raise InvalidInput("Choose a connection.")
    wanted = request.POST.get("external_ids", "").replace(",", " ").split()
    job = requests.bring_in(external_ids=wanted, connection_id=connection_id, by=request.user, at=timezone.now())
    return _job_url(request, job, back)
