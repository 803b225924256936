"""What an import wrote, in short."""

from __future__ import annotations

from typing import Any

from ai.models import ChatThread, Feedback, Message
from ai.stores.content import text_of, tool_calls_of


def thread(external_id: str | None = None, **filters: Any) -> ChatThread:
    """The only thread, or the one that the dump calls so."""
    if external_id is not None:
        filters["external_id"] = external_id
    found: ChatThread = ChatThread.objects.get(**filters)
    return found


def messages(of: ChatThread) -> list[dict[str, Any]]:
    """The thread's messages as they are kept."""
    rows: Any = Message.objects.list_thread_messages(of.pk)
    return list(rows.values_list("message", flat=True))


def lines(of: ChatThread) -> list[str]:
    """“role: words” for each message of the thread; a call is “role: name(arguments)”."""
    found = []
    for message in messages(of):
        calls = [f"{call['name']}({call['arguments']})" for call in tool_calls_of(message)]
        found.append(f"{message['role']}: {' '.join([text_of(message), *calls]).strip()}")
    return found


def forks(of: ChatThread) -> list[list[str]]:
    """The lines of every fork of the thread."""
    rows = ChatThread.objects.filter(forked_from=of.pk).order_by("created", "pk")
    return sorted(lines(row) for row in rows)


def opinions() -> list[tuple[str, str, str, str]]:
    """Rating, comment, who gave it, and the words that it is about."""
    rows = Feedback.objects.order_by("given_at", "user_id")
    words = {row.pk: row.preview for row in Message.objects.all()}
    return [(row.rating, row.comment, row.user_id, words[row.message_id]) for row in rows]
