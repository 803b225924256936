"""Threads with their messages, and each as a line in OpenAI's chat format, which an import reads again.

A line is `{"id", "title"?, "created_at", "updated_at", "user_id"?, "model"?, "tags"?, "metadata"?, "messages": [message]}`.
A message is as it was said. It also gets the `id` that it is known by elsewhere or here, and a `created_at` where it did not
begin with the message before it, unless it has its own; ids and times that came with a conversation stay as they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import IO, Any
from uuid import UUID

from ai import ids
from ai.models import ChatThread, ForeignId, Message
from ai.services.exports.rows import Written
from ai.services.tables import dumps

#: So many threads, and about so many messages or characters of messages, are in memory at a time.
MOST_THREADS = 200
MOST_MESSAGES = 4000
MOST_CHARACTERS = 4 * 1024 * 1024

#: Messages that are asked for at once: any of them may be long.
MESSAGES_AT_ONCE = 32

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """A message with what is known of it."""

    id: UUID
    message: Json
    sequence: int
    created: datetime
    external_id: str | None
    run_id: str | None

    @property
    def characters(self) -> int:
        """About how long it is."""
        content = (self.message or {}).get("content")
        return len(content) if isinstance(content, str) else len(str(content))


def write(noun: str, querysets: Iterable[Any], out: IO[bytes], *, is_first: bool = True) -> Written:
    """Write each thread as a line, message by message."""
    written = Written()
    for threads in _groups(querysets):
        texts = ForeignId.objects.texts(thread.pk for thread in threads)
        for thread, said in with_messages(threads):
            out.write(b'%s, "messages": [' % dumps(_head(thread, texts)).encode()[:-1])
            before, separator = thread.created, b""
            for each in said:
                out.write(separator + dumps(_message(each, before)).encode())
                before, separator = each.created, b", "
            out.write(b"]}\n")
        written.add(Written(len(threads), len(threads)))
    return written


def of(querysets: Iterable[Any]) -> Iterator[tuple[ChatThread, list[Said]]]:
    """Each thread with its messages in order."""
    for threads in _groups(querysets):
        for thread, said in with_messages(threads):
            yield thread, list(said)


def with_messages(threads: list[ChatThread]) -> Iterator[tuple[ChatThread, Iterator[Said]]]:
    """The threads, each with its messages as they come from the database: one query.

    Messages of a thread must be read before those of the next.
    """
    # The threads are in scope. With their tenant in the query too, SQLite would read all that the tenant has.
    rows = Message._base_manager.filter(thread_id__in=[str(thread.pk) for thread in threads])
    rows = rows.order_by("thread_id", "sequence", "pk")
    columns = ("pk", "message", "sequence", "created", "external_id", "run_id", "thread_id")
    found = groupby(rows.values_list(*columns).iterator(chunk_size=MESSAGES_AT_ONCE), key=lambda row: row[-1])
    owner, group = next(found, (None, iter(())))
    for thread in sorted(threads, key=lambda thread: str(thread.pk)):
        if owner != str(thread.pk):
            yield thread, iter(())
            continue
        yield thread, (Said(*row[:-1]) for row in group)
        owner, group = next(found, (None, iter(())))


def _groups(querysets: Iterable[Any]) -> Iterator[list[ChatThread]]:
    """The threads, a few at a time: as many as have some thousands of messages together."""
    group: list[ChatThread] = []
    messages = 0
    for queryset in querysets:
        for thread in queryset.iterator(chunk_size=MOST_THREADS):
            if group and (len(group) >= MOST_THREADS or messages + thread.message_count > MOST_MESSAGES):
                yield group
                group, messages = [], 0
            group.append(thread)
            messages += thread.message_count
    if group:
        yield group


def _head(thread: ChatThread, texts: dict[UUID, str]) -> Json:
    metadata = (thread.data or {}).get("metadata") if isinstance(thread.data, dict) else None
    known = {
        "title": thread.name,
        "user_id": thread.user_id,
        "model": thread.model,
        "tags": thread.tags,
        "metadata": metadata,
    }
    return {
        "id": texts.get(thread.pk, str(thread.pk)),
        "created_at": _time(thread.created),
        "updated_at": _time(thread.last_activity_at),
        **{name: value for name, value in known.items() if value},
    }


def _message(said: Said, before: datetime) -> Json:
    """The message as it was said, with its id and time where they are not what a reader would take them for."""
    message = dict(said.message or {})
    if said.external_id or not ids.may_be_adopted(said.id):
        message.setdefault("id", said.external_id or str(said.id))
    if said.created != before:
        message.setdefault("created_at", _time(said.created))
    return message


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
