"""Items of OpenAI's Responses and Conversations as messages in chat format, and back.

Several items can be one message: what a model thought, said and called in one go. A message has the id of its first item.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ai.remote.port import Json, RemoteMessage
from ai.stores.content import text_of, tool_calls_of

TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
ROLES = frozenset({"user", "assistant", "system", "developer", "tool"})


@dataclass
class Group:
    """The items of one message, oldest first."""

    items: list[Json] = field(default_factory=list)

    def takes(self, item: Json) -> bool:
        """Whether the item belongs to what came before: a model's calls go with its words, its thoughts before both."""
        if not self.items:
            return True
        if not (_is_models(item) and _is_models(self.items[-1])):
            return False
        thought_only = all(before.get("type") == "reasoning" for before in self.items)
        return thought_only or item.get("type") not in {"message", "reasoning"}

    def message(self) -> RemoteMessage:
        """What the items say together."""
        ids = tuple(str(item.get("id") or "") for item in self.items)
        return RemoteMessage(ids[0], _message(self.items), None, ids if len(ids) > 1 else ())


def grouped(items: Iterable[Json]) -> list[Group]:
    """Items, oldest first, by message."""
    groups: list[Group] = []
    for item in items:
        if not groups or not groups[-1].takes(item):
            groups.append(Group())
        groups[-1].items.append(item)
    return groups


def messages_of(items: Iterable[Json]) -> list[RemoteMessage]:
    """Items, oldest first, as messages."""
    return [group.message() for group in grouped(items)]


def _is_models(item: Json) -> bool:
    if item.get("type") in {None, "message"}:
        return item.get("role") == "assistant"
    return not str(item.get("type")).endswith("_output")


def _message(items: Sequence[Json]) -> Json:
    first = items[0]
    if str(first.get("type") or "").endswith("_output"):
        return {"role": "tool", "tool_call_id": str(first.get("call_id") or ""), "content": _output(first)}
    message: Json = {"role": "assistant", "content": None}
    for item in items:
        _add(message, item)
    if message["content"] is None and not message.get("tool_calls"):
        message["content"] = ""
    return message


def _add(message: Json, item: Json) -> None:
    """Put one more item into the message."""
    kind = item.get("type") or "message"
    if kind == "message":
        role = str(item.get("role") or "user")
        message["role"] = role if role in ROLES else "user"
        message |= _content(item.get("content"))
    elif kind in {"function_call", "custom_tool_call"}:
        message.setdefault("tool_calls", []).append(_call(item))
    elif kind == "reasoning":
        thoughts = [message.get("reasoning_content") or "", _thought(item)]
        message["reasoning_content"] = "\n\n".join(thought for thought in thoughts if thought)
    else:
        message.setdefault("items", []).append(item)


def _call(item: Json) -> Json:
    arguments = item.get("arguments", item.get("input"))
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    function = {"name": str(item.get("name") or ""), "arguments": text}
    return {"id": str(item.get("call_id") or item.get("id") or ""), "type": "function", "function": function}


def _thought(item: Json) -> str:
    parts = [*(item.get("summary") or ()), *(item.get("content") or ())]
    return "\n\n".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))


def _output(item: Json) -> str:
    output = item.get("output")
    if isinstance(output, list):
        return text_of({"content": output})
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)


def _content(content: Any) -> Json:
    """One text as the content, several parts as parts, files as attachments."""
    if isinstance(content, str):
        return {"content": content}
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    found: Json = {}
    if files := [part for part in parts if part.get("type") == "input_file" and part.get("file_id")]:
        found["attachments"] = [_file(part) for part in files]
    kept = [_part(part) for part in parts if part not in files]
    if len(kept) == 1 and kept[0].get("type") == "text":
        annotations = parts[0].get("annotations")
        return {**found, "content": kept[0]["text"], **({"annotations": annotations} if annotations else {})}
    return {**found, "content": kept or ""}


def _file(part: Json) -> Json:
    name = {"name": part["filename"]} if part.get("filename") else {}
    return {"file_id": part["file_id"], **name}


def _part(part: Json) -> Json:
    kind = part.get("type")
    if kind in TEXTS:
        return {"type": "text", "text": str(part.get("text") or "")}
    if kind == "input_image" and part.get("file_id"):
        return {"type": "image_file", "image_file": {"file_id": part["file_id"]}}
    if kind == "input_image":
        return {"type": "image_url", "image_url": {"url": part.get("image_url") or ""}}
    return part


# -- And back
def takes(message: Json) -> bool:
    """Whether there are items for a message of ours."""
    return bool(items_of(message))


def items_of(message: Json) -> list[Json]:
    """A message of ours as items; none for what has no words, files or calls."""
    role = message.get("role")
    if role == "tool":
        call_id = message.get("tool_call_id")
        return [{"type": "function_call_output", "call_id": call_id, "output": text_of(message)}] if call_id else []
    parts = _said(message)
    said = [{"type": "message", "role": role, "content": parts}] if parts and role in ROLES else []
    calls = [
        {"type": "function_call", "call_id": call["id"], "name": call["name"], "arguments": call["arguments"]}
        for call in tool_calls_of(message)
    ]
    return [*said, *calls]


def _said(message: Json) -> list[Json]:
    kind = "output_text" if message.get("role") == "assistant" else "input_text"
    text = text_of(message)
    parts: list[Json] = [{"type": kind, "text": text}] if text.strip() else []
    content = message.get("content")
    parts += [_picture(part) for part in content if _is_picture(part)] if isinstance(content, list) else []
    for item in message.get("attachments") or ():
        if file_id := item.get("file_id") or item.get("id"):
            parts.append({"type": "input_file", "file_id": file_id})
    return parts


def _is_picture(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in {"image_file", "image_url"}


def _picture(part: Json) -> Json:
    inner = part.get(part["type"]) or {}
    found = {"file_id": inner.get("file_id")} if part["type"] == "image_file" else {"image_url": inner.get("url")}
    return {"type": "input_image", "detail": inner.get("detail") or "auto", **found}
