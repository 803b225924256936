"""The page on which one item is reviewed: the conversation, and beside it what is asked."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils import timezone

from ai.admin.parts import badges, comparisons, review_forms, review_leading
from ai.admin.parts.base import BARE
from ai.exceptions import AIError, Conflict, Forbidden, InvalidInput, NotFound
from ai.models import ChatThread, Message, ReviewItem, ReviewQueue
from ai.models.reviews import ReviewUnit
from ai.services import actors, audit, transcripts
from ai.services.reviews import figures, queues, reviewing, undoing
from ai.services.reviews.reviewing import Task

Views = list[tuple[str, str, Callable[..., HttpResponse]]]

#: What a reviewer may do on the transcript beside the rubric: nothing but read.
READ_ONLY: dict[str, bool] = {"runs": False, "rate": False, "feedback": False, "files": True, "messages": False}


def urls(admin: Any) -> Views:
    """The doors of a review."""

    def door(view: Callable[..., HttpResponse], *, posts: bool = True) -> Callable[..., HttpResponse]:
        def opened(request: HttpRequest, object_id: UUID) -> HttpResponse:
            if not admin.may(request, "review"):
                raise PermissionDenied
            if posts and request.method != "POST":
                raise Http404("Nothing can be read there.")
            try:
                return view(admin, request, object_id)
            except Forbidden as error:
                raise PermissionDenied(error.message) from error
            except NotFound as error:
                raise Http404(error.message) from error

        return opened

    return [
        ("<uuid:object_id>/next/", "next", door(_next)),
        ("<uuid:object_id>/undo/", "undo", door(_undo)),
        ("review/<uuid:object_id>/", "review", door(_show, posts=False)),
        ("review/<uuid:object_id>/submit/", "submit", door(_submit)),
        ("review/<uuid:object_id>/draft/", "draft", door(_draft)),
        ("review/<uuid:object_id>/pass/", "pass", door(_pass)),
        ("review/<uuid:object_id>/back/", "back", door(_back)),
    ]


def _next(admin: Any, request: HttpRequest, queue_id: UUID) -> HttpResponse:
    return _go_on(admin, request, queue_id)


def _go_on(admin: Any, request: HttpRequest, queue_id: UUID) -> HttpResponse:
    """To the next item, or to the queue where there is none."""
    try:
        task = reviewing.next_task(queue_id=queue_id, by=request.user, at=timezone.now())
    except Conflict as error:
        messages.info(request, error.message)
        return _to_queue(request, _queue_url(queue_id))
    if task is None:
        messages.success(request, "Nothing is left for you in this queue. Thank you.")
        return _to_queue(request, _queue_url(queue_id))
    return _to_task(admin, request, task.slot.pk)


def _is_scripted(request: HttpRequest) -> bool:
    """Whether the page's script asks: it puts the middle in place, and a frame around it would be made for nothing."""
    return request.headers.get("X-Requested-With") == "review"


def _to_task(admin: Any, request: HttpRequest, slot_id: UUID) -> HttpResponse:
    """To the page of a review. A script gets it at once, which saves it a second request, and is told the address."""
    if not _is_scripted(request):
        return HttpResponseRedirect(_task_url(slot_id))
    response = _show(admin, request, slot_id)
    response.headers["X-Address"] = _task_url(slot_id)
    return response


def _to_queue(request: HttpRequest, url: str) -> HttpResponse:
    """Away from the items. A script is told where, since a message must wait for the page that its reader sees."""
    if _is_scripted(request):
        return JsonResponse({"go": url})
    return HttpResponseRedirect(url)


def _queue_url(queue_id: UUID) -> str:
    return reverse("admin:ai_reviewqueue_change", args=[queue_id])


def _task_url(slot_id: UUID) -> str:
    return reverse("admin:ai_reviewqueue_review", args=[slot_id])


def _show(admin: Any, request: HttpRequest, slot_id: UUID) -> HttpResponse:
    task = reviewing.task(slot_id=slot_id, by=request.user)
    values = task.slot.draft if task.slot.submitted_at is None else task.slot.answers
    return _page(admin, request, task, review_forms.fields(task.rubric, values or {}))


def _page(
    admin: Any, request: HttpRequest, task: Task, fields: list[review_forms.Field], *, status: int = 200
) -> HttpResponse:
    at = timezone.now()
    progress = figures.progress(queue_id=task.queue.pk, at=at)
    context = {
        **_material(task.queue, task.item),
        "task": task,
        "fields": fields,
        "is_answered": task.slot.submitted_at is not None,
        "progress": progress,
        "bar": badges.progress(progress.percent),
        "pace": figures.last_hour(queue_id=task.queue.pk, reviewer=actors.id_of(request.user), at=at),
        "others": _others(request, task) if task.slot.submitted_at else [],
        "may": READ_ONLY,
        "can_undo": review_leading.can_undo(request, task.queue),
        **({"frame": BARE} if _is_scripted(request) else {}),
    }
    if status == HTTPStatus.OK:
        audit.seen(context["thread"], by=request.user, at=at)
    response: HttpResponse = admin.page(request, "admin/ai/reviewqueue/task.html", task.queue.name, **context)
    response.status_code = status
    return response


def _others(request: HttpRequest, task: Task) -> list[Any]:
    """What others answered, which whoever has answered may see."""
    found = reviewing.answers_for(item_id=task.item.pk, by=request.user)
    return [
        {"slot": slot, "fields": review_forms.fields(task.rubric, slot.answers or {})}
        for slot in found
        if slot.pk != task.slot.pk
    ]


def _material(queue: ReviewQueue, item: ReviewItem) -> dict[str, Any]:
    """What the item is about: a page of the transcript, or a replay beside its original.

    Raises:
        NotFound: it was deleted.
    """
    thread = ChatThread.objects.get_thread(item.thread_id)
    found: dict[str, Any] = {"thread": thread, "item": item, "queue": queue}
    if queue.unit == ReviewUnit.REPLAY:
        question, answers = comparisons.pair(item.object_id)
        return {**found, "question": question, "answers": answers}
    around = item.object_id if queue.unit == ReviewUnit.MESSAGE else None
    if queue.unit == ReviewUnit.RUN:
        rows = Message.objects.list_thread_messages(thread.pk).filter(run_id=str(item.object_id))
        around = rows.values_list("pk", flat=True).first()
    page = transcripts.page(thread=thread, around=around)
    return {**found, "page": page, "turns": page.turns, "full": ""}


def material(queue: ReviewQueue, item: ReviewItem) -> dict[str, Any]:
    """What the item is about, for another page that shows it."""
    return {**_material(queue, item), "may": READ_ONLY}


def _submit(admin: Any, request: HttpRequest, slot_id: UUID) -> HttpResponse:
    task = reviewing.task(slot_id=slot_id, by=request.user)
    given = review_forms.posted(task.rubric, request.POST)
    try:
        reviewing.submit(slot_id=slot_id, answers=given, by=request.user, at=timezone.now())
    except InvalidInput as error:
        fields = review_forms.fields(task.rubric, given, wrong=error.param or "", error=error.message)
        return _page(admin, request, task, fields, status=400)
    except Conflict as error:
        messages.error(request, error.message)
        return _to_queue(request, _queue_url(task.queue.pk))
    return _go_on(admin, request, task.queue.pk)


def _draft(admin: Any, request: HttpRequest, slot_id: UUID) -> HttpResponse:
    task = reviewing.task(slot_id=slot_id, by=request.user)
    try:
        until = reviewing.keep_draft(
            slot_id=slot_id,
            answers=review_forms.posted(task.rubric, request.POST),
            by=request.user,
            at=timezone.now(),
        )
    except AIError as error:
        if isinstance(error, Forbidden | NotFound):
            raise
        return JsonResponse({"error": error.message}, status=error.status)
    return JsonResponse({"until": until.isoformat()})


def _pass(admin: Any, request: HttpRequest, slot_id: UUID) -> HttpResponse:
    task = reviewing.task(slot_id=slot_id, by=request.user)
    reason = request.POST.get("reason", "")
    try:
        reviewing.pass_over(slot_id=slot_id, by=request.user, at=timezone.now(), reason=reason)
    except Conflict as error:
        messages.error(request, error.message)
        return _to_queue(request, _queue_url(task.queue.pk))
    return _go_on(admin, request, task.queue.pk)


def _back(admin: Any, request: HttpRequest, slot_id: UUID) -> HttpResponse:
    task = reviewing.task(slot_id=slot_id, by=request.user)
    try:
        reviewing.put_back(slot_id=slot_id, by=request.user, at=timezone.now())
    except Conflict as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "The item is back in the queue.")
    return _to_queue(request, _queue_url(task.queue.pk))


def _undo(admin: Any, request: HttpRequest, queue_id: UUID) -> HttpResponse:
    """Take back what this reviewer did last: an answer, a skip, or putting back."""
    queue = queues.get(queue_id)
    try:
        done = undoing.undo_last(queue_id=queue.pk, by=request.user, at=timezone.now())
    except AIError as error:
        if isinstance(error, Forbidden):
            raise
        messages.error(request, error.message)
        return _to_queue(request, _queue_url(queue_id))
    if done.slot_id is None:
        messages.success(request, done.words)
        return _to_queue(request, _queue_url(queue_id))
    return _to_task(admin, request, done.slot_id)
