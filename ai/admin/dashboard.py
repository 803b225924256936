"""The dashboard: Unfold's DASHBOARD_CALLBACK."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html

from ai.admin.parts import badges
from ai.admin.parts.base import in_bulk
from ai.admin.runs import thread_id_of
from ai.models import ChatThread, Message
from ai.services import dashboard, rendering

DEFAULT_DAYS = 30
LABELS_SHOWN = 8

#: Colours of the charts' lines: Unfold's script reads the variables when it draws.
COLOURS = {
    "main": "var(--color-primary-600)",
    "soft": "var(--color-primary-300)",
    "good": "var(--ai-green)",
    "bad": "var(--ai-red)",
}


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What `admin/index.html` shows, as far as this person may see it."""
    user: Any = request.user
    sees = {noun: user.has_perm(f"ai.view_{noun}") for noun in ("chatthread", "message", "run", "feedback")}
    context |= {"sees": sees, "links": _links(user), "periods": [], "tiles": [], "charts": []}
    if not any(sees.values()):
        return context
    at = timezone.now()
    days = _days(request)
    numbers = dashboard.numbers(days=days, at=at)
    periods = [
        {"days": p, "href": f"{reverse('admin:index')}?days={p}", "chosen": p == days} for p in dashboard.PERIODS
    ]
    context |= {
        "numbers": numbers,
        "days": days,
        "periods": periods,
        "tiles": [tile for tile in _tiles(numbers, days) if sees[tile["needs"]]],
        "charts": [chart for chart in _charts(numbers) if sees[chart["needs"]]],
        "failures": _failures(numbers.days[0].start) if sees["run"] else [],
        "open_feedback": _open_feedback() if sees["feedback"] else [],
        "failures_url": badges.url("ai_run_changelist", status="failed"),
        "feedback_url": badges.url("ai_feedback_inbox", state="open"),
    }
    return context


def _days(request: HttpRequest) -> int:
    given = request.GET.get("days", "")
    return int(given) if given in map(str, dashboard.PERIODS) else DEFAULT_DAYS


def _since(numbers: dashboard.Numbers) -> str:
    return timezone.localtime(numbers.days[0].start).date().isoformat()


def _tiles(numbers: dashboard.Numbers, days: int) -> list[dict[str, Any]]:
    """The sums, each with a link to the rows that they count."""
    today = numbers.days[-1]
    rate = numbers.error_rate
    since = _since(numbers)
    spent = badges.money(numbers.cost)
    return [
        _tile("Threads", f"{numbers.threads:,}", f"{today.threads:,} today", "chatthread", "ai_chatthread_changelist"),
        _tile(
            "Messages", f"{numbers.messages:,}", f"{today.messages:,} today", "message", "ai_message_changelist", since
        ),
        _tile("Runs", f"{numbers.runs:,}", f"{today.runs:,} today", "run", "ai_run_changelist", since),
        _tile("Cost", spent, format_html("{} today", badges.money(today.cost)), "run", "ai_run_changelist", since),
        _tile(
            "Error rate",
            "—" if rate is None else f"{rate * 100:.1f} %",
            f"{numbers.errors:,} of {numbers.ended:,} ended runs",
            "run",
            "ai_run_changelist",
            since,
        ),
        _tile(
            "Open feedback",
            f"{numbers.open_feedback:,}",
            f"{numbers.feedback:,} given in {days} days",
            "feedback",
            "ai_feedback_inbox",
        ),
    ]


def _tile(title: str, value: Any, note: Any, needs: str, page: str, since: str = "") -> dict[str, Any]:
    query = {"created_from": since} if since else {}
    return {"title": title, "value": value, "note": note, "needs": needs, "href": badges.url(page, **query)}


def _charts(numbers: dashboard.Numbers) -> list[dict[str, Any]]:
    days = numbers.days
    rates = [round(day.errors / day.ended * 100, 2) if day.ended else 0 for day in days]
    return [
        _chart("Threads", "bar", days, "chatthread", ("Threads", "main", [d.threads for d in days])),
        _chart("Messages", "bar", days, "message", ("Messages", "main", [d.messages for d in days])),
        _chart("Runs", "bar", days, "run", ("Runs", "main", [d.runs for d in days])),
        _chart("Cost in US$", "line", days, "run", ("Cost", "main", [float(d.cost) for d in days])),
        _chart("Error rate in %", "line", days, "run", ("Errors", "bad", rates)),
        _chart(
            "Feedback",
            "bar",
            days,
            "feedback",
            ("Up", "good", [d.up for d in days]),
            ("Down", "bad", [d.down for d in days]),
        ),
    ]


def _chart(
    title: str, kind: str, days: list[dashboard.Day], needs: str, *lines: tuple[str, str, list[Any]]
) -> dict[str, Any]:
    """A chart as Unfold's script draws it; its table says the same to those who cannot see it."""
    sets = [
        {
            "label": label,
            "data": values,
            "backgroundColor": COLOURS[colour],
            "borderColor": COLOURS[colour],
        }
        for label, colour, values in lines
    ]
    value = {"labels": [_label(day.start) for day in days], "datasets": sets}
    legend = [{"label": label, "tone": colour} for label, colour, _ in lines] if len(lines) > 1 else []
    total = sum(sum(values) for _, _, values in lines)
    return {
        "title": title,
        "kind": kind,
        "value": json.dumps(value),
        "options": json.dumps(_options(whole=kind == "bar")),
        "needs": needs,
        "legend": legend,
        "is_empty": not total,
    }


def _options(*, whole: bool) -> dict[str, Any]:
    """Chart.js options; Unfold's script sets the colours of the lines behind for light and dark."""
    ticks = {"color": "#9ca3af", "maxTicksLimit": LABELS_SHOWN, "maxRotation": 0}
    upright = {**ticks, "maxTicksLimit": 5, **({"precision": 0} if whole else {})}
    return {
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "maxBarThickness": 18,
        "interaction": {"mode": "index", "intersect": False},
        "plugins": {"legend": {"display": False}},
        "elements": {"line": {"borderWidth": 2, "tension": 0.25}, "point": {"radius": 0, "hitRadius": 12}},
        "datasets": {"bar": {"borderRadius": 3}},
        "scales": {
            "x": {"stacked": True, "grid": {"display": False}, "border": {"display": False}, "ticks": ticks},
            "y": {"stacked": True, "beginAtZero": True, "grid": {}, "border": {"display": False}, "ticks": upright},
        },
    }


def _label(day: datetime) -> str:
    return str(date_format(timezone.localtime(day), "j M"))


def _failures(since: datetime) -> list[dict[str, Any]]:
    rows = dashboard.recent_failures(since=since)
    threads = in_bulk(ChatThread, filter(None, map(thread_id_of, rows)), "name")
    return [
        {
            "run": row,
            "url": badges.url("ai_run_change", row.pk),
            "thread": threads.get(thread_id_of(row)),
            "error": rendering.visible(row.error_message),
            "when": badges.when(row.created),
        }
        for row in rows
    ]


def _open_feedback() -> list[dict[str, Any]]:
    rows = dashboard.open_feedback()
    about = in_bulk(Message, (row.message_id for row in rows), "preview")
    return [
        {
            "row": row,
            "url": badges.url("ai_feedback_inbox", item=row.pk),
            "rating": badges.rating(row.rating),
            "text": badges.clip(
                row.comment or getattr(about.get(str(row.message_id)), "preview", "") or "No comment", 120
            ),
            "when": badges.when(row.given_at),
        }
        for row in rows
    ]


def _links(user: Any) -> list[dict[str, str]]:
    """What people come here to do."""
    wanted = (
        ("Read conversations", "forum", "ai_chatthread_changelist", "ai.view_chatthread"),
        ("Triage feedback", "thumbs_up_down", "ai_feedback_inbox", "ai.view_feedback"),
        ("Follow jobs", "pending_actions", "ai_job_changelist", "ai.view_job"),
        ("Add a language model", "neurology", "ai_languagemodel_add", "ai.add_languagemodel"),
        ("See what was done", "policy", "ai_auditentry_changelist", "ai.view_auditentry"),
    )
    links = [
        {"label": label, "icon": icon, "href": badges.url(page)}
        for label, icon, page, perm in wanted
        if user.has_perm(perm)
    ]
    return [link for link in links if link["href"]]
