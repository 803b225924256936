"""The keys in force on a page: for its script, for its buttons, and for the dialog that tells them."""

from __future__ import annotations

import json
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ai.services import keys as services

register = template.Library()

SIGNS = {"Enter": "↵", "ArrowUp": "↑", "ArrowDown": "↓", "ArrowLeft": "←", "ArrowRight": "→", "Meta": "⌘"}


@register.simple_tag(takes_context=True)
def keys(context: Any, page: str) -> dict[str, str]:
    """Action → key on this page, as the reader has them: `{% keys "inbox" as keys %}`. One query."""
    return services.in_force(page, by=context["request"].user)


@register.simple_tag
def told(page: str, in_force: dict[str, str]) -> list[tuple[list[str], str]]:
    """(keys, what they do) for the dialog."""
    return services.told(page, in_force)


@register.filter
def as_json(in_force: dict[str, str]) -> str:
    """The keys for an attribute, which the template escapes."""
    return json.dumps(in_force, ensure_ascii=False)


@register.filter
def kbd(key: str) -> SafeString | str:
    """The key as people write it; nothing where there is none."""
    return format_html("<kbd>{}</kbd>", written(key)) if key else ""


@register.filter
def written(key: str) -> str:
    """“Ctrl ↵” for “Ctrl+Enter”."""
    head, plus, last = key.rpartition("+") if not key.endswith("+") else (key[:-2], "+" if len(key) > 1 else "", "+")
    parts = [*(head.split("+") if plus else []), last]
    return " ".join(SIGNS.get(part, part) for part in parts)


@register.filter
def answer(in_force: Any, number: int) -> SafeString | str:
    """The key that gives an answer by its number; nothing where there is none, or on a page without keys."""
    key = in_force.get(f"answer_{number}", "") if isinstance(in_force, dict) else ""
    return format_html('<kbd aria-hidden="true">{}</kbd>', written(key)) if key else ""
