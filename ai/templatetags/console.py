"""Filters that turn what people and models wrote into safe HTML, and numbers into words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ai.services import rendering

register = template.Library()

ROLES = {
    "user": ("User", "person"),
    "assistant": ("Assistant", "smart_toy"),
    "system": ("System", "settings"),
    "developer": ("Developer", "code"),
    "tool": ("Tool result", "build"),
}

UNITS = ((31_557_600, "y"), (2_629_800, "mo"), (86_400, "d"), (3_600, "h"), (60, "min"))


@register.filter
def markdown(text: Any) -> SafeString:
    """Markdown as sanitised HTML; the beginning of a long text."""
    return rendering.markdown(str(text or ""))


@register.filter
def whole(text: Any) -> SafeString:
    """Markdown as sanitised HTML, all of it; a very long text as it stands."""
    words = str(text or "")
    return rendering.markdown(words, limit=max(1, len(words)))


@register.filter
def json_text(value: Any) -> SafeString:
    """JSON, or text that may hold some, indented and coloured; the beginning of a long one."""
    if isinstance(value, str) and len(value) > rendering.SHOWN_CHARACTERS:
        return rendering.code(value[: rendering.SHOWN_CHARACTERS])
    return rendering.json_text(value)


@register.filter
def visible(text: Any) -> str:
    """The text with deceiving characters written out; templates escape it."""
    return rendering.visible(str(text or ""))


@register.filter
def is_long(text: Any) -> bool:
    """Whether a page shows only the beginning."""
    return len(str(text or "")) > rendering.SHOWN_CHARACTERS


@register.filter
def role_name(role: str) -> str:
    """Who speaks, as people say it."""
    return ROLES.get(role, (role or "Unknown", ""))[0]


@register.filter
def role_icon(role: str) -> str:
    """The role's symbol."""
    return ROLES.get(role, ("", "help"))[1]


@register.filter
def ago(at: datetime | None) -> SafeString | str:
    """How long ago, with the exact time at hand."""
    if at is None:
        return ""
    exact = date_format(timezone.localtime(at), "j M Y, H:i:s")
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, naturaltime(at))


def since(at: datetime | None) -> SafeString | str:
    """How long ago in its largest unit, for narrow columns."""
    if at is None:
        return ""
    exact = date_format(timezone.localtime(at), "j M Y, H:i:s")
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, since_words(at))


def since_words(at: datetime) -> str:
    """“3 h ago”."""
    seconds = max(0, int((timezone.now() - at).total_seconds()))
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= size), (1, "s"))
    return f"{seconds // size} {unit} ago"


@register.filter
def clock(at: datetime | None) -> SafeString | str:
    """Day and time."""
    if at is None:
        return ""
    local = timezone.localtime(at)
    exact = f"{date_format(local, 'j M Y')}, {local:%H:%M:%S} {local.tzname()}"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, f"{local:%d %b %Y, %H:%M}")


@register.filter
def percent(share: float | None) -> str:
    """A share of 1: 83 %; nothing where there is none."""
    return "" if share is None else f"{share * 100:.0f} %"


@register.filter
def milliseconds(value: int | None) -> str:
    """A duration: 840 ms, 12.3 s, 4 min 10 s."""
    if value is None:
        return ""
    if value < 1000:
        return f"{value} ms"
    seconds = value / 1000
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


@register.filter
def dollars(value: Any) -> str:
    """A cost in US$, with as many digits as small amounts need."""
    if value is None:
        return ""
    amount = float(value)
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.6f}".rstrip("0").ljust(6, "0")


@register.filter
def code_json(text: Any) -> SafeString:
    """JSON text as it stands, coloured."""
    return rendering.code(str(text or ""), "json")
