"""What the page of a batch of titles shows, and what its form says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.http import HttpRequest

from ai.admin.parts import badges
from ai.models import Job, JobItem
from ai.services import retitle_batches
from ai.services.retitles import (
    APPLIED,
    CHOSEN,
    FAILED,
    KEPT,
    LEFT,
    LOCKED,
    PROPOSED,
    SAME,
    UNDOING,
    UNDONE,
)

PER_PAGE = 50
WAITING = "queued"

#: State → (its word, its colour).
STATES = {
    WAITING: ("Waiting", "gray"),
    PROPOSED: ("Proposed", "blue"),
    LEFT: ("Not ticked", "gray"),
    SAME: ("Already so", "gray"),
    LOCKED: ("Locked", "orange"),
    CHOSEN: ("Being applied", "blue"),
    APPLIED: ("Applied", "green"),
    KEPT: ("Kept", "orange"),
    UNDOING: ("Being undone", "blue"),
    UNDONE: ("Undone", "gray"),
    FAILED: ("Failed", "red"),
}
EDITABLE = frozenset({PROPOSED, LEFT})


def page_number(request: HttpRequest) -> int:
    """The page asked for."""
    text = request.GET.get("page", "")
    return min(max(int(text), 1), 100_000) if text.isascii() and text.isdigit() else 1


def page_wanted(button: str, page: int) -> int:
    """The page that a button leads to."""
    return {"next": page + 1, "previous": max(1, page - 1)}.get(button, page)


def choices(request: HttpRequest) -> dict[UUID, tuple[bool, str]]:
    """What the form says of each item on its page: ticked or not, and the title."""
    found: dict[UUID, tuple[bool, str]] = {}
    for text in request.POST.getlist("item")[:PER_PAGE]:
        try:
            key = UUID(text)
        except ValueError:
            continue
        found[key] = (f"tick-{text}" in request.POST, request.POST.get(f"title-{text}", "")[:1000])
    return found


def context(job: Job, page: int, *, may_cancel: bool) -> dict[str, Any]:
    """What the template shows: four queries, whatever the size of the batch."""
    counts = dict(JobItem.objects.filter(job_id=job.pk).order_by().values_list("status").annotate(count=Count("pk")))
    start = (page - 1) * PER_PAGE
    items = JobItem.objects.filter(job_id=job.pk, position__gte=start, position__lt=start + PER_PAGE)
    change = retitle_batches.change_of(job)
    is_changing = change is not None and change.is_open
    return {
        "job": job,
        "rows": [_row(item) for item in items.order_by("position", "pk")],
        "counts": [(STATES[s][0], STATES[s][1], counts[s]) for s in STATES if counts.get(s)],
        "ticked": counts.get(PROPOSED, 0),
        "ready": counts.get(PROPOSED, 0) + counts.get(CHOSEN, 0) if not is_changing else 0,
        "open_rows": counts.get(PROPOSED, 0) + counts.get(LEFT, 0),
        "applied": counts.get(APPLIED, 0) + (0 if is_changing else counts.get(UNDOING, 0)),
        "change": change if is_changing else None,
        "is_active": job.is_open or is_changing,
        "page": page,
        "last_page": max(1, -(-job.total // PER_PAGE)),
        "model": job.data.get("model") or "",
        "cost": cost(job),
        "job_url": badges.url("ai_job_change", job.pk),
        "cancel_url": badges.url("ai_job_cancel", (change or job).pk)
        if may_cancel and (job.is_open or is_changing)
        else "",
        "back": badges.url("ai_chatthread_changelist"),
    }


def cost(job: Job) -> dict[str, Any]:
    """What was expected and what was used; `known` says whether the price is."""
    data = job.data
    used = data.get("input_tokens", 0) + data.get("output_tokens", 0)
    expected, real = data.get("expected_cost"), data.get("cost", "0")
    return {
        "is_rule": not data.get("model"),
        "tokens": used,
        "expected_tokens": data.get("expected_tokens", 0),
        "expected": None if expected is None else Decimal(expected),
        "real": None if real is None else Decimal(real),
    }


def _row(item: JobItem) -> dict[str, Any]:
    word, tone = STATES.get(item.status, (item.status, "gray"))
    data = item.data
    return {
        "key": item.pk,
        "number": item.position + 1,
        "status": item.status,
        "is_editable": item.status in EDITABLE,
        "is_ticked": item.status == PROPOSED,
        "badge": badges.badge(word, tone, title=item.error),
        "old": data.get("old") or "",
        "new": data.get("new") or "",
        "tags": data.get("tags") or [],
        "by": "rule" if data.get("source") == "rule" else data.get("source", ""),
        "note": item.error or data.get("note", ""),
        "url": badges.url("ai_chatthread_change", item.object_id) if item.status != FAILED else "",
    }
