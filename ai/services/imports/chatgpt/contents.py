"""What a node of ChatGPT's export says, as a message in chat format."""

from __future__ import annotations

import json
from typing import Any

from ai.services.imports import fields
from ai.services.imports.branching import Said
from ai.services.imports.drafts import Json, Unusable

ROLES = ("system", "user", "assistant", "tool")

#: Contents that nobody is shown as a message: thoughts go to the answer that follows, context to nothing.
THOUGHTS = ("thoughts", "reasoning_recap")
CONTEXTS = ("user_editable_context", "model_editable_context")

_ATTACHED = {"id": "file_id", "name": "name", "size": "bytes", "mime_type": "mime_type", "mimeType": "mime_type"}


def is_shown(node: Json) -> bool:
    """Whether people see the node's message: it is not hidden, not the system's, and it says something."""
    if fields.mapping(node, "metadata").get("is_visually_hidden_from_conversation") is True:
        return False
    kind = str(fields.mapping(node, "content").get("content_type"))
    return _role(node) != "system" and kind not in (*THOUGHTS, *CONTEXTS) and not _is_empty(node)


class Line:
    """Makes messages of the nodes of one branch, one after the other."""

    def __init__(self) -> None:
        self._thoughts: list[str] = []
        self._open: dict[str, str] = {}

    def add(self, key: str, node: Json) -> Said | None:
        """The node's message; None where there is nothing to show."""
        content = fields.mapping(node, "content")
        if content.get("content_type") in THOUGHTS:
            self._thoughts += _thoughts(content)
            return None
        if not is_shown(node):
            return None
        role = _role(node)
        message: Json = {"role": role, **self._content(key, role, node, content)}
        if role == "assistant" and self._thoughts:
            message["reasoning_content"], self._thoughts = "\n\n".join(self._thoughts), []
        if attachments := _attachments(node):
            message["attachments"] = attachments
        return Said(message, _data(node, content), fields.time(node, "create_time"))

    def _content(self, key: str, role: str, node: Json, content: Json) -> Json:
        recipient = fields.text(node, "recipient") or "all"
        if role == "assistant" and recipient != "all":
            return self._call(key, recipient, _text(content))
        if role == "tool":
            return self._result(node, content)
        return {"content": _parts(content)}

    def _call(self, key: str, tool: str, text: str) -> Json:
        """A message to a tool is a call; what is no JSON object is its only argument."""
        call_id, name = f"call_{key}", tool.removeprefix("functions.")
        self._open[tool] = call_id
        call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": _arguments(text)}}
        return {"content": None, "tool_calls": [call]}

    def _result(self, node: Json, content: Json) -> Json:
        name = fields.text(fields.mapping(node, "author"), "name")
        call_id = self._open.pop(name, "") or self._open.pop(name.rpartition(".")[0], "")
        told: Json = {"name": name.removeprefix("functions."), "content": _parts(content)}
        return {**told, "tool_call_id": call_id} if call_id else told


def _role(node: Json) -> str:
    role = fields.text(fields.mapping(node, "author"), "role")
    if role not in ROLES:
        raise Unusable(
            f"Its message {fields.shown(node.get('id'))} has the role {fields.shown(role)}, which is unknown."
        )
    return role


def _is_empty(node: Json) -> bool:
    content = fields.mapping(node, "content")
    return not _text(content) and not any(isinstance(part, dict) for part in _list(content, "parts"))


def _list(content: Json, name: str) -> list[Any]:
    found = content.get(name)
    return found if isinstance(found, list) else []


def _text(content: Json) -> str:
    """The words, whatever kind of content it is."""
    if texts := [part for part in _list(content, "parts") if isinstance(part, str)]:
        return "\n".join(texts)
    if content.get("content_type") == "tether_quote":
        heading = " · ".join(str(content[name]) for name in ("title", "url") if content.get(name))
        return "\n".join(piece for piece in (heading, str(content.get("text") or "")) if piece)
    return next((found for name in ("text", "result", "summary", "content") if (found := _word(content, name))), "")


def _word(content: Json, name: str) -> str:
    found = content.get(name)
    return found if isinstance(found, str) else ""


def _parts(content: Json) -> str | list[Json]:
    """The words alone, or parts where there is more than words; texts beside each other are one."""
    given = _list(content, "parts")
    if not any(isinstance(part, dict) for part in given):
        return _text(content)
    parts: list[Json] = []
    for part in given:
        if isinstance(part, dict):
            parts.append(_part(part))
        elif isinstance(part, str) and part and parts and parts[-1]["type"] == "text":
            parts[-1] = {"type": "text", "text": f"{parts[-1]['text']}\n{part}"}
        elif isinstance(part, str) and part:
            parts.append({"type": "text", "text": part})
    return parts


def _part(part: Json) -> Json:
    """An image or a sound by its file's id, a spoken text as a text; anything else as it is."""
    kind, pointer = _word(part, "content_type"), _word(part, "asset_pointer")
    if kind == "audio_transcription":
        return {"type": "text", "text": _word(part, "text")}
    if not pointer:
        return {**part, "type": _word(part, "type") or kind or "unknown"}
    file = {"file_id": pointer.rpartition("//")[2]}
    size = part.get("size_bytes")
    known = {"bytes": size} if isinstance(size, int) else {}
    if kind == "image_asset_pointer":
        return {"type": "image_file", "image_file": file, **known}
    return {"type": "file", "file": file, **known}


def _arguments(text: str) -> str:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    return text if isinstance(given, dict) else json.dumps({"input": text}, ensure_ascii=False)


def _thoughts(content: Json) -> list[str]:
    """What the model thought; the recap only says for how long."""
    thoughts = [thought for thought in _list(content, "thoughts") if isinstance(thought, dict)]
    pieces = ("\n".join(piece for name in ("summary", "content") if (piece := _word(each, name))) for each in thoughts)
    return [piece for piece in pieces if piece]


def _attachments(node: Json) -> list[Json]:
    given = fields.mapping(node, "metadata").get("attachments")
    found = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    made = [{ours: item[name] for name, ours in _ATTACHED.items() if item.get(name) is not None} for item in found]
    return [item for item in made if isinstance(item.get("file_id"), str)]


def _data(node: Json, content: Json) -> Json:
    metadata = fields.mapping(node, "metadata")
    facts = {
        "model": metadata.get("model_slug"),
        "content_type": content.get("content_type"),
        "language": content.get("language"),
        "status": node.get("status"),
        "channel": node.get("channel"),
        "citations": metadata.get("citations"),
        "content_references": metadata.get("content_references"),
    }
    return {name: value for name, value in facts.items() if value}
