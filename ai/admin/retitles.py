"""Titles for many threads: the button and the doors; the pages behind them are imported when somebody first asks for one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from ai.admin.parts import selections
from ai.admin.parts.doors import Door, later
from ai.admin.parts.lists import Button
from ai.services.selections import APPEARANCE

PAGES = "ai.admin.parts.retitle_pages"
PERMISSION = "ai.retitle_chatthread"


def thread_urls(admin: Any) -> list[Door]:
    """The page that asks. `admin` is the `ThreadAdmin`."""

    def view(request: HttpRequest) -> Any:
        if not admin.has_retitle_permission(request):
            raise PermissionDenied
        return later(f"{PAGES}.ask")(admin, request)

    return [("retitle/", "retitle_selected", view)]


def job_urls(admin: Any) -> list[Door]:
    """The page of a batch. `admin` is the `JobAdmin`."""

    def view(request: HttpRequest, object_id: UUID) -> Any:
        if not _may(request) or not admin.has_view_permission(request):
            raise PermissionDenied
        return later(f"{PAGES}.batch")(admin, request, object_id)

    return [("<uuid:object_id>/titles/", "titles", view)]


def ask_url(thread_ids: Iterable[Any], query: str = "") -> str:
    """The page that asks, for these threads, or, if wanted, for all that the list's address shows."""
    return f"{selections.url('retitle', thread_ids)}&{urlencode({'list': query})}"


def buttons(request: HttpRequest, changelist: Any) -> list[Button]:
    """The way to titles for all that the list shows."""
    if not _may(request) or not changelist.result_list:
        return []
    query = {name: str(value) for name, value in request.GET.items() if name not in APPEARANCE - {"q"}}
    address = reverse("admin:ai_chatthread_retitle_selected", query={"list": urlencode(query)})
    return [Button("Retitle these results…" if query else "Retitle all…", address, "title")]


def _may(request: HttpRequest) -> bool:
    user: Any = request.user
    return bool(user.has_perm(PERMISSION))
