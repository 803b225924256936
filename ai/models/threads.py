"""Threads: the conversations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from ai import dispatch, ids
from ai.exceptions import Conflict, NotFound
from ai.models.base import Record
from ai.models.search import SearchDocument
from ai.models.sync_states import SyncState
from ai.models.thread_tags import ThreadTag
from ai.models.titles import NAME_CHARACTERS, TitleWriter
from ai.stores import tags as carried
from ai.stores.base import BaseThreadStore
from ai.stores.content import text_of
from ai.stores.serialization import clean_text, to_serializable, value_of
from ai.tenancy import TenantModelManagerMixin

FIRST_NAME_CHARACTERS = 50
NEW_NAME = "New Chat"


class ThreadQuerySet(models.QuerySet["ChatThread"]):
    """Chainable filters on threads."""

    def latest_first(self) -> ThreadQuerySet:
        """The latest active thread first."""
        return self.order_by("-last_activity_at", "-pk")

    def tagged(self, tag: str) -> ThreadQuerySet:
        """Threads that carry the tag."""
        # Not `IN`: SQLite would then read and sort every thread with the tag for the first fifty of them.
        return self.filter(Exists(ThreadTag._base_manager.filter(thread_id=OuterRef("pk"), tag=tag)))


class ThreadManager(
    TitleWriter,
    TenantModelManagerMixin,
    models.Manager.from_queryset(ThreadQuerySet),  # type: ignore[misc]
    BaseThreadStore,
):
    """The store of threads, and the only writer of `ai_thread`."""

    def trim_message(self, message: str) -> str:
        """A short title for a conversation that begins with `message`, without calling any model."""
        line = " ".join(clean_text(message or "").split())
        return line if len(line) <= FIRST_NAME_CHARACTERS else line[: FIRST_NAME_CHARACTERS - 1].rstrip() + "…"

    def add_thread(self, data: Any) -> ChatThread:
        """Add a thread; its title is worked out in the background from `data.message`.

        Raises:
            Conflict: a thread with this id exists.
        """
        message = value_of(data, "message")
        text = text_of(to_serializable(message)) if message is not None else ""
        tags = ["chat", "agent"] if value_of(data, "agent_id") else ["chat"]
        thread_id = ids.parse(value_of(data, "thread_id", ids.new()))
        tenant_id, user_id = value_of(data, "tenant_id"), value_of(data, "user_id")
        thread, made = self._get_or_add(thread_id, tenant_id, tags, text, user_id)
        if not made:
            raise Conflict(f"The thread {thread_id} exists already.")
        return thread

    def get_thread(self, thread_id: UUID | str) -> ChatThread:
        """The thread."""
        try:
            thread: ChatThread = self.get(pk=ids.parse(thread_id))
        except self.model.DoesNotExist:
            raise NotFound(f"No thread found with id '{thread_id}'.") from None
        return thread

    def get_or_add_thread(
        self,
        thread_id: UUID | str,
        tenant_id: UUID | str | None = None,
        tags: list[str] | None = None,
        name: str | None = None,
        user_id: str | None = None,
    ) -> ChatThread:
        """The thread, made when there is none. Parallel calls make one row.

        `name` is what the user first wrote: its beginning is the title until the title task, queued on commit, finds a
        better one.

        Raises:
            NotFound: the id belongs to another tenant's thread.
            InvalidInput: there are more tags than a thread can carry.
        """
        return self._get_or_add(ids.parse(thread_id), tenant_id, tags, name, user_id)[0]

    def _get_or_add(
        self, thread_id: UUID, tenant_id: Any, tags: list[str] | None, name: str | None, user_id: str | None
    ) -> tuple[ChatThread, bool]:
        found = self.filter(pk=thread_id).first()
        if found:
            return found, False
        carried.check(tags)
        tenant = self.tenant_for_new_row(tenant_id)
        data = {"snippet": clean_text(name) if name else None, "tagged": False}
        thread = self.model(id=thread_id, tenant_id=tenant, tags=tags or ["chat"], data=data, user_id=user_id)
        thread.name = self.trim_message(name or "") or NEW_NAME
        try:
            with transaction.atomic():
                self.insert(thread)
                if name:
                    dispatch.title_thread(name=name, thread_id=thread.pk, tenant_id=tenant)
        except IntegrityError:  # somebody else was first
            return self.get_thread(thread_id), False
        return thread, True

    def insert(self, *threads: ChatThread) -> None:
        """Write new threads with their tags and search documents."""
        with transaction.atomic():
            self.bulk_create(threads)
            ThreadTag.write(threads)
            titles = (SearchDocument(tenant_id=t.tenant_id, thread_id=t.pk, text=t.name or "") for t in threads)
            SearchDocument.objects.index(titles)

    def update_thread(self, data: Any, thread: ChatThread | None = None) -> ChatThread | None:
        """Set documents, tags and user from `data`; None when there is no such thread.

        Raises:
            InvalidInput: there are more tags than a thread can carry.
        """
        from ai.models.data_sources import DataSource

        thread_id = thread.pk if thread else value_of(data, "thread_id")
        with transaction.atomic():
            found = self.locked(thread_id) if thread_id else None
            if found is None:
                return None
            document_ids = value_of(data, "document_ids")
            if document_ids:
                files = DataSource.objects.filter(file_id__in=document_ids)
                found.attach([file.attachment_reference() for file in files], document_ids=list(document_ids))
            if (tags := value_of(data, "tags", found.tags)) != found.tags:
                carried.check(tags)
                found.tags = tags
            found.user_id = value_of(data, "user_id", found.user_id)
            found.save()
            ThreadTag.write([found])
        return found

    def locked(self, thread_id: UUID | str) -> ChatThread | None:
        """The thread, held until the transaction ends."""
        thread: ChatThread | None = self.select_for_update().filter(pk=ids.parse(thread_id)).first()
        return thread

    def all_locked(self, thread_ids: Iterable[UUID]) -> dict[UUID, ChatThread]:
        """Those of the threads that are there, held until the transaction ends."""
        rows = self.filter(pk__in=list(thread_ids)).order_by("pk")
        return {thread.pk: thread for thread in rows.select_for_update()}

    def list_threads(self, user_id: str) -> ThreadQuerySet:
        """The user's threads, the latest active first."""
        queryset: ThreadQuerySet = self.filter(user_id=user_id).latest_first()
        return queryset

    def delete_thread(self, thread_id: UUID | str) -> None:
        """Delete the thread with its messages, runs, steps and feedback. Files stay."""
        self.delete_threads([self.get_thread(thread_id).pk])

    def delete_threads(self, thread_ids: Iterable[UUID]) -> int:
        """Delete those of the threads that are in scope; how many there were."""
        from ai.models.comments import Comment, CommentEvent
        from ai.models.conflicts import SyncConflict
        from ai.models.feedback import Feedback
        from ai.models.feedback_events import FeedbackEvent
        from ai.models.feedback_receipts import FeedbackReceipt
        from ai.models.messages import Message
        from ai.models.notifications import Notification
        from ai.models.run_steps import RunStep
        from ai.models.runs import Run
        from ai.models.syncs import SyncedMessage, ThreadSync
        from ai.models.webhooks import WebhookDelivery

        with transaction.atomic():
            keys = list(self.filter(pk__in=list(thread_ids)).values_list("pk", flat=True))
            texts = [str(key) for key in keys]
            by_text: tuple[type[models.Model], ...] = (Message, Run, RunStep)
            by_key: tuple[type[models.Model], ...] = (
                Feedback,
                FeedbackEvent,
                FeedbackReceipt,
                ThreadTag,
                ThreadSync,
                SyncedMessage,
                SyncConflict,
                Comment,
                CommentEvent,
                Notification,
                WebhookDelivery,
            )
            for model in by_text:
                model._base_manager.filter(thread_id__in=texts).delete()
            for model in by_key:
                model._base_manager.filter(thread_id__in=keys).delete()
            SearchDocument.objects.forget_threads(keys)
            self.filter(pk__in=keys).delete()
        return len(keys)

    def reserve(self, thread_id: UUID, *, count: int, at: datetime) -> int:
        """Make room for `count` messages at the end; the first one's sequence number.

        The row stays locked until the transaction ends, so parallel writers get numbers one after the other.
        """
        changed = self.filter(pk=thread_id).update(
            last_sequence=F("last_sequence") + count,
            message_count=F("message_count") + count,
            last_activity_at=at,
            modified=at,
        )
        if not changed:
            raise NotFound(f"No thread found with id '{thread_id}'.")
        last: int = self.filter(pk=thread_id).values_list("last_sequence", flat=True).get()
        return last - count + 1

    def grow(self, thread: ChatThread, *, count: int, **values: Any) -> None:
        """Note that a locked thread got `count` more messages from an import, with what else changed in `values`."""
        thread.message_count += count
        for name, value in values.items():
            setattr(thread, name, value)
        thread.save(update_fields=["message_count", *values])

    def change_data(self, thread_id: UUID, *, at: datetime, **values: Any) -> ChatThread | None:
        """Set some of the thread's `data` and leave the rest; None when it is gone. Parallel changes lose nothing."""
        with transaction.atomic():
            thread = self.locked(thread_id)
            if thread is not None:
                thread.data, thread.modified = {**(thread.data or {}), **values}, at
                self.filter(pk=thread.pk).update(data=thread.data, modified=at)
        return thread

    def set_sync_state(self, thread_id: UUID, *, state: str, at: datetime) -> bool:
        """Say how the thread stands to its remote side; False when it stood so already."""
        changed = self.filter(pk=thread_id).exclude(sync_state=state).update(sync_state=state, modified=at)
        return bool(changed)

    def set_remote(self, thread_id: UUID, *, external_id: str, at: datetime) -> None:
        """Give the thread another remote side, with which it is not in step yet."""
        self.filter(pk=thread_id).update(external_id=external_id, sync_state=SyncState.CHANGED, modified=at)

    def note_model(self, thread_id: UUID | str, *, model: str, at: datetime) -> None:
        """Remember which model answered last."""
        self.filter(pk=ids.parse(thread_id)).update(model=model[:255], last_activity_at=at, modified=at)


class ChatThread(Record):
    """A conversation, whether it lives here or also on a remote side (`external_id`)."""

    name = models.CharField("title", max_length=NAME_CHARACTERS, null=True, blank=True)
    tags = models.JSONField(null=True, blank=True)
    tenant_id = models.UUIDField(editable=False, null=True, blank=True)
    external_id = models.CharField("external ID", max_length=255, null=True, blank=True)
    user_id = models.CharField("user", max_length=255, null=True, blank=True)
    data = models.JSONField("metadata", null=True, blank=True)

    source = models.CharField(max_length=32, default="console")
    model = models.CharField(max_length=255, default="", blank=True)
    feedback = models.CharField(max_length=8, default="", blank=True)
    has_files = models.BooleanField(default=False)
    sync_state = models.CharField(max_length=16, choices=SyncState, default=SyncState.LOCAL)
    message_count = models.PositiveIntegerField("messages", default=0)
    last_sequence = models.PositiveIntegerField(default=0, editable=False)
    last_activity_at = models.DateTimeField("last activity", default=timezone.now)
    title_locked = models.BooleanField(
        default=False, db_default=False, help_text="Somebody gave the title: no rule and no model changes it."
    )
    forked_from = models.UUIDField(null=True, blank=True, editable=False)

    objects: ClassVar[ThreadManager] = ThreadManager()

    class Meta:
        verbose_name = "Thread"
        verbose_name_plural = "Threads"
        db_table = "ai_thread"
        ordering = ("-last_activity_at", "-id")
        permissions = (
            ("retitle_chatthread", "Can retitle threads"),
            ("sync_chatthread", "Can sync threads with their remote side"),
            ("import_chatthread", "Can import threads"),
            ("export_chatthread", "Can export threads"),
        )
        indexes = (
            models.Index(fields=["tenant_id", "user_id", "tags"], name="ai_thread_tenant_user_tags"),
            models.Index(fields=["-last_activity_at", "-id"], name="ai_thread_latest"),
            models.Index(fields=["tenant_id", "-last_activity_at", "-id"], name="ai_thread_tenant_latest"),
            models.Index(fields=["-created", "-id"], name="ai_thread_created"),
            models.Index(fields=["tenant_id", "-created", "-id"], name="ai_thread_tenant_created"),
            models.Index(fields=["tenant_id", "user_id", "-last_activity_at"], name="ai_thread_tenant_user"),
            models.Index(fields=["tenant_id", "model", "-last_activity_at"], name="ai_thread_tenant_model"),
            models.Index(fields=["tenant_id", "feedback", "-last_activity_at"], name="ai_thread_tenant_feedback"),
            models.Index(fields=["tenant_id", "sync_state", "-last_activity_at"], name="ai_thread_tenant_sync"),
            models.Index(fields=["tenant_id", "has_files", "-last_activity_at"], name="ai_thread_tenant_files"),
            models.Index(fields=["tenant_id", "message_count", "-id"], name="ai_thread_tenant_count"),
            models.Index(fields=["tenant_id", "external_id"], name="ai_thread_external"),
        )
        constraints = (
            models.CheckConstraint(
                name="ai_thread_feedback_known", condition=Q(feedback__in=["", "up", "down", "mixed"])
            ),
        )

    def __str__(self) -> str:
        return self.name or "Untitled"

    def to_json(self) -> dict[str, Any]:
        """The thread as JSON, without its messages."""
        return {
            "id": str(self.id),
            "name": self.name,
            "tenant_id": str(self.tenant_id) if self.tenant_id else None,
            "created": self.created.isoformat(),
            "modified": self.modified.isoformat(),
            "external_id": self.external_id,
            "user_id": self.user_id,
            "tags": self.tags,
            "data": self.data,
        }

    def to_json_with_messages(self) -> dict[str, Any]:
        """The thread and its messages as they were given, read fresh from the database with two queries."""
        from ai.models.messages import Message

        thread = type(self).objects.get_thread(self.pk)
        messages = Message.objects.list_thread_messages(self.pk).values_list("message", flat=True)
        return {**thread.to_json(), "messages": list(messages)}

    def attach(self, references: list[dict[str, Any]], *, document_ids: list[str] | None = None) -> None:
        """Remember attached files in `data`; the caller saves."""
        data = dict(self.data or {})
        data["document_ids"] = document_ids or [reference["id"] for reference in references]
        data["document_meta"] = [{"name": r["metadata"]["name"], "type": r["type"]} for r in references]
        self.data, self.has_files = data, True

    def add_message(self, data: Any) -> Any:
        """Append a message with its attachments, in one transaction; the message.

        `data` is a dict or a pydantic object in OpenAI's chat format; `attachments` are files by `id` or `file_id`. Where
        the thread has a remote side, a worker sends the message there: a remote that is down holds nobody up.
        """
        from ai.models.messages import Message
        from ai.models.remotes import push_later

        with transaction.atomic():
            message = Message.objects.create_message(data, thread_id=self.pk, tenant_id=self.tenant_id)
            self.refresh_from_db()
            if self.external_id:
                push_later(self)
        return message

    def remote_thread(self) -> Any:
        """The live remote side, made where there is none: `ai.models.remotes.RemoteThread`.

        Raises:
            InvalidInput: its external ID is not one of a remote conversation.
            Misconfigured: there is no connection, and no key in the environment.
        """
        from ai.models.remotes import open_remote

        return open_remote(self)
