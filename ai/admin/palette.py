"""The palette (Ctrl+K): pages of the console, and threads by title and id."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.dataclasses import SearchResult

from ai.admin.parts.transcript import thread_url
from ai.models import ChatThread
from ai.services import rendering
from ai.services.search import by_id, titles
from ai.templatetags.console import since_words

MOST = 10
TERM_CHARACTERS = 200


def view(request: HttpRequest) -> HttpResponse:
    """What the palette shows for `?s=`.

    Unfold's own view keeps results for five minutes, in which a title would outlive its thread, and a person's access to
    its tenant. This one keeps nothing.
    """
    term = request.GET.get("s", "").replace("\x00", "").strip()[:TERM_CHARACTERS]
    if not term:
        return HttpResponse()
    began = time.perf_counter()
    site: Any = admin.site
    results = [*search(request, term), *site._search_apps(site.get_app_list(request), term.lower())]
    pages = Paginator(results, 100)
    context = {
        "page_obj": pages,
        "results": pages.page(1),
        "page_counter": 0,
        "execution_time": time.perf_counter() - began,
        "command_show_history": False,
    }
    headers = {"HX-Trigger": "search", "Cache-Control": "no-store"}
    return TemplateResponse(request, "unfold/helpers/command_results.html", context, headers=headers)


def search(request: HttpRequest, search_term: str) -> list[SearchResult]:
    """At most ten threads in this person's scope, by id or by the words of the title."""
    user: Any = request.user
    if not user.has_perm("ai.view_chatthread"):
        return []
    known = by_id(search_term)
    return [_result(thread) for thread in ([known] if known else titles(search_term, most=MOST))]


def _result(thread: ChatThread) -> SearchResult:
    count = "1 message" if thread.message_count == 1 else f"{thread.message_count} messages"
    return SearchResult(
        title=rendering.visible(thread.name or "Untitled"),
        description=f"{count} · {since_words(thread.last_activity_at)}",
        link=thread_url(thread.pk),
        icon="forum",
    )
