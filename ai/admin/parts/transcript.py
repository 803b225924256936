"""The thread's page: its transcript, the dialog that renames it, feedback at a message, and the raw JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from ai import ids
from ai.admin.parts import comments, facts, live_thread, remote_side, tools
from ai.admin.parts.base import answer, sees_several_tenants
from ai.admin.parts.lists import BoundedChangeList
from ai.exceptions import NotFound
from ai.models import ChatThread, Message
from ai.services import actors, audit, feedback, rendering, threads, transcripts

#: What of a thread's data the page shows in words, or its messages show as files.
SHOWN_DATA = ("metadata", "tool_resources", "tagged", "document_ids", "document_meta", "former_external_ids")


class ThreadList(BoundedChangeList):
    """A list whose rows lead to the message that a search found."""

    def url_for_result(self, result: Any) -> str:
        """The transcript, at the message."""
        found = getattr(result, "found_message", None)
        return message_url(result.pk, found) if found else thread_url(result.pk)


def thread_url(thread_id: Any, **query: Any) -> str:
    """The transcript."""
    return reverse("admin:ai_chatthread_change", args=[thread_id], query=query or None)


def message_url(thread_id: Any, message_id: Any) -> str:
    """The transcript at a message."""
    return f"{thread_url(thread_id, message=message_id)}#m-{message_id}"


def urls(admin: Any) -> list[tuple[str, str, Callable[..., HttpResponse]]]:
    """The doors beside the page itself."""
    doors = {"edit": edit, "lock": lock, "feedback": give_feedback, "raw": raw, "live": live}

    def door(act: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            return act(admin, request, object_id)

        return view

    own = [(f"<path:object_id>/{name}/", name, door(act)) for name, act in doors.items()]
    return [*own, *comments.urls(admin, open_thread, show)]


def key_of(text: str) -> UUID:
    """The UUID in an address.

    Raises:
        Http404: it is none.
    """
    try:
        return ids.parse(text)
    except NotFound as error:
        raise Http404(error.message) from error


def open_thread(admin: Any, request: HttpRequest, object_id: str) -> ChatThread:
    """The thread, for somebody who may see it.

    Raises:
        PermissionDenied, Http404.
    """
    if not admin.has_view_permission(request):
        raise PermissionDenied
    try:
        return threads.read(thread_id=key_of(object_id))
    except NotFound as error:
        raise Http404(error.message) from error


def show(admin: Any, request: HttpRequest, object_id: str, *, refused: comments.Refused | None = None) -> HttpResponse:
    """The page around `?message=`, after `?after=`, before `?before=`, or the beginning; with a comment that was refused."""
    thread = open_thread(admin, request, object_id)
    message = str(refused.message.pk) if refused else request.GET.get("message")
    try:
        page = transcripts.page(
            thread=thread,
            around=key_of(message) if message else None,
            before=_number(request, "before"),
            after=_number(request, "after"),
            with_comments=comments.may_read(request.user),
        )
    except NotFound as error:
        raise Http404(error.message) from error
    context = {
        "page": page,
        "full": request.GET.get("full", ""),
        "here": request.get_full_path(),
        "list_url": admin.get_preserved_filters(request) and _list_url(request),
        "metadata": facts.pairs(_kept(thread, "metadata")),
        "remote": remote_side.facts(request, thread),
        "resources": tools.links(_kept(thread, "tool_resources"), tenant_id=thread.tenant_id),
        "more_data": {name: value for name, value in (thread.data or {}).items() if name not in SHOWN_DATA},
        **_context(admin, request, thread),
        **live_thread.of_page(thread, page),
        **comments.of_page(request, page, refused),
    }
    title = rendering.visible(thread.name or "Untitled")
    audit.seen(thread, by=request.user, at=timezone.now())
    response: HttpResponse = admin.page(request, "admin/ai/chatthread/transcript.html", title, **context)
    response.status_code = 400 if refused else 200
    return response


def _context(admin: Any, request: HttpRequest, thread: ChatThread) -> dict[str, Any]:
    """What every part of a transcript asks for: the thread, and what the reader may do."""
    user: Any = request.user
    return {
        "thread": thread,
        "shows_tenant": sees_several_tenants(request),
        "reader": actors.name_of(user),
        "may": {
            "edit": admin.has_change_permission(request),
            "delete": admin.has_delete_permission(request),
            "replay": admin.has_replay_permission(request),
            "retitle": admin.has_retitle_permission(request),
            "export": admin.has_export_permission(request),
            "rate": user.has_perm("ai.add_feedback"),
            "feedback": user.has_perm("ai.view_feedback") or user.has_perm("ai.add_feedback"),
            "runs": user.has_perm("ai.view_run"),
            "cancel": user.has_perm("ai.view_run") and user.has_perm("ai.cancel_run"),
            "files": user.has_perm("ai.view_datasource"),
            "messages": user.has_perm("ai.view_message"),
            "comments": comments.may_read(user),
            "comment": comments.may_write(user),
        },
    }


def _kept(thread: ChatThread, name: str) -> Any:
    """What clients of the API keep with a thread under this name."""
    return thread.data.get(name) if isinstance(thread.data, dict) else None


def live(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """The end of the transcript, for a page that follows a run."""
    thread = open_thread(admin, request, object_id)
    return live_thread.answer(admin, request, thread, _context(admin, request, thread))


def _list_url(request: HttpRequest) -> str:
    """The list as it was when the reader came from it."""
    return f"{reverse('admin:ai_chatthread_changelist')}?{request.GET.get('_changelist_filters', '')}"


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return min(int(text), 2**31 - 1) if text.isascii() and text.isdigit() else None


def _only_post(request: HttpRequest) -> None:
    if request.method != "POST":
        raise Http404("This address takes forms only.")


def edit(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Save the dialog with title and tags."""
    _only_post(request)
    key = key_of(object_id)
    back = thread_url(key)

    def act() -> tuple[str, str]:
        tags = request.POST.get("tags", "").split(",")
        name = request.POST.get("name", "")
        threads.edit(thread_id=key, name=name, tags=tags, by=request.user, at=timezone.now())
        return "Saved.", back

    return answer(request, back, act)


def lock(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Lock the title, or unlock it."""
    _only_post(request)
    key = key_of(object_id)
    locked = request.POST.get("locked") == "yes"

    def act() -> tuple[str, str]:
        threads.lock_title(thread_id=key, locked=locked, by=request.user, at=timezone.now())
        told = "The title is locked: it stays as it is." if locked else "The title may be changed by rules and models."
        return told, thread_url(key)

    return answer(request, thread_url(key), act)


def give_feedback(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Save a thumb and a comment on a message."""
    _only_post(request)
    thread = open_thread(admin, request, object_id)
    key = key_of(request.POST.get("message", ""))
    back = message_url(thread.pk, key)

    def act() -> tuple[str, str]:
        message = Message.objects.get_message(key)
        if message.thread_id != str(thread.pk):
            raise NotFound
        rating, comment = request.POST.get("rating", ""), request.POST.get("comment", "")
        feedback.give(message_id=key, rating=rating, comment=comment, by=request.user, at=timezone.now())
        return "Thank you: your feedback is saved.", back

    return answer(request, back, act)


def raw(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """One page of the thread's JSON, as it is stored."""
    thread = open_thread(admin, request, object_id)
    page = transcripts.page(thread=thread, before=_number(request, "before"), after=_number(request, "after"))
    context = {
        "thread": thread,
        "page": page,
        "thread_json": json.dumps(thread.to_json(), ensure_ascii=False, indent=2, default=str),
        "messages_json": [(row, json.dumps(row.to_json(), ensure_ascii=False, indent=2)) for row in page.messages],
    }
    title = rendering.visible(thread.name or "Untitled")
    response: HttpResponse = admin.page(request, "admin/ai/chatthread/raw.html", f"JSON of {title}", **context)
    return response
