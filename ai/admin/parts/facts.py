"""Objects of the API as names and values: metadata, settings, response formats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.safestring import SafeString

from ai.services import rendering

#: Longer values are folded code instead of a line.
LINE_CHARACTERS = 300
MOST_PAIRS = 100

WORDS = {
    "temperature": "Temperature",
    "top_p": "Top p",
    "max_prompt_tokens": "Most prompt tokens",
    "max_completion_tokens": "Most completion tokens",
    "truncation_strategy": "Truncation",
    "tool_choice": "Tool choice",
    "parallel_tool_calls": "Parallel tool calls",
    "response_format": "Response format",
    "reasoning_effort": "Reasoning effort",
    "requested_model": "Model asked for",
}

#: Kept with a run for the runner, shown elsewhere on its page or of no interest to people.
HIDDEN = ("vector_store_ids",)


def pairs(values: Any) -> list[tuple[str, SafeString | str]]:
    """(name, value) of an object's entries, as text where they are short; of anything else nothing."""
    if not isinstance(values, Mapping):
        return []
    shown = [(rendering.visible(str(name)), worded(value)) for name, value in values.items()]
    return shown[:MOST_PAIRS]


def settings(values: Any) -> list[tuple[str, SafeString | str]]:
    """(words, value) of a run's or an assistant's settings."""
    if not isinstance(values, Mapping):
        return []
    said = {name: value for name, value in values.items() if value is not None and name not in HIDDEN}
    return [(WORDS.get(name, rendering.visible(str(name))), _setting(name, value)) for name, value in said.items()]


def worded(value: Any) -> SafeString | str:
    """A value as a reader expects it; objects and lists as coloured code."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "—"
    if isinstance(value, (dict, list)):
        return rendering.json_text(value)
    text = rendering.visible(str(value))
    return text if len(text) <= LINE_CHARACTERS else rendering.code(text)


def _setting(name: str, value: Any) -> SafeString | str:
    kind = value.get("type") if isinstance(value, Mapping) else None
    if name == "truncation_strategy" and kind:
        last = value.get("last_messages")
        return f"the last {last} messages" if last else str(kind)
    if name == "tool_choice" and kind:
        function = value.get("function")
        return rendering.visible(str(function.get("name") if isinstance(function, Mapping) else kind))
    if name == "response_format" and kind in {"text", "json_object"}:
        return {"text": "text", "json_object": "JSON"}[kind]
    if name == "response_format" and kind == "json_schema":
        return _schema(value.get("json_schema"))
    return worded(value)


def _schema(given: Any) -> SafeString | str:
    named = given if isinstance(given, Mapping) else {}
    return rendering.json_text(named.get("schema") or named)
