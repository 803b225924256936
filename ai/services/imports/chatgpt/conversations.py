"""One conversation of the export: a tree of nodes, of which the way to `current_node` is shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ai.services.imports import fields
from ai.services.imports.branching import Conversation, Line, Said
from ai.services.imports.chatgpt import contents
from ai.services.imports.drafts import Json, ThreadDraft, Unusable
from ai.stores.serialization import to_serializable

#: What is kept of a conversation beside its messages.
_KEPT = (
    "gizmo_id",
    "conversation_template_id",
    "is_archived",
    "is_starred",
    "default_model_slug",
    "conversation_origin",
)
_UNTITLED = "new chat"


def recognises(value: Any) -> bool:
    """Whether it is a conversation."""
    return isinstance(value, dict) and isinstance(value.get("mapping"), dict) and "current_node" in value


def drafts(value: Any, place: str, *, at: datetime) -> list[ThreadDraft]:
    """The thread that is shown, and a fork of it for every other branch.

    Raises:
        Unusable: it is no conversation, or a message in it cannot be read; nothing of it is taken then.
    """
    if not isinstance(value, dict):
        raise Unusable("It is no JSON object.")
    fields.require_shallow(value)
    value = to_serializable(value)
    nodes = _nodes(value)
    messages = {key: message for key, node in nodes.items() if isinstance(message := node.get("message"), dict)}
    current = value.get("current_node")
    conversation = Conversation(
        id=fields.identity(value, "conversation_id" if value.get("conversation_id") else "id"),
        place=place,
        at=fields.time(value, "create_time") or at,
        last_at=fields.time(value, "update_time"),
        parents={key: _parent(node) for key, node in nodes.items()},
        shown=[key for key, message in messages.items() if contents.is_shown(message)],
        line=lambda: _line(messages),
        current=current if isinstance(current, str) else None,
        title=_title(value),
        metadata={name: value[name] for name in _KEPT if value.get(name) not in (None, False)},
    )
    return conversation.drafts()


def _line(messages: dict[str, Json]) -> Line:
    line = contents.Line()

    def said(key: str) -> Iterator[Said]:
        if key in messages and (made := line.add(key, messages[key])):
            yield made

    return said


def _nodes(value: Json) -> dict[str, Json]:
    mapping = value.get("mapping")
    if not isinstance(mapping, dict):
        raise Unusable("It has no “mapping” with its messages.")
    return {key: node for key, node in mapping.items() if isinstance(node, dict)}


def _parent(node: Json) -> str | None:
    parent = node.get("parent")
    return parent if isinstance(parent, str) else None


def _title(value: Json) -> str:
    title = fields.text(value, "title")
    return "" if title.strip().lower() == _UNTITLED else title
