"""Full-text search in titles and messages, bounded whatever the size of the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Model, OuterRef, Q, Subquery
from django.db.models.functions import Substr

from ai import ids
from ai.exceptions import NotFound
from ai.models import Assistant, AuditEntry, ChatThread, DataSource, Feedback, Message, Run, SearchDocument, words

#: So many matching titles and messages are looked at, the newest first.
MOST_MATCHES = 300

#: A search for messages finds no more than this.
MOST_MESSAGES = 500

#: Words that no index knows are looked for in this many of the newest rows.
WINDOW = 10_000

#: What the ids of files begin with.
_OF_FILES = ids.PREFIXES["file"]

#: An excerpt is taken from this much of a message's beginning.
EXCERPT_CHARACTERS = 4000


@dataclass(frozen=True)
class Hit:
    """A thread that matches: by its newest matching message, or by its title alone."""

    thread_id: UUID
    message_id: UUID | None
    document_id: int


def words_of(query: str) -> list[str]:
    """The words that a search looks for."""
    return [word for term in words.terms(query) for word in term.words]


def threads(query: str) -> dict[UUID, Hit]:
    """The threads in scope with a title or a message that holds every word of `query`, the newest match first.

    At most 300 matching titles and messages are looked at.
    """
    hits: dict[UUID, Hit] = {}
    for found in SearchDocument.objects.matching(query, most=MOST_MATCHES):
        known = hits.get(found.thread_id)
        if known is None or (known.message_id is None and found.message_id is not None):
            hits[found.thread_id] = Hit(found.thread_id, found.message_id, found.pk)
    return hits


def with_texts(queryset: Any, hits: Mapping[UUID, Hit]) -> Any:
    """Those of the queryset's threads that were found, each with the beginning of the message as `found_text`."""
    documents = [hit.document_id for hit in hits.values() if hit.message_id]
    of_thread = SearchDocument.objects.filter(thread_id=OuterRef("pk"), pk__in=documents).order_by("-pk")
    text = of_thread.values(shown=Substr("text", 1, EXCERPT_CHARACTERS))[:1]
    return queryset.filter(pk__in=list(hits)).annotate(found_text=Subquery(text))


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
    found = SearchDocument.objects.matching(query, most=most, titles_only=True)
    return list(ChatThread.objects.filter(pk__in=[document.thread_id for document in found]).latest_first())


@dataclass(frozen=True)
class Way:
    """How rows of a table are found by what somebody typed: by an id in one of these columns, else by words in these
    texts among the newest rows."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    newest: str = "-created"


WAYS: dict[type[Model], Way] = {
    Message: Way(("thread_id", "run_id"), ("preview",)),
    Run: Way(("thread_id", "replay_of_thread", "job_id"), ("error_message", "model")),
    DataSource: Way((), ("name",)),
    Assistant: Way((), ("name", "description")),
    Feedback: Way(("message_id", "thread_id"), ("comment", "label", "user_id"), "-given_at"),
    AuditEntry: Way((), ("action", "actor_name", "target_id"), "-at"),
}


def is_by_id(model: type[Model], typed: str) -> bool:
    """Whether rows of the model are found by an id in what somebody typed: as a filter, without any bound."""
    term = typed.replace("\x00", "").strip()
    if model in (ChatThread, AuditEntry):
        return False  # what is no thread's id is looked for as words; what the audit log tells of has ids of any kind
    if model is DataSource and term.startswith(_OF_FILES):
        return True
    try:
        ids.parse(term)
    except NotFound:
        return False
    return True


def rows(queryset: Any, typed: str) -> Any:
    """Those of the queryset's threads, messages, runs, files or feedback that what somebody typed finds: by id, or by words.

    At most 300 matching titles and messages, the newest 500 messages, or the newest 10,000 rows of the others are looked at.
    """
    term = typed.replace("\x00", "").strip()
    if not term:
        return queryset
    if queryset.model is ChatThread:
        known = by_id(term)
        return queryset.filter(pk__in=[known.pk] if known else list(threads(term)))
    if queryset.model is DataSource and term.startswith(_OF_FILES):
        return queryset.filter(file_id=term)
    way = WAYS[queryset.model]
    if not is_by_id(queryset.model, term):
        return _with_words(queryset, term, way)
    key = ids.parse(term)
    wanted = Q(pk=key)
    for name in way.ids:
        wanted |= Q(**{name: queryset.model._meta.get_field(name).to_python(str(key))})
    return queryset.filter(wanted)


def _with_words(queryset: Any, term: str, way: Way) -> Any:
    model: Any = queryset.model
    if model is Message:
        found = SearchDocument.objects.matching(term, most=MOST_MESSAGES)
        return queryset.filter(pk__in=[row.message_id for row in found if row.message_id])
    newest = model.objects.order_by(way.newest, "-pk").values("pk")[:WINDOW]
    wanted = Q()
    for name in way.texts:
        wanted |= Q(**{f"{name}__icontains": term})
    return queryset.filter(wanted, pk__in=newest)
