"""What is inside a message, in OpenAI's chat format or the Assistants API's."""

from __future__ import annotations

import json
from typing import Any

ROLES = ("system", "developer", "user", "assistant", "tool")

PREVIEW_CHARACTERS = 200


def _part_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    text = part.get("text", part.get("refusal"))
    if isinstance(text, dict):
        text = text.get("value")
    return text if isinstance(text, str) else ""


def text_of(message: dict[str, Any] | None) -> str:
    """The message's words: its text parts joined by a blank line, without tool calls."""
    content = (message or {}).get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n\n".join(text for text in map(_part_text, content) if text)
    if isinstance(content, dict):
        return _part_text(content) or json.dumps(content, ensure_ascii=False)
    return ""


def role_of(message: dict[str, Any] | None) -> str:
    """The speaker; "user" where nothing is said, and at most 32 characters."""
    return str((message or {}).get("role") or "user")[:32]


def tool_calls_of(message: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The message's tool calls as `{"id", "name", "arguments"}`, whatever is malformed left out."""
    calls = []
    raw = (message or {}).get("tool_calls")
    for call in raw if isinstance(raw, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            arguments = function.get("arguments") or "{}"
            text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
            calls.append({"id": str(call.get("id") or ""), "name": str(function.get("name") or ""), "arguments": text})
    return calls


def is_listed(message: dict[str, Any] | None) -> bool:
    """Whether the Assistants API lists it as a message: what users and assistants said; calls and results are steps."""
    role = role_of(message)
    if role not in {"user", "assistant"}:
        return False
    return role == "user" or bool((message or {}).get("content")) or not tool_calls_of(message)


def searchable(message: dict[str, Any] | None) -> str:
    """What a search finds the message by: its words, and its tool calls' names and arguments."""
    pieces = [text_of(message)]
    pieces += [f"{call['name']} {call['arguments']}" for call in tool_calls_of(message)]
    return "\n".join(piece for piece in pieces if piece)


def preview(message: dict[str, Any] | None) -> str:
    """The first words, on one line, at most 200 characters."""
    text = searchable(message)[: PREVIEW_CHARACTERS * 4]
    line = " ".join(text.split())
    return line if len(line) <= PREVIEW_CHARACTERS else line[: PREVIEW_CHARACTERS - 1] + "…"
