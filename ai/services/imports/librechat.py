"""LibreChat's exports: one conversation a file, its messages in a list or as a tree of `children`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from ai.models.feedback import THUMBS
from ai.services.imports import fields
from ai.services.imports.branching import Conversation, Said
from ai.services.imports.drafts import Draft, FeedbackDraft, Json, Refusal, Unusable
from ai.services.imports.reports import Report
from ai.services.imports.values import Document
from ai.stores.serialization import to_serializable

_LISTS = ("messagesTree", "messages")
_KEPT = ("endpoint", "exportAt")


def recognises(value: Any) -> bool:
    """Whether it is a conversation."""
    return (
        isinstance(value, dict)
        and "conversationId" in value
        and any(isinstance(value.get(name), list) for name in _LISTS)
    )


def read(documents: Iterable[Document], report: Report) -> Iterator[Draft]:
    """The conversations, their branches as forks, and what people thought of answers."""
    for document in documents:
        report.count()
        try:
            yield from _conversation(document, at=report.at)
        except Unusable as error:
            found = document.value.get("conversationId") if isinstance(document.value, dict) else None
            named = found[:255] if isinstance(found, str) else ""
            report.refuse(Refusal("thread", document.place, str(error), named))


def _conversation(document: Document, *, at: datetime) -> Iterator[Draft]:
    if not recognises(document.value):
        raise Unusable("It has no “conversationId” with “messages”.")
    given = next(document.value[name] for name in _LISTS if isinstance(document.value.get(name), list))
    messages = _messages(given)
    times = [time for message in messages.values() if (time := fields.time(message, "createdAt"))]
    value = to_serializable({key: item for key, item in document.value.items() if key not in _LISTS})
    thread_id = fields.identity(value, "conversationId")
    options = fields.mapping(value, "options")
    conversation = Conversation(
        id=thread_id,
        place=document.place,
        at=min(times, default=at),
        parents=_parents(messages),
        shown=messages,
        line=lambda: lambda key: _said(messages[key]) if key in messages else (),
        title=fields.text(value, "title"),
        user_id=next((user for each in messages.values() if (user := fields.text(each, "user", most=255))), None),
        metadata={name: value[name] for name in _KEPT if value.get(name)} | {"options": options},
    )
    yield from conversation.drafts()
    for key, message in messages.items():
        if opinion := _opinion(key, message, thread_id, document.place, conversation.at):
            yield opinion


def _messages(given: list[Any]) -> dict[str, Json]:
    """All messages by id, whether they lie in a list or in each other; no depth is too great for the latter."""
    found: dict[str, Json] = {}
    waiting = list(reversed(given))
    while waiting:
        item = waiting.pop()
        if not isinstance(item, dict):
            raise Unusable("One of its messages is no object.")
        children = item.get("children")
        waiting += reversed(children if isinstance(children, list) else [])
        own = {name: value for name, value in item.items() if name != "children"}
        fields.require_shallow(own)
        key = fields.identity(own, "messageId")
        if key in found:
            raise Unusable(f"Two of its messages have the id {key}.")
        found[key] = to_serializable(own)
    return found


def _parents(messages: dict[str, Json]) -> dict[str, str | None]:
    """Each message's parent; where none of them names one that is there, each follows the one before it."""
    named = {key: message.get("parentMessageId") for key, message in messages.items()}
    if any(parent in messages for parent in named.values() if isinstance(parent, str)) or len(named) < 2:
        return {key: parent if isinstance(parent, str) else None for key, parent in named.items()}
    keys = list(named)
    return dict(zip(keys, [None, *keys[:-1]], strict=True))


# -- Messages


def _said(message: Json) -> list[Said]:
    at, model = fields.time(message, "createdAt"), fields.text(message, "model")
    by_user = message.get("isCreatedByUser")
    if by_user is None:
        by_user = str(message.get("sender")).lower() == "user"
    if by_user:
        made: list[Json] = [{"role": "user", "content": fields.text(message, "text") or _words(message)}]
    else:
        made = _answer(message)
    if files := _files(message):
        made[0]["attachments"] = files
    data = {"model": model} if model else {}
    return [Said(each, data if each["role"] == "assistant" else {}, at) for each in made]


def _answer(message: Json) -> list[Json]:
    """The answer; one of several parts, such as calls of tools, is several messages."""
    parts = message.get("content")
    made: list[Json] = []
    thoughts: list[str] = []
    for part in parts if isinstance(parts, list) else []:
        if not isinstance(part, dict):
            continue
        if part.get("type") == "think":
            thoughts.append(_text(part.get("think")))
        elif part.get("type") == "tool_call" and isinstance(part.get("tool_call"), dict):
            made += _call(part["tool_call"])
        elif text := _text(part.get("text")):
            made.append({"role": "assistant", "content": text})
    if not made:
        made = [{"role": "assistant", "content": fields.text(message, "text")}]
    if thoughts:
        made[0]["reasoning_content"] = "\n\n".join(thoughts)
    return made


def _call(call: Json) -> list[Json]:
    arguments = call.get("args")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    call_id = str(call.get("id") or "")
    function = {"name": str(call.get("name") or ""), "arguments": text}
    asked = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call_id, "type": "function", "function": function}],
    }
    if call.get("output") is None:
        return [asked]
    return [asked, {"role": "tool", "tool_call_id": call_id, "content": str(call["output"])}]


def _words(message: Json) -> str:
    parts = message.get("content")
    found = (_text(part.get("text")) for part in parts if isinstance(part, dict)) if isinstance(parts, list) else ()
    return "\n".join(text for text in found if text)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("value")
    return value if isinstance(value, str) else ""


def _files(message: Json) -> list[Json]:
    given = message.get("files")
    found = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    return [
        {"file_id": str(item["file_id"]), "name": str(item.get("filename") or "")}
        for item in found
        if item.get("file_id")
    ]


# -- Feedback


def _opinion(key: str, message: Json, thread_id: str, place: str, at: datetime) -> FeedbackDraft | None:
    given = fields.mapping(message, "feedback")
    thumb = THUMBS.get(str(given.get("rating")).lower())
    if thumb is None:
        return None
    tag = given.get("tag")
    label = tag.get("key") if isinstance(tag, dict) else tag
    user = fields.text(message, "user", most=255)
    return FeedbackDraft(
        id=f"{thread_id}/{key}/{user}",
        place=place,
        at=fields.time(message, "updatedAt") or fields.time(message, "createdAt") or at,
        thread_id=thread_id,
        message_id=key,
        user_id=user or "librechat",
        values={"rating": str(thumb), "comment": fields.text(given, "text"), "label": str(label or "")[:100]},
    )
