"""What the server keeps: threads, conversations, responses, completions and files, as their APIs tell them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

EPOCH = 1_750_000_000


@dataclass
class State:
    """All of it, oldest first."""

    threads: dict[str, list[Json]] = field(default_factory=dict)
    conversations: dict[str, list[Json]] = field(default_factory=dict)
    responses: dict[str, Json] = field(default_factory=dict)
    input_items: dict[str, list[Json]] = field(default_factory=dict)
    completions: dict[str, Json] = field(default_factory=dict)
    completion_messages: dict[str, list[Json]] = field(default_factory=dict)
    files: dict[str, tuple[Json, bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)

    def new_id(self, prefix: str) -> str:
        """An id that nothing else has."""
        return f"{prefix}{next(self._numbers):08d}"

    # -- Assistants
    def thread(self, *texts: str, thread_id: str = "", **more: Any) -> str:
        """A thread in which user and assistant say these in turn; its id."""
        key = thread_id or self.new_id("thread_")
        self.threads.setdefault(key, [])
        for number, text in enumerate(texts):
            self.say(key, text, role=("user", "assistant")[number % 2], **more)
        return key

    def say(self, thread_id: str, content: Any, *, role: str = "user", **more: Any) -> Json:
        """One more message in a thread."""
        message: Json = {
            "id": self.new_id("msg_"),
            "object": "thread.message",
            "created_at": EPOCH + len(self.threads[thread_id]),
            "thread_id": thread_id,
            "status": "completed",
            "role": role,
            "content": _parts(content),
            "assistant_id": None,
            "run_id": None,
            "attachments": [],
            "metadata": {},
            **{name: value for name, value in more.items() if value is not None},
        }
        self.threads[thread_id].append(message)
        return message

    def edit(self, thread_id: str, place: int, text: str) -> None:
        """Let a message say something else, as servers do that allow it."""
        self.threads[thread_id][place]["content"] = _parts(text)

    # -- Conversations
    def conversation(self, *items: Json) -> str:
        """A conversation of these items; its id."""
        key = self.new_id("conv_")
        self.conversations[key] = []
        self.add_items(key, items)
        return key

    def add_items(self, conversation_id: str, items: Sequence[Json]) -> list[Json]:
        """More items, which get ids."""
        made = [{"id": self.new_id("item_"), "status": "completed", **item} for item in items]
        self.conversations[conversation_id] += made
        return made

    # -- Files
    def file(self, content: bytes, *, name: str = "paper.txt", purpose: str = "assistants") -> str:
        """A file; its id."""
        key = self.new_id("file-")
        facts = {"id": key, "object": "file", "bytes": len(content), "filename": name, "purpose": purpose}
        self.files[key] = ({**facts, "created_at": EPOCH, "status": "processed"}, content)
        return key


def _parts(content: Any) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "text": {"value": content, "annotations": []}}]
    return [_part(part) for part in content]


def _part(part: Json) -> Json:
    if part.get("type") == "text" and isinstance(part.get("text"), str):
        return {"type": "text", "text": {"value": part["text"], "annotations": []}}
    return part


def words(role: str, text: str) -> Json:
    """A message item of a conversation."""
    kind = "output_text" if role == "assistant" else "input_text"
    more: Json = {"annotations": []} if role == "assistant" else {}
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text, **more}]}
