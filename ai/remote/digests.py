"""What makes two versions of a message the same, whoever wrote them down and in whatever form."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ai.stores.content import role_of, text_of, tool_calls_of

Json = dict[str, Any]

#: Text parts under every name that an API gives them.
_TEXTS = frozenset({"text", "input_text", "output_text", "refusal", "summary_text", "reasoning_text"})


def of(message: Json | None) -> str:
    """A digest of the message with its metadata; 32 hex digits."""
    said = message or {}
    return _digest([_said(said), said.get("metadata") or {}])


def of_words(message: Json | None) -> str:
    """A digest of what is said alone, to recognise a message by."""
    return _digest(_said(message or {}))


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _said(message: Json) -> list[Any]:
    calls = [[call["id"], call["name"], _canonical(call["arguments"])] for call in tool_calls_of(message)]
    # Files have other ids on every side: their number is compared, and what is in them never changes.
    return [
        role_of(message),
        text_of(message),
        _media(message),
        len(message.get("attachments") or ()),
        calls,
        message.get("tool_call_id") or "",
    ]


def _media(message: Json) -> int:
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return sum(isinstance(part, dict) and part.get("type") not in _TEXTS for part in parts)


def _canonical(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        return arguments
