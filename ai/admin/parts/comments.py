"""Comments beside a transcript: the numbers, the panel of one message, what its buttons do, and whom a text can mention."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from ai import ids
from ai.exceptions import AIError, Forbidden, InvalidInput, NotFound
from ai.models import ChatThread, Message
from ai.services.comments import mentions, reading, settling, writing

Json = dict[str, Any]
OpenThread = Callable[[Any, HttpRequest, str], ChatThread]
ShowThread = Callable[..., HttpResponse]
Urls = list[tuple[str, str, Callable[..., HttpResponse]]]

#: A page of a transcript has fewer messages.
MOST_ROWS = 500

#: How the script says that it puts the panel in place itself.
SCRIPT = "comments"
SAID = {
    "add": "Your comment is kept.",
    "reply": "Your reply is kept.",
    "edit": "Changed.",
    "delete": "Deleted.",
    "resolve": "Resolved.",
    "reopen": "Opened again.",
    "undo": "Taken back.",
}
#: What is done with words.
WRITTEN = ("add", "reply", "edit")
NEW = "k-text"


@dataclass(frozen=True)
class Refused:
    """Words that were not kept, and why. `text` is None where the page that gets the answer has them itself."""

    message: Message
    problem: str
    verb: str
    comment: str = ""
    text: str | None = None
    quote: str = ""
    start: str = ""

    def fault(self, shown: Sequence[reading.Shown]) -> Json:
        """The field with the words and what is wrong with them: their own field, or the one for a new comment."""
        wanted = f"k-{self.verb}-{self.comment}"
        field = wanted if wanted in _fields(shown) else NEW
        return {"field": field, "problem": self.problem, "text": self.text}


def _fields(shown: Sequence[reading.Shown]) -> Iterator[str]:
    """The fields of the forms that reply to comments and edit them, as `comments.html` shows them."""
    for each in shown:
        if not each.row.deleted_at and not each.row.resolved_at:
            yield f"k-reply-{each.row.pk}"
        yield from (f"k-edit-{one.row.pk}" for one in [each, *each.replies] if one.is_own and not one.row.deleted_at)


def may_read(user: Any) -> bool:
    """Comments are for those who read messages."""
    return bool(user.has_perm("ai.view_message") or may_write(user))


def may_write(user: Any) -> bool:
    """`ai.comment_message`."""
    return bool(user.has_perm(writing.MAY))


def urls(admin: Any, open_thread: OpenThread, show_thread: ShowThread) -> Urls:
    """The panel of one message, its buttons, and the people who can be mentioned."""

    def door(show: Callable[[HttpRequest, ChatThread], HttpResponse]) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            return show(request, open_thread(admin, request, object_id))

        return view

    def act(request: HttpRequest, object_id: str) -> HttpResponse:
        found = _act(request, open_thread(admin, request, object_id))
        return show_thread(admin, request, object_id, refused=found) if isinstance(found, Refused) else found

    return [
        ("<path:object_id>/comments/", "comments", door(_show)),
        ("<path:object_id>/comments/act/", "comments_act", act),
        ("<path:object_id>/people/", "people", door(_people)),
        ("<path:object_id>/quotes/", "quotes", door(_quotes)),
    ]


def _show(request: HttpRequest, thread: ChatThread) -> HttpResponse:
    """The panel of `?message=`; without the script, the transcript with it."""
    if not may_read(request.user):
        raise PermissionDenied
    message = _message(thread, request.GET.get("message", ""))
    return _panel(request, thread, message) if _is_script(request) else HttpResponseRedirect(_back(thread, message.pk))


def _people(request: HttpRequest, thread: ChatThread) -> HttpResponse:
    """Who can be mentioned and is called so, as JSON."""
    if not (may_write(request.user) or request.user.has_perm("ai.change_feedback")):
        raise PermissionDenied
    found = mentions.offered(request.GET.get("q", "")[:150], tenant_id=thread.tenant_id)
    return JsonResponse({"people": found}, headers={"Cache-Control": "no-store"})


def _quotes(request: HttpRequest, thread: ChatThread) -> HttpResponse:
    """Which words of the messages `?from=` to `?to=` are commented on, as JSON."""
    if not may_read(request.user):
        raise PermissionDenied
    first, last = (_number(request.GET.get(name, "")) for name in ("from", "to"))
    page = Message.objects.list_thread_messages(thread.pk).filter(sequence__range=(first, min(last, first + MOST_ROWS)))
    found = reading.quotes(page.values_list("pk", flat=True))
    return JsonResponse({"quotes": found}, headers={"Cache-Control": "no-store"})


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def of_page(request: HttpRequest, page: Any, refused: Refused | None = None) -> Json:
    """What a page of the transcript shows: the numbers, and the panel of `?comments=`, or of what was refused."""
    counts = counts_of(page)
    found: Json = {"comments": counts, "has_comments": any(counts.values())}
    wanted = str(refused.message.pk) if refused else request.GET.get("comments", "")
    if not wanted or not may_read(request.user):
        return found
    message = next((row for row in page.messages if str(row.pk) == wanted), None)
    return {**found, "panel": _context(request, message, refused)} if message is not None else found


def counts_of(page: Any) -> dict[UUID, int]:
    """The numbers beside the messages of a page that was read with its comments."""
    return {row.pk: getattr(row, "comments", 0) for row in page.messages}


def _context(request: HttpRequest, message: Message, refused: Refused | None = None, **more: Any) -> Json:
    shown = reading.panel(message, by=request.user, at=timezone.now())
    is_open = [each.row for each in shown if not each.row.resolved_at and not each.row.deleted_at]
    replies = [
        reply.row for each in shown if not each.row.resolved_at for reply in each.replies if not reply.row.deleted_at
    ]
    found = {"message": message, "comments": shown, "count": len(is_open) + len(replies), **more}
    return {**found, "refused": refused, "fault": refused.fault(shown)} if refused else found


def _panel(
    request: HttpRequest, thread: ChatThread, message: Message, refused: Refused | None = None, **more: Any
) -> HttpResponse:
    """The panel alone, for the script."""
    context = {
        "thread": thread,
        "panel": _context(request, message, refused, **more),
        "may": {"comments": True, "comment": may_write(request.user)},
    }
    headers = {"Cache-Control": "no-store"}
    return TemplateResponse(request, "admin/ai/chatthread/comments.html", context, headers=headers)


def _act(request: HttpRequest, thread: ChatThread) -> HttpResponse | Refused:
    """Do what the button says, and show the panel again; without the script, words that were refused come back as they are."""
    if not may_write(request.user):
        raise PermissionDenied
    if request.method != "POST":
        raise Http404("This address takes forms only.")
    said = request.POST
    verb, message = said.get("do", ""), _message(thread, said.get("message", ""))
    problem = _do(request, thread, message, verb)
    refused = _refused(request, message, verb, problem) if problem and verb in WRITTEN else None
    if _is_script(request):
        words = {"said": "" if problem else SAID[verb], "problem": "" if refused else problem}
        return _panel(request, thread, message, refused, **words)
    if refused:
        return refused
    if problem:
        messages.error(request, problem)
    else:
        messages.success(request, SAID[verb])
    return HttpResponseRedirect(_back(thread, message.pk))


def _refused(request: HttpRequest, message: Message, verb: str, problem: str) -> Refused:
    given = {name: request.POST.get(name, "") for name in ("comment", "text", "quote", "start")}
    if _is_script(request) and verb != "add":  # the script has the words, and puts them where they belong
        given.pop("text")
    return Refused(message, problem, verb, **given)


def _do(request: HttpRequest, thread: ChatThread, message: Message, verb: str) -> str:
    """Why it was not done; empty when it was.

    Raises:
        PermissionDenied, Http404.
    """
    try:
        if verb not in VERBS:
            raise InvalidInput("There is no such button.")
        VERBS[verb](request, thread, message)
    except Forbidden as error:
        raise PermissionDenied(error.message) from error
    except NotFound as error:
        raise Http404(error.message) from error
    except AIError as error:
        return error.message
    return ""


def _add(request: HttpRequest, thread: ChatThread, message: Message) -> None:
    said = request.POST
    writing.add(
        thread_id=thread.pk, message_id=message.pk, text=said.get("text", ""), quote=said.get("quote", ""),
        start=_number(said.get("start", "")),
        by=request.user, at=timezone.now(),
    )  # fmt: skip


def _reply(request: HttpRequest, thread: ChatThread, message: Message) -> None:
    key, text = _comment(request, message), request.POST.get("text", "")
    writing.reply(comment_id=key, text=text, by=request.user, at=timezone.now())


def _edit(request: HttpRequest, thread: ChatThread, message: Message) -> None:
    version = request.POST.get("version", "")
    seen = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None
    key, text = _comment(request, message), request.POST.get("text", "")
    writing.edit(comment_id=key, text=text, by=request.user, at=timezone.now(), seen=seen)


def _delete(request: HttpRequest, thread: ChatThread, message: Message) -> None:
    settling.delete(comment_id=_comment(request, message), by=request.user, at=timezone.now())


def _resolve(request: HttpRequest, thread: ChatThread, message: Message) -> None:
    is_resolved = request.POST.get("do") == "resolve"
    key = _comment(request, message)
    settling.resolve(comment_id=key, is_resolved=is_resolved, by=request.user, at=timezone.now())


def _undo(request: HttpRequest, thread: ChatThread, message: Message) -> None:
    settling.undo(event_id=ids.parse(request.POST.get("event", "")), by=request.user, at=timezone.now())


VERBS: dict[str, Callable[[HttpRequest, ChatThread, Message], None]] = {
    "add": _add,
    "reply": _reply,
    "edit": _edit,
    "delete": _delete,
    "resolve": _resolve,
    "reopen": _resolve,
    "undo": _undo,
}


def _comment(request: HttpRequest, message: Message) -> UUID:
    """The comment that the button belongs to, which is on this message.

    Raises:
        NotFound.
    """
    row = writing.one(ids.parse(request.POST.get("comment", "")))
    if row.message_id != message.pk:
        raise NotFound
    key: UUID = row.pk
    return key


def _message(thread: ChatThread, text: str) -> Message:
    """The message of the thread that an address or a form names.

    Raises:
        Http404.
    """
    try:
        message = Message.objects.get_message(ids.parse(text))
    except NotFound as error:
        raise Http404(error.message) from error
    if message.thread_id != str(thread.pk):
        raise Http404("This thread has no such message.")
    return message


def _is_script(request: HttpRequest) -> bool:
    return request.headers.get("X-Requested-With") == SCRIPT


def _back(thread: ChatThread, message_id: UUID) -> str:
    query = {"message": message_id, "comments": message_id}
    return f"{reverse('admin:ai_chatthread_change', args=[thread.pk], query=query)}#k-panel"
