"""Full-text search in titles and messages, bounded whatever the size of the tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from ai import ids
from ai.exceptions import NotFound
from ai.models import ChatThread, SearchDocument

#: So many matching titles and messages are looked at, the newest first.
MOST_MATCHES = 400

_WORD = re.compile(r"\w+", re.UNICODE)
MOST_WORDS = 12


@dataclass(frozen=True)
class Hit:
    """A thread that matches: the newest matching message and how it begins, or None when only the title does."""

    thread_id: UUID
    message_id: UUID | None
    text: str


def words_of(query: str) -> list[str]:
    """The words that a search looks for, at most 12."""
    return _WORD.findall(query)[:MOST_WORDS]


def threads(query: str) -> dict[UUID, Hit]:
    """The threads in scope with a title or a message that holds every word of `query`, the newest match first.

    At most 400 matching titles and messages are looked at. Words match by their beginnings.
    """
    words = words_of(query)
    if not words:
        return {}
    hits: dict[UUID, Hit] = {}
    for found in SearchDocument.objects.matching(" ".join(words), most=MOST_MATCHES):
        known = hits.get(found.thread_id)
        if known is None or (known.message_id is None and found.message_id is not None):
            hits[found.thread_id] = Hit(found.thread_id, found.message_id, found.beginning)
    return hits


def by_id(text: str) -> ChatThread | None:
    """The thread in scope that `text` is an id of: a UUID, or `thread_…`."""
    try:
        key = ids.parse(text.strip())
    except NotFound:
        return None
    found: ChatThread | None = ChatThread.objects.filter(pk=key).first()
    return found


def titles(query: str, *, most: int) -> list[ChatThread]:
    """The threads in scope whose title holds every word of `query`, the latest active first."""
    words = words_of(query)
    if not words:
        return []
    keys = [d.thread_id for d in SearchDocument.objects.matching(" ".join(words), most=most, titles_only=True)]
    return list(ChatThread.objects.filter(pk__in=keys).latest_first())
