"""The text that a search looks in: one document a title and one a message.

The full-text index itself is made by migration `0002_search`: an FTS5 table kept by triggers on SQLite, a generated
`tsvector` column with a GIN index on PostgreSQL. Both also hold each document's tenant and whether it is a title, so
that a search reads the newest matches it may show and nothing else. `ai.models.words` says what counts as a word.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from django.db import connections, models, router

from ai import tenancy
from ai.models.base import TenantManager
from ai.models.words import Term, grams, terms

#: Longer texts are found by their beginning: PostgreSQL's `tsvector` holds at most 1 MiB.
INDEXED_CHARACTERS = 100_000

NEWEST_SQLITE = """ai_search_document.id IN (
    SELECT rowid FROM ai_search_fts WHERE ai_search_fts MATCH %s ORDER BY rowid DESC LIMIT %s
)"""
MATCHING_POSTGRESQL = "ai_search_document.vector @@ (%s::tsquery && to_tsquery('simple', %s))"


class Match(NamedTuple):
    """A title (`message_id` is None) or message that a search found; `pk` is its `SearchDocument`."""

    pk: int
    thread_id: UUID
    message_id: UUID | None


class SearchDocumentManager(TenantManager):
    """Writes documents and finds them."""

    def index(self, documents: Iterable[SearchDocument]) -> None:
        """Add documents of messages that were just created."""
        self.bulk_create([d.prepared() for d in documents if d.text], batch_size=1000)

    def retitle(self, *, thread_id: UUID, tenant_id: UUID | None, title: str) -> None:
        """Replace the thread's title."""
        titles = self.model._base_manager.filter(thread_id=thread_id, message_id__isnull=True)
        document = self.model(tenant_id=tenant_id, thread_id=thread_id, text=title).prepared()
        if title and not titles.update(text=document.text, grams=document.grams):
            document.save(force_insert=True)
        elif not title:
            titles.delete()

    def rewrite(self, document: SearchDocument) -> None:
        """Replace a message's text."""
        rows = self.model._base_manager.filter(thread_id=document.thread_id, message_id=document.message_id)
        prepared = document.prepared()
        if not prepared.text:
            rows.delete()
        elif not rows.update(text=prepared.text, grams=prepared.grams):
            prepared.save(force_insert=True)

    def forget_threads(self, thread_ids: Iterable[UUID]) -> None:
        """Drop everything of these threads."""
        self.model._base_manager.filter(thread_id__in=list(thread_ids)).delete()

    def matching(self, words: str, *, most: int, titles_only: bool = False) -> list[Match]:
        """The newest `most` titles and messages in scope that hold every word, the newest first.

        Where fewer than `most` do, words of three letters and more also match by their beginnings; a common word is not
        looked for among all the longer ones. A query without a letter or digit finds nothing.
        """
        wanted = terms(words)
        tenants = tenancy.current().tenants
        if not wanted or most < 1 or tenants == frozenset():
            return []
        exact = [term.exact() for term in wanted]
        found = self._newest(exact, tenants, most=most, titles_only=titles_only)
        if len(found) < most and exact != wanted:
            found = self._newest(wanted, tenants, most=most, titles_only=titles_only)
        return found

    def _newest(
        self, wanted: list[Term], tenants: frozenset[UUID] | None, *, most: int, titles_only: bool
    ) -> list[Match]:
        params: list[Any]
        if connections[router.db_for_read(self.model)].vendor == "postgresql":
            labels, text = _postgresql(wanted, tenants, titles_only=titles_only)
            where, params = (MATCHING_POSTGRESQL, [labels, text]) if labels else (_WITHOUT_LABELS, [text])
        else:
            where, params = NEWEST_SQLITE, [_sqlite(wanted, tenants, titles_only=titles_only), most]
        queryset: Any = self.get_queryset()
        matches = queryset.extra(where=[where], params=params)  # noqa: S610 - what people typed is in `params`
        rows = matches.order_by("-id").values_list("id", "thread_id", "message_id")[:most]
        return list(map(Match._make, rows))


_WITHOUT_LABELS = "ai_search_document.vector @@ to_tsquery('simple', %s)"


def _sqlite(wanted: list[Term], tenants: frozenset[UUID] | None, *, titles_only: bool) -> str:
    """The query in FTS5's language. Nothing but letters, digits and marks is inside the quotes."""
    phrases = (f'"{" ".join(term.words)}"{" *" if term.is_prefix else ""}' for term in wanted)
    query = f"{{text grams}} : ({' AND '.join(phrases)})"
    if titles_only:
        query += ' AND labels : "title"'
    if tenants is not None:
        query += f" AND labels : ({' OR '.join(_quoted(tenant.hex) for tenant in sorted(tenants))})"
    return query


def _quoted(word: str) -> str:
    return f'"{word}"'


def _postgresql(wanted: list[Term], tenants: frozenset[UUID] | None, *, titles_only: bool) -> tuple[str, str]:
    """The query in PostgreSQL's language: for the labels, as lexemes, and for the words."""
    labels = ["'=title'"] if titles_only else []
    if tenants is not None:
        labels.append("(" + " | ".join(f"'={tenant.hex}'" for tenant in sorted(tenants)) + ")")
    phrases = ("(" + " <-> ".join(_lexemes(term)) + ")" for term in wanted)
    return " & ".join(labels), " & ".join(phrases)


def _lexemes(term: Term) -> list[str]:
    words = [f"'{word}'" for word in term.words]
    return [*words[:-1], words[-1] + (":*" if term.is_prefix else "")]


class SearchDocument(models.Model):
    """A title (`message_id` is None) or a message, as a search sees it."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField(null=True)
    thread_id = models.UUIDField()
    message_id = models.UUIDField(null=True)
    text = models.TextField()
    grams = models.TextField(default="")

    objects: ClassVar[SearchDocumentManager] = SearchDocumentManager()

    class Meta:
        db_table = "ai_search_document"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["thread_id", "message_id"], name="ai_search_message_once"),)

    def __str__(self) -> str:
        return self.text[:80]

    def prepared(self) -> SearchDocument:
        """Itself, cut to what is indexed and with its `grams` worked out."""
        self.text = self.text[:INDEXED_CHARACTERS]
        self.grams = grams(self.text)
        return self
