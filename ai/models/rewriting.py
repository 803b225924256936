"""Writing changed rows, with what follows from them: tags, what searches look in, counts and thumbs of threads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max

from ai.models.feedback import Feedback
from ai.models.messages import Message
from ai.models.search import SearchDocument
from ai.models.thread_tags import ThreadTag
from ai.models.threads import ChatThread

#: What a message's other columns follow from.
DERIVED = ("role", "preview", "is_listed")


def rewrite(rows: Sequence[Any], fields: Iterable[str]) -> None:
    """Write these fields of rows of one table that are here already."""
    names, model = list(fields), type(rows[0])
    if not names:
        return
    with transaction.atomic():
        if model is Message:
            for row in rows:
                row.derive()
            names += DERIVED
        model._base_manager.bulk_update(rows, names, batch_size=200)
        if model is ChatThread:
            _threads(rows)
        elif model is Message:
            for row in rows:
                SearchDocument.objects.rewrite(row.document())
        elif model is Feedback:
            recount_feedback(row.thread_id for row in rows)


def _threads(rows: Sequence[ChatThread]) -> None:
    ThreadTag.write(rows)
    for row in rows:
        SearchDocument.objects.retitle(thread_id=row.pk, tenant_id=row.tenant_id, title=row.name or "")


def recount_feedback(thread_ids: Iterable[UUID]) -> None:
    """Set the thumbs of threads from their feedback."""
    for thread_id in dict.fromkeys(thread_ids):
        Feedback.objects.recount(thread_id)


def recount_messages(thread_ids: Iterable[UUID]) -> None:
    """Set how many messages threads have, the number of the last one, whether files are attached, and that they were active
    when it was written."""
    keys = list(dict.fromkeys(thread_ids))
    messages = Message._base_manager.filter(thread_id__in=[str(key) for key in keys]).order_by()
    found = messages.values("thread_id").annotate(count=Count("pk"), last=Max("sequence"), at=Max("created"))
    counts = {UUID(row["thread_id"]): row for row in found}
    with_files = _with_files(messages)
    threads = list(ChatThread._base_manager.filter(pk__in=keys).select_for_update())
    for thread in threads:
        row = counts.get(thread.pk)
        thread.message_count = row["count"] if row else 0
        if row:
            thread.last_sequence = max(thread.last_sequence, row["last"])
            thread.last_activity_at = max(thread.last_activity_at, row["at"])
        thread.has_files = thread.has_files or thread.pk in with_files
    columns = ["message_count", "last_sequence", "last_activity_at", "has_files"]
    ChatThread._base_manager.bulk_update(threads, columns, batch_size=200)


def _with_files(messages: Any) -> set[UUID]:
    rows = messages.filter(message__has_key="attachments").values_list("thread_id", "message__attachments")
    return {UUID(thread_id) for thread_id, attachments in rows if attachments}
