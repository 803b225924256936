"""What a person can do with threads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery

from ai.exceptions import InvalidInput, NotFound
from ai.models import ChatThread, Tenant
from ai.services import audit, permissions

MOST_TAGS = 20
TAG_CHARACTERS = 100


@transaction.atomic
def edit(*, thread_id: UUID, name: str, tags: Sequence[str], by: Any, at: datetime) -> ChatThread:
    """Give a thread a title and tags.

    Raises:
        Forbidden: `by` may not change threads.
        NotFound: there is no such thread for `by`.
        InvalidInput: the title is empty, or there are more than 20 tags.
    """
    permissions.require(by, "ai.change_chatthread")
    before = ChatThread.objects.get_thread(thread_id)
    kept = _tags(tags)
    if not name.strip():
        raise InvalidInput("A thread needs a title.")
    thread = before
    if name != before.name:
        thread = ChatThread.objects.rename(thread_id, name=name, at=at)
        audit.record("thread.renamed", target=thread, by=by, at=at, old=before.name, new=thread.name)
    if kept != list(before.tags or []):
        thread = ChatThread.objects.update_thread({"tags": kept}, thread) or thread
        audit.record("thread.tagged", target=thread, by=by, at=at, old=before.tags, new=kept)
    return thread


def _tags(tags: Iterable[str]) -> list[str]:
    kept = list(dict.fromkeys(tag for tag in (" ".join(tag.split())[:TAG_CHARACTERS] for tag in tags) if tag))
    if len(kept) > MOST_TAGS:
        raise InvalidInput(f"A thread has at most {MOST_TAGS} tags.")
    return kept


@transaction.atomic
def delete(*, thread_ids: Iterable[UUID], by: Any, at: datetime) -> int:
    """Delete threads with their messages, runs and feedback; how many there were. Files stay.

    Raises:
        Forbidden: `by` may not delete threads.
        NotFound: none of them exists for `by`.
    """
    permissions.require(by, "ai.delete_chatthread")
    threads = list(ChatThread.objects.filter(pk__in=list(thread_ids)).order_by("pk"))
    if not threads:
        raise NotFound
    for thread in threads:
        audit.record("thread.deleted", target=thread, by=by, at=at, name=thread.name, messages=thread.message_count)
    return ChatThread.objects.delete_threads(thread.pk for thread in threads)


def read(*, thread_id: UUID) -> ChatThread:
    """The thread with `tenant_name`, and `older_id` and `newer_id` of its neighbours by last activity: one query.

    Raises:
        NotFound: there is no such thread in scope.
    """
    when, key = OuterRef("last_activity_at"), OuterRef("pk")
    older = ChatThread.objects.filter(last_activity_at__lte=when).filter(Q(last_activity_at__lt=when) | Q(pk__lt=key))
    newer = ChatThread.objects.filter(last_activity_at__gte=when).filter(Q(last_activity_at__gt=when) | Q(pk__gt=key))
    thread: ChatThread | None = (
        ChatThread.objects.filter(pk=thread_id)
        .annotate(
            tenant_name=Subquery(Tenant.objects.filter(pk=OuterRef("tenant_id")).values("name")[:1]),
            older_id=Subquery(older.order_by("-last_activity_at", "-pk").values("pk")[:1]),
            newer_id=Subquery(newer.order_by("last_activity_at", "pk").values("pk")[:1]),
        )
        .first()
    )
    if thread is None:
        raise NotFound
    return thread
