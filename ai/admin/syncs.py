"""Threads and their remote sides: the doors to the pages that ask before a sync, before a move, and what to bring in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse

from ai.admin.parts.doors import Door, doors
from ai.admin.parts.lists import Button
from ai.services.selections import APPEARANCE

PAGES = "ai.admin.parts.sync_pages"
LIST = "admin:ai_chatthread_changelist"
MOST_TICKED = 100


def thread_urls(admin: Any) -> list[Door]:
    """The three pages. `admin` is the `ThreadAdmin`."""
    return doors(
        PAGES, admin, ("sync/", "sync", "sync"), ("move/", "move", "move"), ("bring-in/", "bring_in", "bring_in")
    )


def may_sync(request: HttpRequest) -> bool:
    """`ai.sync_chatthread`."""
    user: Any = request.user
    return bool(user.has_perm("ai.sync_chatthread"))


def url(name: str, thread_ids: Iterable[Any]) -> str:
    """The page that asks, for these threads."""
    chosen = ",".join(UUID(str(key)).hex for key in list(thread_ids)[:MOST_TICKED])
    return reverse(f"admin:ai_chatthread_{name}", query={"ids": chosen})


def buttons(admin: Any, request: HttpRequest, changelist: Any) -> list[Button]:
    """The ways to a sync of all that the list shows, and to bringing conversations in."""
    if not may_sync(request):
        return []
    found = []
    if changelist.result_list:
        query = {name: value for name, value in request.GET.items() if name not in APPEARANCE - {"q"}}
        words = "Sync these results…" if query else "Sync all…"
        found.append(Button(words, reverse("admin:ai_chatthread_sync", query=query or None), "sync"))
    if admin.may(request, "add"):
        found.append(Button("Bring in…", reverse("admin:ai_chatthread_bring_in"), "cloud_download"))
    return found
