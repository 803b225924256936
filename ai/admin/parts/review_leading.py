"""Leading a queue: who has what, assigning and freeing items, and taking back what was done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from ai import ids
from ai.admin.parts import badges, review_filling
from ai.admin.parts.base import answer
from ai.exceptions import InvalidInput, NotFound
from ai.models import ChatThread, ReviewEvent, ReviewItem, ReviewQueue, ReviewSlot
from ai.models.review_events import ReviewEventKind as Kind
from ai.models.review_items import ItemState
from ai.models.reviews import ReviewUnit
from ai.services.reviews import assigning, figures, history, queues, reviewing, undoing

#: Items on one page, and lines of what was done on a queue's page.
PER_PAGE = 50
MOST_EVENTS = 10

LISTS = {"threads": "ai_chatthread_changelist", "messages": "ai_message_changelist", "runs": "ai_run_changelist"}
TONES = {
    ItemState.OPEN: "blue",
    ItemState.AGREED: "green",
    ItemState.DISPUTED: "orange",
    ItemState.DECIDED: "green",
    ItemState.GONE: "gray",
}


def urls(admin: Any) -> list[tuple[str, str, Callable[..., HttpResponse]]]:
    """The doors of a lead, and the one for taking back."""

    def door(view: Callable[..., HttpResponse], *, leads: bool = True) -> Callable[..., HttpResponse]:
        def opened(request: HttpRequest, object_id: UUID) -> HttpResponse:
            row: ReviewQueue = admin.get_object_or_404(request, str(object_id))
            if leads and not admin.may(request, "change"):
                raise PermissionDenied
            if view is not _items and request.method != "POST":
                raise Http404("Nothing can be read there.")
            return view(admin, request, row)

        return opened

    return [
        ("<uuid:object_id>/items/", "items", door(_items)),
        ("<uuid:object_id>/assign/", "assign", door(_assign)),
        ("<uuid:object_id>/unassign/", "unassign", door(_unassign)),
        ("<uuid:object_id>/take-back/", "take_back", door(_take_back, leads=False)),
    ]


# -- On the queue's page


def source_list(row: ReviewQueue) -> dict[str, str]:
    """What the queue is filled with, and the list where it is chosen."""
    noun = queues.NOUNS[ReviewUnit(row.unit)]
    return {"noun": noun, "list_url": badges.url(LISTS[noun])}


def reviewers(row: ReviewQueue, *, at: Any) -> list[dict[str, Any]]:
    """Who has reviewed how much, and what is kept for whom."""
    paces = {pace.reviewer: pace for pace in figures.paces(queue_id=row.pk, at=at)}
    kept = assigning.held(queue_id=row.pk)
    keys = [*paces, *sorted(kept.keys() - paces.keys())]
    known = review_filling.names(keys)
    return [{"key": key, "name": known.get(key, key), "pace": paces.get(key), "kept": kept.get(key, 0)} for key in keys]


def lately(request: HttpRequest, row: ReviewQueue, *, at: Any) -> list[dict[str, Any]]:
    """What was done that this person may take back, the latest first."""
    me = str(request.user.pk)
    found = history.seen_by(queue_id=row.pk, by=request.user, at=at, most=MOST_EVENTS)
    final = reviewing.final(event.slot_id for event in found if event.kind == Kind.SUBMITTED)
    return [
        {
            "event": event,
            "who": "You" if event.by == me else event.by_name,
            "what": _words(event),
            "stays": event.kind == Kind.SUBMITTED and event.slot_id in final,
            "may_undo": event.undone_at is None and (event.kind not in history.OWN or event.by == me),
        }
        for event in found
    ]


def _words(event: ReviewEvent) -> str:
    kind = Kind(event.kind)
    if kind == Kind.MOVED:
        return f"changed the queue from {event.before.get('state')} to {event.after.get('state')}"
    if kind in (Kind.ASSIGNED, Kind.UNASSIGNED):
        count = len(event.after.get("slots", []))
        items = f"{count:,} item{'s' * (count != 1)}"
        name = event.after.get("name", "")
        return f"assigned {items} to {name}" if kind == Kind.ASSIGNED else f"freed {items} of {name}"
    number = f"#{(event.position or 0) + 1}"
    return {
        Kind.SUBMITTED: f"answered {number}",
        Kind.TAKEN_BACK: f"took the answer to {number} back",
        Kind.PASSED: f"skipped {number}",
        Kind.PUT_BACK: f"put {number} back",
        Kind.DECIDED: f"decided {number}",
        Kind.WITHDRAWN: f"withdrew the decision on {number}",
    }[kind]


# -- The items


def _items(admin: Any, request: HttpRequest, row: ReviewQueue) -> HttpResponse:
    page = _page_number(request)
    start = (page - 1) * PER_PAGE
    found = list(ReviewItem.objects.filter(queue_id=row.pk).order_by("position", "pk")[start : start + PER_PAGE + 1])
    shown = found[:PER_PAGE]
    context = {
        "row": row,
        "items": _rows(shown),
        "people": assigning.people(queue_id=row.pk),
        "page_number": page,
        "has_next": len(found) > PER_PAGE,
        "back": reverse("admin:ai_reviewqueue_change", args=[row.pk]),
        **source_list(row),
    }
    response: HttpResponse = admin.page(request, "admin/ai/reviewqueue/items.html", f"Items of “{row.name}”", **context)
    return response


def _page_number(request: HttpRequest) -> int:
    text = request.GET.get("page", "1")
    return min(max(int(text), 1), 10_000) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def _rows(items: list[ReviewItem]) -> list[dict[str, Any]]:
    """The items with how far each is and whose it is: never who answered what."""
    slots: dict[UUID, list[ReviewSlot]] = {}
    for slot in ReviewSlot.objects.filter(item_id__in=[item.pk for item in items]).order_by("number"):
        slots.setdefault(slot.item_id, []).append(slot)
    threads = ChatThread.objects.filter(pk__in={item.thread_id for item in items}).values_list("pk", "name")
    titles = dict(threads)
    known = review_filling.names(slot.assigned_to for of_item in slots.values() for slot in of_item)
    return [
        {
            "item": item,
            "thread": badges.thread_link(item.thread_id, titles[item.thread_id]) if item.thread_id in titles else "—",
            "state": badges.badge(item.get_state_display(), TONES[ItemState(item.state)]),
            "answered": sum(slot.submitted_at is not None for slot in slots.get(item.pk, [])),
            "reviews": len(slots.get(item.pk, [])),
            "kept": [
                known.get(slot.assigned_to or "", slot.assigned_to)
                for slot in slots.get(item.pk, [])
                if slot.assigned_to and slot.submitted_at is None
            ],
        }
        for item in items
    ]


# -- Acting


def _chosen(request: HttpRequest) -> list[UUID]:
    """The ticked items.

    Raises:
        InvalidInput: none is ticked, or one is no id.
    """
    try:
        keys = [ids.parse(key) for key in request.POST.getlist("items")[: assigning.MOST_AT_ONCE]]
    except NotFound as error:
        raise InvalidInput(error.message) from None
    if not keys:
        raise InvalidInput("Tick at least one item.")
    return keys


def _where(request: HttpRequest, row: ReviewQueue) -> str:
    """Back to the page that the form is on."""
    name = "items" if request.POST.get("from") == "items" else "change"
    page = _page_number(request)
    return reverse(
        f"admin:ai_reviewqueue_{name}", args=[row.pk], query={"page": page} if name == "items" and page > 1 else None
    )


def _assign(admin: Any, request: HttpRequest, row: ReviewQueue) -> HttpResponse:
    back = _where(request, row)

    def act() -> tuple[str, str]:
        to = assigning.person(queue_id=row.pk, key=request.POST.get("to", ""))
        values: dict[str, Any] = {"queue_id": row.pk, "to": to, "by": request.user, "at": timezone.now()}
        if request.POST.get("from") == "items":
            count = assigning.assign_items(item_ids=_chosen(request), **values)
        else:
            count = assigning.assign_next(count=_count(request), **values)
        return f"{count:,} item{'s are' if count != 1 else ' is'} assigned to {to.get_username()}.", back

    return answer(request, back, act)


def _count(request: HttpRequest) -> int:
    text = request.POST.get("count", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _unassign(admin: Any, request: HttpRequest, row: ReviewQueue) -> HttpResponse:
    back = _where(request, row)

    def act() -> tuple[str, str]:
        of, chosen = request.POST.get("of", ""), None
        if request.POST.get("from") == "items":
            of, chosen = request.POST.get("to", ""), _chosen(request)
        count = assigning.unassign(queue_id=row.pk, of=of[:255], item_ids=chosen, by=request.user, at=timezone.now())
        words = f"{count:,} item{'s are' if count != 1 else ' is'} free again."
        return f"{words} So many go at a time." if count == assigning.MOST_AT_ONCE else words, back

    return answer(request, back, act)


def _take_back(admin: Any, request: HttpRequest, row: ReviewQueue) -> HttpResponse:
    back = reverse("admin:ai_reviewqueue_change", args=[row.pk])

    def act() -> tuple[str, str]:
        event = ReviewEvent.objects.filter(queue_id=row.pk, pk=ids.parse(request.POST.get("event", ""))).first()
        if event is None:
            raise NotFound("There is nothing to take back there.")
        done = undoing.undo(event_id=event.pk, by=request.user, at=timezone.now())
        return done.words, where_to(done) or back

    return answer(request, back, act)


def where_to(done: undoing.Undone) -> str:
    """The page of the review that is its reviewer's again; nowhere without one."""
    return reverse("admin:ai_reviewqueue_review", args=[done.slot_id]) if done.slot_id else ""


def can_undo(request: HttpRequest, row: ReviewQueue) -> bool:
    """Whether there is something that this reviewer did last."""
    if undoing.last_of(queue_id=row.pk, by=request.user, at=timezone.now()) is not None:
        return True
    return reviewing.last_answered(queue_id=row.pk, by=request.user) is not None
