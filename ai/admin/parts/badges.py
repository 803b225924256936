"""Small words with a colour, and numbers as people read them. Everything given is escaped."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ai.services import rendering

NONE = format_html('<span class="ai-none">{}</span>', "—")

#: The colour of each state of runs, jobs, feedback and workers.
TONES = {
    "queued": "blue",
    "in_progress": "blue",
    "running": "blue",
    "requires_action": "orange",
    "cancelling": "orange",
    "cancelled": "gray",
    "failed": "red",
    "completed": "green",
    "done": "green",
    "proposed": "blue",
    "applied": "green",
    "locked": "orange",
    "kept": "orange",
    "incomplete": "orange",
    "expired": "red",
    "open": "orange",
    "triaged": "blue",
    "assigned": "violet",
    "snoozed": "gray",
    "resolved": "green",
    "dismissed": "gray",
    "user": "blue",
    "assistant": "violet",
    "tool": "orange",
    "system": "gray",
    "stored": "green",
    "from environment": "green",
    "missing": "red",
    "not needed": "gray",
}


def badge(text: Any, tone: str = "gray", *, icon: str = "", title: str = "") -> SafeString:
    """A small word on a colour: gray, blue, green, orange, red or violet."""
    mark = format_html('<span class="material-symbols-outlined" aria-hidden="true">{}</span>', icon) if icon else ""
    return format_html('<span class="ai-badge ai-{}" title="{}">{}{}</span>', tone, title, mark, text)


def status(value: str, label: str = "", *, title: str = "") -> SafeString:
    """The state of a run, job, feedback, worker or key."""
    return badge(label or value.replace("_", " ").capitalize(), TONES.get(value, "gray"), title=title)


def role(value: str) -> SafeString:
    """Who speaks."""
    return badge(value, TONES.get(value, "gray"))


def rating(value: str) -> SafeString:
    """A thumb: "up", "down", "mixed" or none."""
    if value == "up":
        return badge("Up", "green", icon="thumb_up")
    if value == "down":
        return badge("Down", "red", icon="thumb_down")
    return badge("Mixed", "orange", icon="thumbs_up_down") if value == "mixed" else NONE


def money(value: Decimal | float | None) -> SafeString:
    """US$ with as many digits as tell small amounts apart."""
    if value is None:
        return NONE
    amount = Decimal(str(value))
    digits = 2 if amount == 0 or abs(amount) >= 1 else 4 if abs(amount) >= Decimal("0.001") else 6
    return format_html('<span class="ai-number" title="US${}">${}</span>', f"{amount:f}", f"{amount:,.{digits}f}")


def duration(milliseconds: int | None) -> SafeString:
    """A span of time."""
    if milliseconds is None:
        return NONE
    seconds = milliseconds / 1000
    if seconds < 1:
        text = f"{milliseconds} ms"
    elif seconds < 60:
        text = f"{seconds:.1f} s"
    else:
        minutes, rest = divmod(round(seconds), 60)
        text = f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
    return format_html('<span class="ai-number" title="{} ms">{}</span>', f"{milliseconds:,}", text)


def tokens(value: int | None) -> SafeString:
    """A count of tokens."""
    return format_html('<span class="ai-number">{}</span>', f"{value:,}") if value else NONE


def number(value: int | None) -> SafeString:
    """A count."""
    return format_html('<span class="ai-number">{}</span>', f"{value:,}") if value is not None else NONE


def size(value: int | None) -> SafeString:
    """A file's size."""
    return format_html('<span class="ai-number">{}</span>', filesizeformat(value or 0))


def when(value: datetime | None) -> SafeString:
    """A moment, in the reader's zone, short; the whole of it on hover."""
    if value is None:
        return NONE
    local = timezone.localtime(value)
    short = f"{date_format(local, 'j M Y')} {local:%H:%M}"
    return format_html('<time class="ai-when" datetime="{}" title="{}">{}</time>', value.isoformat(), local, short)


def progress(percent: int) -> SafeString:
    """A small bar, filled so far."""
    return format_html(
        '<span class="ai-progress ai-progress-small" role="progressbar" aria-valuemin="0" aria-valuemax="100"'
        ' aria-valuenow="{}" aria-label="Progress"><i style="width:{}%"></i></span>',
        percent,
        percent,
    )


def clip(text: Any, most: int = 80) -> SafeString:
    """The beginning of a text on one line; the whole of it on hover."""
    words = rendering.visible(" ".join(str(text or "").split()))
    if not words:
        return NONE
    short = words if len(words) <= most else words[: most - 1].rstrip() + "…"
    return format_html('<span class="ai-clip" title="{}">{}</span>', words[:1000], short)


def url(name: str, *args: Any, **query: Any) -> str:
    """The admin's page, such as url("ai_run_change", pk); empty where no such page is registered."""
    try:
        found = reverse(f"admin:{name}", args=args, query={k: v for k, v in query.items() if v not in (None, "")})
    except NoReverseMatch:
        return ""
    return found


def link(href: str, text: Any) -> SafeString:
    """A link, or the text alone where there is nothing to open."""
    if not href:
        return format_html("{}", text)
    return format_html('<a class="ai-link" href="{}">{}</a>', href, text)


def thread_link(thread_id: Any, name: Any = "", *, message: Any = None) -> SafeString:
    """A link to a thread's transcript, at `message` when given."""
    if not thread_id:
        return NONE
    return link(url("ai_chatthread_change", thread_id, message=message), clip(name or "Untitled", 60))
