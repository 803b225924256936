"""Open WebUI's exports: chats with their branches, and feedback on answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from ai.models.feedback import Rating
from ai.services.imports import fields, outputs
from ai.services.imports.branching import Conversation, Said
from ai.services.imports.drafts import Draft, FeedbackDraft, Json, Refusal, Unusable
from ai.services.imports.reports import Report
from ai.services.imports.values import Document
from ai.stores.content import ROLES
from ai.stores.serialization import to_serializable

_DETAILS = re.compile(r'<details type="(?:reasoning|tool_calls|code_interpreter)".*?</details>\s*', re.DOTALL)


def recognises(value: Any) -> bool:
    """Whether it is a chat, or a rating of an answer."""
    return _is_chat(value) or _is_rating(value)


def read(documents: Iterable[Document], report: Report) -> Iterator[Draft]:
    """The chats, their branches as forks, and what people thought of answers."""
    for document in documents:
        report.count()
        is_rating = _is_rating(document.value)
        try:
            yield from _rating(document) if is_rating else _chat(document, at=report.at)
        except Unusable as error:
            found = document.value.get("id") if isinstance(document.value, dict) else None
            named = found[:255] if isinstance(found, str) else ""
            report.refuse(Refusal("feedback" if is_rating else "thread", document.place, str(error), named))


def _is_chat(value: Any) -> bool:
    chat = value.get("chat") if isinstance(value, dict) else None
    return isinstance(chat, dict) and (isinstance(chat.get("history"), dict) or isinstance(chat.get("messages"), list))


def _is_rating(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "rating" and isinstance(value.get("meta"), dict)


# -- Chats


def _chat(document: Document, *, at: datetime) -> Iterator[Draft]:
    if not _is_chat(document.value):
        raise Unusable("It has no “chat” with messages.")
    fields.require_shallow(document.value)
    value = to_serializable(document.value)
    chat = value["chat"]
    messages, current = _messages(chat)
    thread_id = fields.identity(value if value.get("id") else chat)
    user_id = fields.text(value, "user_id", most=255) or None
    tags = fields.mapping(value, "meta").get("tags") or chat.get("tags")
    conversation = Conversation(
        id=thread_id,
        place=document.place,
        at=fields.time(value, "created_at") or fields.time(chat, "timestamp") or at,
        last_at=fields.time(value, "updated_at"),
        parents={key: _parent(message) for key, message in messages.items()},
        shown=messages,
        line=lambda: lambda key: _said(messages[key]) if key in messages else (),
        current=current,
        title=fields.text(value, "title") or fields.text(chat, "title"),
        user_id=user_id,
        tags=[str(tag) for tag in tags] if isinstance(tags, list) and tags else None,
        metadata=_kept(value),
    )
    yield from conversation.drafts()
    for key, message in messages.items():
        if opinion := _annotated(key, message, thread_id, user_id or "", document.place, conversation.at):
            yield opinion


def _messages(chat: Json) -> tuple[dict[str, Json], str | None]:
    """The messages by id, and the one that is shown last; older chats have only a list of them."""
    history = fields.mapping(chat, "history")
    found = {key: item for key, item in fields.mapping(history, "messages").items() if isinstance(item, dict)}
    if found:
        return found, fields.text(history, "currentId") or None
    made, before = {}, None
    for number, message in enumerate(fields.objects(chat, "messages"), start=1):
        key = str(message.get("id") or number)
        made[key] = {**message, "parentId": before}
        before = key
    return made, before


def _parent(message: Json) -> str | None:
    found = message.get("parentId")
    return found if isinstance(found, str) else None


def _kept(value: Json) -> Json:
    return {name: value[name] for name in ("folder_id", "share_id", "archived", "pinned") if value.get(name)}


def _said(message: Json) -> list[Said]:
    role = message.get("role")
    if role not in ROLES:
        raise Unusable(f"Its message {fields.shown(message.get('id'))} has the role {fields.shown(role)}.")
    at = fields.time(message, "timestamp")
    model = fields.text(message, "model")
    data = {"model": model} if model and role == "assistant" else {}
    made = outputs.messages(message.get("output")) or [_plain(message, str(role))]
    if files := _files(message):
        made[0]["attachments"] = files
    return [Said(each, data if each["role"] == "assistant" else {}, at) for each in made]


def _plain(message: Json, role: str) -> Json:
    content = message.get("content")
    if isinstance(content, list):
        return {"role": role, "content": content}
    text = fields.text(message, "content")
    return {"role": role, "content": _DETAILS.sub("", text) if role == "assistant" else text}


def _files(message: Json) -> list[Json]:
    given = message.get("files")
    found = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    return [{"file_id": str(item["id"]), "name": str(item.get("name") or "")} for item in found if item.get("id")]


# -- Feedback


def _annotated(key: str, message: Json, thread_id: str, user: str, place: str, at: datetime) -> FeedbackDraft | None:
    annotation = fields.mapping(message, "annotation")
    values = _values(annotation)
    if not values:
        return None
    return FeedbackDraft(
        id=f"{thread_id}/{key}/{user}",
        place=place,
        at=fields.time(message, "timestamp") or at,
        thread_id=thread_id,
        message_id=fields.as_identity(key),
        user_id=user or "openwebui",
        values=values,
    )


def _rating(document: Document) -> Iterator[Draft]:
    value = to_serializable(document.value)
    meta, values = fields.mapping(value, "meta"), _values(fields.mapping(value, "data"))
    if not values:
        raise Unusable("It has no rating.")
    user = fields.text(value, "user_id", most=255)
    thread_id, message_id = fields.identity(meta, "chat_id"), fields.identity(meta, "message_id")
    yield FeedbackDraft(
        id=f"{thread_id}/{message_id}/{user}",
        place=document.place,
        at=fields.created(value),
        thread_id=thread_id,
        message_id=message_id,
        user_id=user or "openwebui",
        values=values,
    )


def _values(given: Json) -> Json:
    thumb = {"1": Rating.UP, "-1": Rating.DOWN}.get(str(given.get("rating")))
    if thumb is None:
        return {}
    return {
        "rating": str(thumb),
        "comment": fields.text(given, "comment"),
        "label": fields.text(given, "reason")[:100],
    }
