"""What a model put out, as items of OpenAI's Responses API: texts, thoughts, calls and their results in their order."""

from __future__ import annotations

import json
from typing import Any

from ai.services.imports.drafts import Json


def messages(items: Any) -> list[Json]:
    """The items as messages in chat format; calls beside each other are one message, thoughts go to what follows."""
    line = _Line()
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict):
            line.add(item)
    return line.end()


class _Line:
    def __init__(self) -> None:
        self._made: list[Json] = []
        self._thoughts: list[str] = []

    def add(self, item: Json) -> None:
        kind = item.get("type")
        if kind == "reasoning":
            self._thoughts += [text for text in (_text(item.get("content")), _text(item.get("summary"))) if text]
        elif kind == "function_call":
            self._call(item)
        elif kind == "function_call_output":
            call_id = str(item.get("call_id") or "")
            self._made.append({"role": "tool", "tool_call_id": call_id, "content": _text(item.get("output"))})
        elif kind == "message" and (text := _text(item.get("content"))):
            self._made.append(self._thought({"role": str(item.get("role") or "assistant"), "content": text}))

    def end(self) -> list[Json]:
        """All of them; thoughts that nothing followed are a message of their own."""
        if self._thoughts:
            self._made.append(self._thought({"role": "assistant", "content": ""}))
        return self._made

    def _call(self, item: Json) -> None:
        arguments = item.get("arguments")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
        function = {"name": str(item.get("name") or ""), "arguments": text}
        call = {"id": str(item.get("call_id") or item.get("id") or ""), "type": "function", "function": function}
        last = self._made[-1] if self._made else {}
        if last.get("tool_calls") and not self._thoughts:
            last["tool_calls"].append(call)
        else:
            self._made.append(self._thought({"role": "assistant", "content": None, "tool_calls": [call]}))

    def _thought(self, message: Json) -> Json:
        if self._thoughts:
            message["reasoning_content"], self._thoughts = "\n\n".join(self._thoughts), []
        return message


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    found = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "\n".join(text for text in found if isinstance(text, str))
