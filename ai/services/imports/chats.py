"""OpenAI's chat format: `{"id"?, "title"?, "metadata"?, "messages": […]}` a line or an array's item, also for fine-tuning.

A thread may also carry `created_at`, `user_id`, `tags` and `model`, and a message `id` and `created_at`; what has no id
of its own gets one from its content and the place among its equals, so that the same file again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from ai.services.imports import fields, identities
from ai.services.imports.drafts import Draft, Json, MessageDraft, Refusal, ThreadDraft, Unusable
from ai.services.imports.identities import MessageNames
from ai.services.imports.reports import Report
from ai.services.imports.stages import Occurrences
from ai.services.imports.values import Document
from ai.stores.content import ROLES
from ai.stores.serialization import to_serializable

_TITLES = ("title", "name")
_TIMES = ("created_at", "created", "create_time", "timestamp")
#: What has messages too and is of another format.
_OTHERS = frozenset({"thread", "export_schema", "object", "exportAt", "inputs"})
_LAST_TIMES = ("updated_at", "modified", "last_activity_at")


def recognises(value: Any) -> bool:
    """Whether it is a thread in chat format."""
    if not isinstance(value, dict) or not isinstance(value.get("messages"), list):
        return False
    first = next((message for message in value["messages"] if isinstance(message, dict)), None)
    return value.keys().isdisjoint(_OTHERS) and (first is None or ("role" in first and not _is_of_assistants(first)))


def _is_of_assistants(message: Json) -> bool:
    """Whether it is a message as the Assistants API has it."""
    content = message.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return "object" in message or "thread_id" in message or any(isinstance(part.get("text"), dict) for part in parts)


def read(documents: Iterable[Document], report: Report) -> Iterator[Draft]:
    """A thread for each object."""
    with Occurrences() as seen:
        for document in documents:
            report.count()
            try:
                yield _thread(document, seen, at=report.at)
            except Unusable as error:
                report.refuse(Refusal("thread", document.place, str(error), _id(document.value)))


def messages(given: Any, *, thread_id: str, place: str, at: datetime) -> list[MessageDraft]:
    """The messages of a thread that began at `at`; one without a time is as old as the one before it.

    Raises:
        Unusable: one of them is no message.
    """
    if not isinstance(given, list):
        raise Unusable("Its “messages” is no list.")
    line = _Line(thread_id, place)
    found = []
    for number, item in enumerate(given, start=1):
        try:
            made = line.message(item, at=at)
            found.append(made)
            at = made.at
        except Unusable as error:
            raise Unusable(f"Message {number}: {error}") from error
    return found


def normal(item: Any) -> Json:
    """A message as it can be kept: with a known role, and with content and calls of the right kind.

    Raises:
        Unusable.
    """
    if not isinstance(item, dict):
        raise Unusable("It is no object.")
    message: Json = item
    role = message.get("role")
    if role == "function":
        name = str(message.get("name") or "")
        message = {**message, "role": "tool", "tool_call_id": f"function_{name}"}
    elif role not in ROLES:
        raise Unusable(f"Its role {fields.shown(role)} is none of {', '.join(ROLES)}.")
    if not isinstance(message.get("content"), str | list | None):
        raise Unusable(f"Its “content” is neither a text nor a list of parts: {fields.shown(message['content'])}.")
    fields.objects(message, "tool_calls")
    if isinstance(call := message.get("function_call"), dict) and not message.get("tool_calls"):
        made = {"id": f"function_{call.get('name') or ''}", "type": "function", "function": call}
        message = {**message, "tool_calls": [made]}
    return message


def _thread(document: Document, seen: Occurrences, *, at: datetime) -> ThreadDraft:
    value = document.value
    if not isinstance(value, dict):
        raise Unusable("It is no JSON object.")
    fields.require_shallow(value)
    own = identities.given(value.get("id")) or identities.given(value.get("thread_id"))
    if not isinstance(value.get("messages"), list):
        raise Unusable("Its “messages” is no list.")
    value = to_serializable(value)
    thread_id = own[0] if own else _derived(value["messages"], seen)
    begun = fields.first_time(value, _TIMES)
    said = messages(value["messages"], thread_id=thread_id, place=document.place, at=begun or at)
    return ThreadDraft(
        id=thread_id,
        place=document.place,
        at=begun or (said[0].at if said else at),
        last_at=fields.first_time(value, _LAST_TIMES),
        title=next((found for name in _TITLES if (found := fields.text(value, name))), ""),
        data={"metadata": fields.metadata(value)},
        external_id=own[1] if own else None,
        user_id=fields.text(value, "user_id", most=255) or None,
        tags=fields.texts(value, "tags") or None,
        model=fields.text(value, "model")[:255],
        messages=said,
    )


def _derived(said: Sequence[Any], seen: Occurrences) -> str:
    key = identities.digest(said)
    return f"chat-{key}-{seen.next(key)}"


class _Line:
    """The messages of one thread, one after the other."""

    def __init__(self, thread_id: str, place: str) -> None:
        self._thread_id, self._place = thread_id, place
        self._names = MessageNames()
        self._ids: set[str] = set()

    def message(self, item: Any, *, at: datetime) -> MessageDraft:
        """The next message."""
        message = normal(item)
        own = identities.given(message.get("id"))
        if own and own[0] in self._ids:
            raise Unusable(f"Another message of the thread has its id, {own[1]}.")
        if own:
            self._ids.add(own[0])
        return MessageDraft(
            id=f"{self._thread_id}/{own[0] if own else self._names.of(message)}",
            place=self._place,
            at=fields.first_time(message, _TIMES) or at,
            message=message,
            external_id=own[1] if own else None,
        )


def _id(value: Any) -> str:
    found = value.get("id") if isinstance(value, dict) else None
    return found[:255] if isinstance(found, str) else ""
