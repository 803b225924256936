"""The bell of the page's header, and what templates of comments ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse

from ai.services.notifications import reading

register = template.Library()

MOST_SHOWN = 99


@register.filter
def of(found: Mapping[Any, Any] | None, key: Any) -> Any:
    """What a mapping holds under a key; nothing where it holds none."""
    return found.get(key, "") if isinstance(found, Mapping) else ""


@register.inclusion_tag("admin/ai/notification/bell.html", takes_context=True)
def bell(context: Any) -> dict[str, Any]:
    """The bell with the number of unread notifications: one query, none for parts of a page that are asked for alone."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if user is None or request.headers.get("HX-Request") or not reading.is_reader(user):
        return {"url": ""}
    try:
        url = reverse("admin:ai_notification_changelist")
    except NoReverseMatch:  # a project without this admin
        return {"url": ""}
    came_along = getattr(request, "_ai_unread", None)
    count = reading.unread(user) if came_along is None else came_along
    words = f"{MOST_SHOWN}+" if count > MOST_SHOWN else str(count)
    return {"url": url, "count": count, "words": words}
