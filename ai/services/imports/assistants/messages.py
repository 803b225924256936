"""Messages of the Assistants API as messages in chat format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ai.services.imports import fields
from ai.services.imports.drafts import Json, MessageDraft, Unusable
from ai.services.imports.stages import Staged

ROLES = ("user", "assistant")

#: The metadata of a file, by its id.
Files = Callable[[str], Json | None]


def draft(staged: Staged, *, files: Files, ended: Mapping[str, str]) -> MessageDraft:
    """The message.

    One text becomes the content, with its annotations beside it, as messages of our own have them; several parts stay
    parts. Attachments get the names and sizes of their files. One that was being written is incomplete; `ended` has the
    states of the runs.

    Raises:
        Unusable.
    """
    value = staged.value
    role = fields.text(value, "role")
    if role not in ROLES:
        raise Unusable(f"Its role “{role[:80]}” is neither user nor assistant.")
    at = fields.created(value)
    run_id = fields.reference(value, "run_id")
    message: Json = {"role": role, **_content(value, files)}
    if attachments := fields.objects(value, "attachments"):
        message["attachments"] = [{**item, **_facts(item, files)} for item in attachments]
    message["metadata"] = fields.metadata(value)
    if role == "assistant" and (assistant_id := fields.reference(value, "assistant_id")):
        message["assistant_id"] = assistant_id
    message |= _state(value, ended.get(run_id or "", ""))
    return MessageDraft(id=staged.id, place=staged.place, at=at, message=message, run_id=run_id, external_id=staged.id)


def _state(value: Json, run_status: str) -> Json:
    """How the message ended, unless it did as it should."""
    found: Json = {}
    if ended := fields.first_time(value, ("completed_at", "incomplete_at")):
        found["completed_at"] = int(ended.timestamp())
    status = fields.text(value, "status")
    if status in {"incomplete", "in_progress"}:
        reason = f"run_{run_status}" if run_status in {"cancelled", "failed"} else "run_expired"
        why = fields.text(fields.mapping(value, "incomplete_details"), "reason") or reason
        found |= {"status": "incomplete", "incomplete_details": {"reason": why}}
    return found


def _content(value: Json, files: Files) -> Json:
    content = value.get("content")
    if content is None or isinstance(content, str):
        return {"content": content or ""}
    if not isinstance(content, list):
        raise Unusable("Its “content” is neither a text nor a list of parts.")
    parts = [_part(item, files) for item in content]
    if not parts:
        return {"content": ""}
    if len(parts) > 1 or parts[0].get("type") != "text":
        return {"content": parts}
    words = parts[0]["text"]
    if isinstance(words, str):
        return {"content": words}
    return {"content": words["value"], "annotations": words["annotations"]}


def _part(item: Any, files: Files) -> Json:
    if isinstance(item, str):
        return {"type": "text", "text": item}
    if not isinstance(item, dict):
        raise Unusable("A part of its “content” is no object.")
    if item.get("text") is not None or item.get("type") == "text":
        return {"type": "text", "text": _words(item)}
    if item.get("type") == "image_file":
        return {**item, **_facts(fields.mapping(item, "image_file"), files)}
    return item


def _words(item: Json) -> str | Json:
    """A part's text; with its annotations where it has some."""
    given = item.get("text")
    if isinstance(given, dict):
        annotations = fields.objects(given, "annotations")
        value = fields.text(given, "value")
        return {"value": value, "annotations": annotations} if annotations else value
    return fields.text(item, "text")


def _facts(item: Json, files: Files) -> Json:
    """The name and size of the file that `item` refers to, where the dump knows them."""
    file_id = item.get("file_id")
    file = files(file_id) if isinstance(file_id, str) else None
    if file is None:
        return {}
    known = {"name": file.get("filename"), "bytes": file.get("bytes")}
    return {key: found for key, found in known.items() if isinstance(found, str | int)}
