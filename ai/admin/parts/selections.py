"""Acting on a selection of threads: a page that asks, with the selection in its address, and a form that acts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from ai import ids
from ai.admin.parts.base import answer
from ai.exceptions import NotFound
from ai.models import ChatThread
from ai.services import threads

#: A page of the list at most, twice over.
MOST = 100


@dataclass(frozen=True)
class Choice:
    """What is asked."""

    name: str
    permission: str
    heading: str
    text: str
    button: str
    is_dangerous: bool = False


DELETE = Choice(
    name="delete",
    permission="delete",
    heading="Delete {}",
    text="This deletes the threads with all of their messages, runs, replays and feedback, for everybody, and cannot be undone. "
    "Attached files stay.",
    button="Delete",
    is_dangerous=True,
)


def url(name: str, thread_ids: Iterable[Any]) -> str:
    """The page that asks, with the selection in its address so that it can be reloaded."""
    chosen = ",".join(UUID(str(key)).hex for key in list(thread_ids)[:MOST])
    return reverse(f"admin:ai_chatthread_{name}_selected", query={"ids": chosen})


def chosen(request: HttpRequest) -> list[ChatThread]:
    """The threads in the address or the form that are in scope, in the order given.

    Raises:
        Http404: there is none.
    """
    keys = []
    for text in (request.POST.get("ids") or request.GET.get("ids") or "").split(",")[:MOST]:
        try:
            keys.append(ids.parse(text))
        except NotFound:
            continue
    rows = ChatThread.objects.in_bulk(list(dict.fromkeys(keys)))
    found = [rows[key] for key in dict.fromkeys(keys) if key in rows]
    if not found:
        raise Http404("None of these threads exists here; they may have been deleted, or belong to another tenant.")
    return found


def counted(found: Sequence[Any]) -> str:
    """“1 thread”, “7 threads”."""
    return "1 thread" if len(found) == 1 else f"{len(found)} threads"


def urls(admin: Any) -> list[tuple[str, str, Callable[..., HttpResponse]]]:
    """The pages that ask."""

    def door(choice: Choice, act: Callable[..., tuple[str, str]]) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest) -> HttpResponse:
            return _ask(admin, request, choice, act)

        return view

    return [
        ("delete/", "delete_selected", door(DELETE, _delete)),
    ]


def _ask(admin: Any, request: HttpRequest, choice: Choice, act: Callable[..., tuple[str, str]]) -> HttpResponse:
    if not getattr(admin, f"has_{choice.permission}_permission")(request):
        raise PermissionDenied
    found = chosen(request)
    back = reverse("admin:ai_chatthread_changelist")
    if request.method == "POST":
        return answer(request, back, lambda: act(request, found, back))
    keys = ",".join(row.pk.hex for row in found)
    context = {"threads": found, "ids": keys, "choice": choice, "back": back}
    response: HttpResponse = admin.page(
        request, "admin/ai/chatthread/selection.html", choice.heading.format(counted(found)), **context
    )
    return response


def _delete(request: HttpRequest, found: list[ChatThread], back: str) -> tuple[str, str]:
    count = threads.delete(thread_ids=[row.pk for row in found], by=request.user, at=timezone.now())
    return ("1 thread was deleted." if count == 1 else f"{count} threads were deleted."), back
