"""The text that a search looks in: one document a title and one a message.

The full-text index itself is made by migration `0002_search`: an FTS5 table kept by triggers on SQLite, a generated
`tsvector` column with a GIN index on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from django.db import connections, models, router

from ai.models.base import TenantManager

#: Longer texts are found by their beginning: PostgreSQL's `tsvector` holds at most 1 MiB.
INDEXED_CHARACTERS = 200_000


class SearchDocumentManager(TenantManager):
    """Writes documents and finds them."""

    def index(self, documents: Iterable[SearchDocument]) -> None:
        """Add documents of messages that were just created."""
        self.bulk_create([d for d in documents if d.text], batch_size=1000)

    def retitle(self, *, thread_id: UUID, tenant_id: UUID | None, title: str) -> None:
        """Replace the thread's title."""
        titles = self.model._base_manager.filter(thread_id=thread_id, message_id__isnull=True)
        if title and not titles.update(text=title):
            self.model(tenant_id=tenant_id, thread_id=thread_id, text=title).save(force_insert=True)
        elif not title:
            titles.delete()

    def rewrite(self, document: SearchDocument) -> None:
        """Replace a message's text."""
        rows = self.model._base_manager.filter(message_id=document.message_id)
        if not rows.update(text=document.text):
            document.save(force_insert=True)

    def forget_threads(self, thread_ids: Iterable[UUID]) -> None:
        """Drop everything of these threads."""
        self.model._base_manager.filter(thread_id__in=list(thread_ids)).delete()

    def matching(self, words: str, *, most: int, titles_only: bool = False) -> list[SearchDocument]:
        """The newest `most` documents that hold every word (prefixes count), in scope; their texts load when read."""
        if not words.split():
            return []
        vendor = connections[router.db_for_read(self.model)].vendor
        condition = _postgresql(words) if vendor == "postgresql" else _sqlite(words)
        queryset: Any = self.get_queryset().extra(where=[condition[0]], params=condition[1])
        if titles_only:
            queryset = queryset.filter(message_id__isnull=True)
        return list(queryset.defer("text").order_by("-id")[:most])


def _sqlite(words: str) -> tuple[str, list[str]]:
    terms = " ".join('"' + word.replace('"', '""') + '"*' for word in words.split())
    return "ai_search_document.id IN (SELECT rowid FROM ai_search_fts WHERE ai_search_fts MATCH %s)", [terms]


def _postgresql(words: str) -> tuple[str, list[str]]:
    terms = " & ".join("'" + word.replace("\\", "").replace("'", "''") + "':*" for word in words.split())
    return "ai_search_document.vector @@ to_tsquery('simple', %s)", [terms]


class SearchDocument(models.Model):
    """A title (`message_id` is None) or a message, as a search sees it."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField(null=True)
    thread_id = models.UUIDField()
    message_id = models.UUIDField(null=True)
    text = models.TextField()

    objects: ClassVar[SearchDocumentManager] = SearchDocumentManager()

    class Meta:
        db_table = "ai_search_document"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["message_id"], name="ai_search_message_once"),)
        indexes = (models.Index(fields=["thread_id"], name="ai_search_thread"),)

    def __str__(self) -> str:
        return self.text[:80]
