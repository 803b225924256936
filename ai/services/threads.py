"""What a person can do with threads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery

from ai import ids
from ai.exceptions import InvalidInput, NotFound
from ai.models import ChatThread, Tenant
from ai.models.threads import NEW_NAME
from ai.services import audit, permissions
from ai.services.messages import first_words, write
from ai.services.tool_resources import merged as tools_work_on
from ai.services.vector_stores import THREAD_STORE_EXPIRES

#: Where threads come from that clients of the API make.
SOURCE = "api"
MOST_TAGS = 20
TAG_CHARACTERS = 100


@transaction.atomic
def create(
    *,
    tenant_id: UUID,
    by: Any,
    at: datetime,
    messages: Sequence[Mapping[str, Any]] = (),
    metadata: Mapping[str, str] | None = None,
    tool_resources: Mapping[str, Any] | None = None,
) -> ChatThread:
    """A new thread, as the Assistants API makes one.

    Args:
        messages: what it begins with, each with the values of `messages.create`.

    Raises:
        Forbidden, InvalidInput.
        NotFound: a file or vector store that is named does not exist.
        OutsideTenant: the tenant is not in scope.
    """
    permissions.require(by, "ai.add_chatthread")
    tenant = ChatThread.objects.tenant_for_new_row(tenant_id)
    thread = ChatThread(tenant_id=tenant, source=SOURCE, name=NEW_NAME, tags=["chat"], created=at, last_activity_at=at)
    resources = tools_work_on({}, dict(tool_resources or {}), by=by, at=at, expires_after=THREAD_STORE_EXPIRES)
    thread.data = {"metadata": dict(metadata or {}), "tool_resources": resources}
    if opening := first_words(messages):
        from ai.services import titles  # noqa: PLC0415 - many patterns, compiled when something is first named

        thread.name, thread.data["tagged"] = titles.for_now(opening, thread_id=thread.pk, tenant_id=tenant)
        thread.tags = titles.tags_for(opening, thread.tags)
    ChatThread.objects.insert(thread)
    audit.record("thread.added", target=thread, by=by, at=at, messages=len(messages))
    if messages:
        write(thread=thread, messages=messages, by=by, at=at)
        thread.refresh_from_db()
    return thread


@transaction.atomic
def modify(
    *,
    thread_id: UUID,
    by: Any,
    at: datetime,
    metadata: Mapping[str, str] | None = None,
    tool_resources: Mapping[str, Any] | None = None,
) -> ChatThread:
    """Give a thread other metadata, or its tools other things to work on; None leaves what is there.

    Raises:
        Forbidden, NotFound.
    """
    permissions.require(by, "ai.change_chatthread")
    thread = ChatThread.objects.locked(thread_id)
    if thread is None:
        raise NotFound(f"No thread found with id '{ids.public('thread', thread_id)}'.")
    values: dict[str, Any] = {} if metadata is None else {"metadata": dict(metadata)}
    if tool_resources is not None:
        before = (thread.data or {}).get("tool_resources") or {}
        values["tool_resources"] = tools_work_on(
            before, dict(tool_resources), by=by, at=at, expires_after=THREAD_STORE_EXPIRES
        )
    audit.record("thread.changed", target=thread, by=by, at=at, values=sorted(values))
    return ChatThread.objects.change_data(thread_id, at=at, **values) or thread


@transaction.atomic
def edit(*, thread_id: UUID, name: str, tags: Sequence[str], by: Any, at: datetime) -> ChatThread:
    """Give a thread a title and tags. A title that is new is locked: no rule and no model changes what somebody wrote.

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
        thread = ChatThread.objects.rename(thread_id, name=name, at=at, lock=True)
        audit.record("thread.renamed", target=thread, by=by, at=at, old=before.name, new=thread.name)
    if kept != list(before.tags or []):
        thread = ChatThread.objects.update_thread({"tags": kept}, thread) or thread
        audit.record("thread.tagged", target=thread, by=by, at=at, old=before.tags, new=kept)
    return thread


@transaction.atomic
def lock_title(*, thread_id: UUID, locked: bool, by: Any, at: datetime) -> ChatThread:
    """Keep rules and models from changing a thread's title, or let them again.

    Raises:
        Forbidden: `by` may not change threads.
        NotFound: there is no such thread for `by`.
    """
    permissions.require(by, "ai.change_chatthread")
    thread = ChatThread.objects.get_thread(thread_id)
    if ChatThread.objects.lock_title(thread_id, locked=locked, at=at):
        audit.record(f"thread.title_{'locked' if locked else 'unlocked'}", target=thread, by=by, at=at)
    thread.refresh_from_db()
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
