"""Who else is looking at a page."""

from __future__ import annotations

from django import template

from ai.services import presence

register = template.Library()


@register.simple_tag
def presence_seconds() -> int:
    """How often a page says that somebody is there; 0 where presence is off."""
    return presence.EVERY if presence.is_on() else 0
