"""
Rows as Marvin's messages: what Marvin wrote comes back as it was, what others wrote is converted.

A row that Marvin wrote keeps in `data["marvin"]` its `messages`, in order, each with its id: those that the row shows, and
after them those that nobody needs to read. `calls` are the calls of a language model that ended with the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from marvin.engine.llm import PydanticAIMessage
from marvin.thread import Message as MarvinMessage
from pydantic_ai.messages import ModelRequest, SystemPromptPart

from ai.marvin.messages import revived
from ai.models import Message
from ai.runner import attachments, context
from ai.stores.content import tool_calls_of

Json = dict[str, Any]

#: Where a row's `data` keeps what Marvin wants back.
KEY = "marvin"


@dataclass(frozen=True)
class Remembered:
    """A message of a thread; `is_prompt` says that it is Marvin's own prompt, which it makes anew for each turn."""

    message: MarvinMessage
    is_prompt: bool = False


def kept(row: Message) -> Json | None:
    """What Marvin keeps with a row; None when somebody else wrote it."""
    found = row.data.get(KEY) if isinstance(row.data, dict) else None
    return found if isinstance(found, dict) else None


def with_more(row: Message, *, messages: Iterable[Json] = (), calls: Iterable[Json] = ()) -> Json:
    """What Marvin keeps with the row, and this too."""
    before = kept(row)
    if before is None:  # somebody else's row: what it says comes first
        before = {"messages": [None], "calls": []}
    return {
        "messages": [*(before.get("messages") or []), *messages],
        "calls": [*(before.get("calls") or []), *calls],
    }


def remembered(rows: Iterable[Message], *, thread_id: str) -> list[Remembered]:
    """The messages of rows that are a thread's, in order."""
    found: list[Remembered] = []
    waiting: list[Message] = []
    for row in rows:
        if _goes_on(waiting, row):
            waiting.append(row)
            continue
        found += _segment(waiting, thread_id)
        waiting = [row]
    return found + list(_segment(waiting, thread_id))


def _is_plain(row: Message) -> bool:
    """Whether somebody else wrote what the row shows."""
    own = kept(row)
    return own is None or (own.get("messages") or [])[:1] == [None]


def _goes_on(waiting: list[Message], row: Message) -> bool:
    """Whether the row belongs with those before it: results with the calls that they answer."""
    if not waiting or row.role != "tool" or not _is_plain(row):
        return False
    return _is_plain(waiting[0]) and bool(tool_calls_of(waiting[0].message))


def _segment(rows: list[Message], thread_id: str) -> Iterator[Remembered]:
    if rows and _is_plain(rows[0]):
        yield from _converted(rows, thread_id)
    for row in rows:
        for item in (kept(row) or {}).get("messages") or []:
            if item is not None:
                message, key = revived(item), UUID(item["id"])
                # One that people read has its row's id, and is somebody's own.
                prompt = key != row.pk and _is_prompt(message)
                yield _remembered(message, key, thread_id, row.created, is_prompt=prompt)


def _is_prompt(message: PydanticAIMessage) -> bool:
    return isinstance(message, ModelRequest) and any(isinstance(part, SystemPromptPart) for part in message.parts)


def _converted(rows: list[Message], thread_id: str) -> Iterator[Remembered]:
    [history] = attachments.with_contents([[row.message or {} for row in rows]])
    for index, message in enumerate(context.messages(history)):
        key = rows[0].pk if index == 0 else uuid5(rows[0].pk, str(index))
        yield _remembered(message, key, thread_id, rows[0].created)


def _remembered(message: Any, key: UUID, thread_id: str, created: datetime, *, is_prompt: bool = False) -> Remembered:
    return Remembered(MarvinMessage(id=key, thread_id=thread_id, message=message, created_at=created), is_prompt)
