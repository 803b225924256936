"""The door through which an open page says that somebody is there, and hears who else is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from ai.exceptions import Forbidden, NotFound, RateLimited
from ai.services import presence, rendering


def url(route: str, kind: str) -> tuple[str, str, Callable[..., HttpResponse]]:
    """(route, name, view) of the door of one kind of object, for a page's `extra_urls`."""

    def view(request: HttpRequest, object_id: UUID) -> HttpResponse:
        return _door(request, str(kind), object_id)

    return route, "here", view


def _door(request: HttpRequest, kind: str, object_id: UUID) -> HttpResponse:
    if not request.user.has_perm(presence.KINDS[kind][1]):
        raise PermissionDenied
    if request.method != "POST":
        raise Http404("Nothing can be read there.")
    try:
        return _answer(request, kind, object_id)
    except Forbidden as error:
        raise PermissionDenied(error.message) from error
    except NotFound as error:
        raise Http404(error.message) from error
    except RateLimited as error:
        headers = {"Retry-After": str(int(error.retry_after))}
        return JsonResponse({"error": error.message}, status=error.status, headers=headers)


def _answer(request: HttpRequest, kind: str, object_id: UUID) -> HttpResponse:
    at, by = timezone.now(), request.user
    if request.POST.get("leave"):
        presence.leave(kind=kind, object_id=object_id, by=by, at=at)
        return HttpResponse(status=204)
    there = presence.beat(kind=kind, object_id=object_id, by=by, at=at)
    return JsonResponse({"others": [_told(each) for each in there]}, headers={"Cache-Control": "no-store"})


def _told(each: presence.There) -> dict[str, Any]:
    name = rendering.visible(each.name)
    since = timezone.localtime(each.since)
    return {"name": name, "initials": _initials(each.name), "since": since.isoformat(), "clock": f"{since:%H:%M}"}


def _initials(name: str) -> str:
    """“AB” for “Ana Blum”, “AN” for “ana”."""
    words = [word for word in rendering.visible(name).split() if word[0].isalnum()]
    letters = "".join(word[0] for word in words[:2]) if len(words) > 1 else "".join(words)[:2]
    return letters.upper() or "?"
