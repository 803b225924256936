"""The page on which a person chooses the keys of the pages that have some."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from ai.exceptions import InvalidInput
from ai.services import keys

#: Which permission opens a page that has keys; who has none of them has no use for any.
NEEDED = {
    "inbox": "ai.view_feedback",
    "review": "ai.review_reviewqueue",
    "thread": "ai.view_chatthread",
    "compare": "ai.view_run",
    "decide": "ai.adjudicate_reviewqueue",
}


def urls(admin: Any) -> list[tuple[str, str, Callable[..., HttpResponse]]]:
    """The page."""

    def view(request: HttpRequest) -> HttpResponse:
        if not pages(request):
            raise PermissionDenied
        return _save(admin, request) if request.method == "POST" else _show(admin, request)

    return [("keyboard/", "keyboard", view)]


def pages(request: HttpRequest) -> list[keys.Page]:
    """The pages with keys that this person may open."""
    user: Any = request.user
    return [page for name, page in keys.PAGES.items() if user.is_active and user.has_perm(NEEDED[name])]


def links(request: HttpRequest) -> list[dict[str, str]]:
    """What the account's menu leads to: the password as it always did, and the keys for those who have some."""
    user: Any = request.user
    found: list[dict[str, str]] = []
    if not user.is_authenticated:
        return found
    if pages(request):
        found.append({"title": "Keyboard", "link": reverse("admin:ai_chatthread_keyboard")})
    if user.has_usable_password():
        found.append({"title": "Change password", "link": reverse("admin:password_change")})
    return found


def _save(admin: Any, request: HttpRequest) -> HttpResponse:
    if request.POST.get("do") == "reset":
        keys.reset(by=request.user)
        messages.success(request, "The keys are as they come.")
        return HttpResponseRedirect(request.path)
    given = {name: str(value) for name, value in request.POST.items() if "." in name}
    others = _elsewhere(request)
    try:
        keys.keep({**others, **given}, by=request.user)
    except InvalidInput as error:
        return _show(admin, request, given=given, wrong=error)
    messages.success(request, "Your keys are kept.")
    return HttpResponseRedirect(request.path)


def _elsewhere(request: HttpRequest) -> dict[str, str]:
    """The keys of pages that are not shown to this person, as they are."""
    shown = {page.name for page in pages(request)}
    every = keys.every(by=request.user).items()
    return {f"{page}.{name}": key for page, found in every if page not in shown for name, key in found.items()}


def _show(
    admin: Any, request: HttpRequest, *, given: Mapping[str, str] | None = None, wrong: InvalidInput | None = None
) -> HttpResponse:
    now = keys.every(by=request.user)
    shown = [_page(page, now[page.name], given or {}, wrong) for page in pages(request)]
    context: dict[str, Any] = {
        "opts": None,
        "pages": shown,
        "error": wrong.message if wrong else "",
        "reserved": sorted(keys.OF_THE_CONSOLE),
    }
    response: HttpResponse = admin.page(request, "admin/ai/keyboard.html", "Keyboard", **context)
    response.status_code = 400 if wrong else 200
    return response


def _page(
    page: keys.Page, now: Mapping[str, str], given: Mapping[str, str], wrong: InvalidInput | None
) -> dict[str, Any]:
    rows = [
        {
            "name": f"{page.name}.{action.name}",
            "words": action.words,
            "key": given.get(f"{page.name}.{action.name}", now[action.name]),
            "default": action.key,
            "is_wrong": wrong is not None and wrong.param == f"{page.name}.{action.name}",
        }
        for action in page.actions
    ]
    return {"name": page.name, "title": page.title, "rows": rows, "fixed": keys.fixed(page.name)}
