"""Assistants-style threads: `/threads` at OpenAI's old address, Azure's, another console's, or a compatible server's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Any

from ai.exceptions import RemoteMissing
from ai.remote import digests
from ai.remote.lines import path
from ai.remote.port import PAGE, Json, Page, RemoteConversations, RemoteMessage
from ai.stores.content import text_of

ROLES = ("user", "assistant")
MOST_METADATA = 16


class AssistantsThreads(RemoteConversations):
    """Threads with user's and assistants' messages; what a message says cannot be changed there, its metadata can."""

    kind = "thread"
    label = "Assistants-style threads"

    async def pages(self, remote_id: str, *, newest_first: bool, after: str = "") -> AsyncGenerator[Page, None]:
        """Pages of up to 100 messages."""
        order = "desc" if newest_first else "asc"
        while True:
            where = path("threads", remote_id, "messages")
            answer = await self.line.get(where, order=order, limit=PAGE, after=after)
            found = [message_of(item) for item in _objects(answer)]
            onward = found[-1].id if found and answer.get("has_more") else ""
            yield Page(found, onward)
            if not onward or onward == after:
                return
            after = onward

    async def exists(self, remote_id: str) -> bool:
        """Whether the thread is there."""
        try:
            await self.line.get(path("threads", remote_id))
        except RemoteMissing:
            return False
        return True

    async def create(self, *, metadata: dict[str, str]) -> str:
        """A new thread."""
        return str((await self.line.post("/threads", {"metadata": metadata}))["id"])

    def takes(self, message: Json) -> bool:
        """What users and assistants said in words."""
        return message.get("role") in ROLES and bool(text_of(message).strip() or _pictures(message))

    async def append(self, remote_id: str, messages: Sequence[Json]) -> list[RemoteMessage]:
        """One message for each call."""
        where = path("threads", remote_id, "messages")
        return [message_of(await self.line.post(where, _body(message))) for message in messages]

    async def edit(self, remote_id: str, message_id: str, *, before: Json, after: Json) -> RemoteMessage | None:
        """Other metadata; other words it takes not."""
        if digests.of_words(before) != digests.of_words(after):
            return None
        where = path("threads", remote_id, "messages", message_id)
        return message_of(await self.line.post(where, {"metadata": _metadata(after)}))


def message_of(item: Json) -> RemoteMessage:
    """A message in chat format: one text becomes the content, several parts stay parts."""
    message: Json = {"role": str(item.get("role") or "user"), **_content(item.get("content"))}
    attachments = item.get("attachments")
    if isinstance(attachments, list) and attachments:
        message["attachments"] = [each for each in attachments if isinstance(each, dict) and each.get("file_id")]
    if isinstance(item.get("metadata"), dict) and item["metadata"]:
        message["metadata"] = item["metadata"]
    if item.get("assistant_id"):
        message["assistant_id"] = item["assistant_id"]
    if item.get("status") == "incomplete":
        message |= {"status": "incomplete", "incomplete_details": item.get("incomplete_details") or {}}
    return RemoteMessage(str(item.get("id") or ""), message, moment(item.get("created_at")))


def moment(seconds: Any) -> datetime | None:
    """A time in Unix seconds; None for what is none."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _objects(answer: Json) -> list[Json]:
    data = answer.get("data")
    return [item for item in data if isinstance(item, dict) and item.get("id")] if isinstance(data, list) else []


def _content(content: Any) -> Json:
    if isinstance(content, str):
        return {"content": content}
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    if len(parts) == 1 and parts[0].get("type") == "text":
        text = parts[0].get("text")
        words = text if isinstance(text, dict) else {"value": text}
        more = {"annotations": words["annotations"]} if words.get("annotations") else {}
        return {"content": str(words.get("value") or ""), **more}
    return {"content": parts or ""}


def _body(message: Json) -> Json:
    """A message of ours as the API takes it."""
    content: Any = message.get("content")
    if not isinstance(content, str):
        text = text_of(message)
        words = [{"type": "text", "text": text}] if text else []
        content = [*words, *_pictures(message)]
    body: Json = {"role": message["role"], "content": content, "metadata": _metadata(message)}
    if attachments := message.get("attachments"):
        tools = [{"type": "file_search"}]
        body["attachments"] = [
            {"file_id": item.get("file_id") or item.get("id"), "tools": item.get("tools") or tools}
            for item in attachments
        ]
    return body


def _pictures(message: Json) -> list[Json]:
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    known = ("image_file", "image_url")
    return [
        {"type": part["type"], part["type"]: part.get(part["type"])}
        for part in parts
        if isinstance(part, dict) and part.get("type") in known
    ]


def _metadata(message: Json) -> dict[str, str]:
    given = message.get("metadata")
    pairs = list(given.items())[:MOST_METADATA] if isinstance(given, dict) else []
    return {str(name)[:64]: str(value)[:512] for name, value in pairs}
