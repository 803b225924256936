"""Messages: what was said, in the order it was said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.utils import timezone

from ai import dispatch, ids
from ai.exceptions import Conflict, NotFound
from ai.models import bulk
from ai.models.base import Record
from ai.models.search import INDEXED_CHARACTERS, SearchDocument
from ai.models.threads import ChatThread
from ai.stores.base import BaseChatStore
from ai.stores.content import is_listed, preview, role_of, searchable
from ai.stores.serialization import to_serializable, value_of
from ai.tenancy import TenantModelManagerMixin


class MessageQuerySet(models.QuerySet["Message"]):
    """Chainable filters on messages."""

    def of_thread(self, thread_id: UUID | str) -> MessageQuerySet:
        """The thread's messages in order."""
        return self.filter(thread_id=str(ids.parse(thread_id))).order_by("sequence", "pk")


class MessageManager(TenantModelManagerMixin, models.Manager.from_queryset(MessageQuerySet), BaseChatStore):  # type: ignore[misc]
    """The store of messages, and the only writer of `ai_message`."""

    def create_message(
        self, data: Any, thread_id: UUID | str, tenant_id: UUID | str | None = None, **kwargs: Any
    ) -> Message:
        """Append a message to a thread, with its attachments.

        Args:
            data: a dict or pydantic object in OpenAI's chat format; an `id` that is a UUID becomes the row's.
            kwargs: `run_id`, `external_id`, `at`.

        Raises:
            NotFound: the thread does not exist, or is another tenant's.
            Conflict: a message with this id exists.
        """
        return self.append([to_serializable(data)], thread_id=thread_id, tenant_id=tenant_id, **kwargs)[0]

    def create_many(self, messages: Iterable[dict[str, Any]]) -> list[Message]:
        """Append several messages; each dict holds `create_message`'s arguments. All are written, or none."""
        with transaction.atomic():
            return [self.create_message(**message) for message in messages]

    def append(
        self,
        messages: list[dict[str, Any]],
        *,
        thread_id: UUID | str,
        tenant_id: UUID | str | None = None,
        run_id: UUID | str | None = None,
        external_id: str | None = None,
        at: datetime | None = None,
        created: Sequence[datetime] = (),
    ) -> list[Message]:
        """Append JSON messages to the end of one thread, in one transaction; `created` says when each began, else `at`."""
        when = at or timezone.now()
        key = ids.parse(thread_id)
        try:
            with transaction.atomic():
                first = ChatThread.objects.reserve(key, count=len(messages), at=when)
                thread = ChatThread.objects.get(pk=key)
                if tenant_id is not None and UUID(str(tenant_id)) != thread.tenant_id:
                    raise NotFound(f"No thread found with id '{thread_id}'.")
                rows = [
                    self.build(m, thread=thread, sequence=first + i, run_id=run_id, external_id=external_id, at=when)
                    for i, m in enumerate(messages)
                ]
                for row, began in zip(rows, created, strict=False):
                    row.created = began
                self.insert(rows)
                self._attach(rows, thread)
        except IntegrityError as error:
            raise Conflict("A message with this id exists already.") from error
        return rows

    def build(
        self,
        message: dict[str, Any],
        *,
        thread: ChatThread,
        sequence: int,
        at: datetime,
        run_id: UUID | str | None = None,
        external_id: str | None = None,
        key: UUID | None = None,
    ) -> Message:
        """An unsaved row for JSON `message`; its key is `key`, its own id where that can be one, or new."""
        own, foreign = _own_id(message)
        run = run_id or message.get("run_id")
        row: Message = self.model(
            id=key or own or ids.new(),
            thread_id=str(thread.pk),
            tenant_id=thread.tenant_id,
            message=message,
            run_id=str(run) if run else None,
            external_id=external_id or foreign,
            sequence=sequence,
            created=at,
            modified=at,
        )
        row.derive()
        return row

    def insert(self, rows: Iterable[Message]) -> None:
        """Write new rows with their search documents."""
        kept = list(rows)
        with transaction.atomic():
            self.bulk_create(kept, batch_size=500)
            SearchDocument.objects.index(row.document() for row in kept)

    def insert_many(self, rows: Iterable[Message]) -> None:
        """Write very many new rows of tenants' threads, with their search documents."""
        kept = list(rows)
        texts = ((row.tenant_id, UUID(str(row.thread_id)), row.pk, searchable(row.message)) for row in kept)
        with transaction.atomic():
            bulk.insert_objects(Message, kept)
            bulk.index((tenant, thread, key, text) for tenant, thread, key, text in texts if tenant)

    def _attach(self, rows: list[Message], thread: ChatThread) -> None:
        from ai.models.data_sources import DataSource

        wanted = [file_id for row in rows for file_id in row.attachment_ids()]
        if not wanted:
            return
        files = {file.file_id: file for file in DataSource.objects.filter(file_id__in=wanted)}
        missing = [file_id for file_id in wanted if file_id not in files]
        if missing:
            raise NotFound(f"No file found with id '{missing[0]}'.")
        before = list((thread.data or {}).get("document_ids") or [])
        every = list(dict.fromkeys(before + wanted))
        known = DataSource.objects.filter(file_id__in=every)
        thread.attach([file.attachment_reference() for file in known], document_ids=every)
        thread.save(update_fields=["data", "has_files"])

    def create_or_update(
        self, data: Any, thread_id: UUID | str, tenant_id: UUID | str | None = None, **kwargs: Any
    ) -> Message:
        """Append the message, or merge `data` over the one in this thread that has its `id`. Safe in parallel.

        Raises:
            Conflict: the id belongs to a message of another thread.
        """
        message = to_serializable(data)
        if not message.get("id"):
            return self.create_message(message, thread_id, tenant_id, **kwargs)
        merged = self._merge(message, thread_id)
        if merged:
            return merged
        try:
            return self.create_message(message, thread_id, tenant_id, **kwargs)
        except Conflict:  # somebody else appended it first
            merged = self._merge(message, thread_id)
            if merged is None:
                raise
            return merged

    def _merge(self, message: dict[str, Any], thread_id: UUID | str) -> Message | None:
        key, foreign = _own_id(message)
        thread = str(ids.parse(thread_id))
        which = Q(pk=key) if key else Q(external_id=foreign, thread_id=thread)
        with transaction.atomic():
            row: Message | None = self.select_for_update().filter(which).first()
            if row is None:
                return None
            if row.thread_id != thread:
                raise Conflict(f"The message {row.pk} belongs to another thread.")
            row.message = {**(row.message or {}), **message}
            row.run_id = str(message["run_id"]) if message.get("run_id") else row.run_id
            row.derive()
            row.save()
            if message.get("attachments"):
                self._attach([row], ChatThread.objects.get_thread(thread))
            SearchDocument.objects.rewrite(row.document())
        return row

    async def acreate_or_update(
        self, data: Any, thread_id: UUID | str, tenant_id: UUID | str | None = None, **kwargs: Any
    ) -> Message:
        """`create_or_update`."""
        row: Message = await super().acreate_or_update(data, thread_id, tenant_id, **kwargs)
        return row

    def get_message(self, message_id: UUID | str) -> Message:
        """The message."""
        try:
            row: Message = self.get(pk=ids.parse(message_id))
        except self.model.DoesNotExist:
            raise NotFound(f"No message found with id '{message_id}'.") from None
        return row

    def set_metadata(self, message_id: UUID, *, metadata: dict[str, str], at: datetime) -> Message | None:
        """Replace the metadata that a client gave the message; None when it is gone."""
        with transaction.atomic():
            row: Message | None = self.select_for_update().filter(pk=message_id).first()
            if row is not None:
                row.message, row.modified = {**(row.message or {}), "metadata": metadata}, at
                row.save(update_fields=["message", "modified"])
        return row

    def replace(self, message_id: UUID, message: dict[str, Any], *, at: datetime) -> Message | None:
        """Let the message say something else; None when it is gone."""
        with transaction.atomic():
            row: Message | None = self.select_for_update().filter(pk=message_id).first()
            if row is not None:
                row.message, row.modified = message, at
                row.derive()
                row.save()
                SearchDocument.objects.rewrite(row.document())
        return row

    def link(self, message_id: UUID, *, external_id: str) -> None:
        """Note which message of the remote side it is; an id that it had there before stays in its `data`."""
        row: Message | None = self.filter(pk=message_id).only("external_id", "data").first()
        if row is None or row.external_id == external_id:
            return
        if row.external_id:
            before = (row.data or {}).get("former_external_ids") or []
            row.data = {**(row.data or {}), "former_external_ids": [*before, row.external_id]}
        self.filter(pk=message_id).update(external_id=external_id, data=row.data)

    def delete_message(self, row: Message) -> None:
        """Delete the message with its feedback; the others keep their numbers."""
        from ai.models.comments import Comment, CommentEvent
        from ai.models.feedback import Feedback
        from ai.models.feedback_events import FeedbackEvent
        from ai.models.feedback_receipts import FeedbackReceipt
        from ai.models.notifications import Notification
        from ai.models.webhooks import WebhookDelivery

        key = UUID(str(row.thread_id))
        with transaction.atomic():
            ChatThread.objects.locked(key)
            if not self.filter(pk=row.pk).delete()[0]:
                return
            given = Feedback._base_manager.filter(message_id=row.pk)
            for model in (FeedbackEvent, FeedbackReceipt):
                model._base_manager.filter(feedback_id__in=given.values("pk")).delete()
            if given.delete()[0]:
                Feedback.objects.recount(key)
            for talk in (Comment, CommentEvent, Notification, WebhookDelivery):
                talk._base_manager.filter(message_id=row.pk).delete()
            SearchDocument.objects.rewrite(SearchDocument(thread_id=key, message_id=row.pk, text=""))
            ChatThread.objects.filter(pk=key).update(message_count=models.F("message_count") - 1)

    def list_thread_messages(self, thread_id: UUID | str) -> MessageQuerySet:
        """The thread's messages in the order they were added."""
        rows: Any = self.get_queryset()
        queryset: MessageQuerySet = rows.of_thread(thread_id)
        return queryset


def _own_id(message: dict[str, Any]) -> tuple[UUID | None, str | None]:
    """The id as ours, or else as a foreign one."""
    given = message.get("id")
    if not given:
        return None, None
    try:
        return ids.parse(given), None
    except NotFound:
        return None, str(given)[:255]


class Message(Record):
    """One message of a thread; `message` is what was said, `data` what we know about it."""

    data = models.JSONField("Metadata", null=True, blank=True)
    message = models.JSONField("Message", null=True, blank=True, help_text="Message data only")
    run_id = models.CharField("run", max_length=255, null=True, blank=True)
    tenant_id = models.UUIDField(editable=False, null=True, blank=True)
    thread_id = models.CharField("thread", max_length=255, null=True, blank=True)
    external_id = models.CharField("external ID", max_length=255, null=True, blank=True)

    sequence = models.PositiveIntegerField(default=0, editable=False)
    role = models.CharField(max_length=32, default="user", editable=False)
    preview = models.CharField("text", max_length=200, default="", blank=True, editable=False)
    is_listed = models.BooleanField(default=True, db_default=True, editable=False)

    objects: ClassVar[MessageManager] = MessageManager()

    class Meta:
        verbose_name = "Message"
        verbose_name_plural = "Messages"
        db_table = "ai_message"
        ordering = ("-created", "-id")
        permissions = (("import_message", "Can import messages"), ("export_message", "Can export messages"))
        constraints = (
            models.UniqueConstraint(fields=["thread_id", "sequence"], name="ai_message_sequence"),
            models.UniqueConstraint(
                fields=["thread_id", "external_id"],
                name="ai_message_external_once",
                condition=Q(external_id__isnull=False),
            ),
        )
        indexes = (
            models.Index(fields=["-created", "-id"], name="ai_message_latest"),
            models.Index(fields=["tenant_id", "-created", "-id"], name="ai_message_tenant_latest"),
            models.Index(fields=["tenant_id", "role", "-created"], name="ai_message_tenant_role"),
            models.Index(fields=["run_id"], name="ai_message_run", condition=Q(run_id__isnull=False)),
        )

    def __str__(self) -> str:
        return self.preview or f"{self.role} message"

    def derive(self) -> None:
        """Set the columns that lists and searches need from `message`."""
        self.role = role_of(self.message)
        self.preview = preview(self.message)
        self.is_listed = is_listed(self.message)

    def document(self) -> SearchDocument:
        """The message as a search sees it."""
        text = searchable(self.message)[:INDEXED_CHARACTERS]
        thread_id = UUID(str(self.thread_id))
        return SearchDocument(tenant_id=self.tenant_id, thread_id=thread_id, message_id=self.pk, text=text)

    def attachment_ids(self) -> list[str]:
        """The `file_id`s of the attached files."""
        found = value_of(self.message or {}, "attachments") or []
        given = [value_of(item, "file_id") or value_of(item, "id") for item in found if isinstance(item, dict)]
        return [str(file_id) for file_id in given if file_id]

    def to_json(self) -> dict[str, Any]:
        """The message as JSON."""
        return {
            "id": str(self.id),
            "thread_id": self.thread_id,
            "tenant_id": str(self.tenant_id) if self.tenant_id else None,
            "message": self.message,
            "created": self.created.isoformat(),
            "modified": self.modified.isoformat(),
        }

    def save_message_info(self, data: Any) -> None:
        """Merge `data` into the metadata and save it; a `feedback` with a `user_id` is kept as that user's feedback."""
        info = to_serializable(data)
        feedback = info.pop("feedback", None)
        with transaction.atomic():
            row = type(self).objects.select_for_update().get(pk=self.pk)
            row.data = {**(row.data or {}), **info}
            row.save(update_fields=["data", "modified"])
            if feedback is not None:
                user_id = value_of(feedback, "user_id", "") if isinstance(feedback, dict) else ""
                value = value_of(feedback, "feedback", feedback) if isinstance(feedback, dict) else feedback
                row.add_feedback(value, user_id)
        self.data = row.data

    def add_feedback(self, feedback: Any, user_id: str) -> Any:
        """Keep the user's feedback on this message; the Feedback row.

        Args:
            feedback: "up" or "down", True or False, a number, a text, or a dict with `rating`, `score`, `comment`, `label`.

        A user's second feedback replaces the first, which stays in its history. `data["feedback"]` is the latest one.
        """
        from ai.models.feedback import Feedback

        with transaction.atomic():
            message = type(self).objects.select_for_update().get(pk=self.pk)
            row = Feedback.objects.give(message=message, feedback=feedback, user_id=str(user_id))
            value = to_serializable({"feedback": feedback})["feedback"]
            message.data = {**(message.data or {}), "feedback": {"user_id": user_id, "feedback": value}}
            message.save(update_fields=["data", "modified"])
            if row.suggest_at is not None:
                dispatch.suggest_labels()
        self.data = message.data
        return row
