"""What colleagues say of a message to each other: comments, replies to them, and what was changed about them.

A comment may be about a part of the message: where the part is in the message's plain text, and the words themselves, so that
it is known when the text is no longer what was quoted.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from ai.models.base import TenantManager, TenantRecord

LONGEST_TEXT, LONGEST_QUOTE = 5_000, 1_000


class CommentManager(TenantManager):
    """The only writer of `ai_comment`."""

    def add(self, row: Comment) -> Comment:
        """Write a new comment."""
        row.tenant_id = self.tenant_for_new_row(row.tenant_id)
        row.save(force_insert=True)
        return row

    def change(self, row: Comment, values: dict[str, Any], *, at: datetime) -> bool:
        """Set columns of a comment that still is as `row` says; False when somebody was quicker."""
        same = self.filter(pk=row.pk, version=row.version)
        if not same.update(**values, version=F("version") + 1, modified=at):
            return False
        for name, value in values.items():
            setattr(row, name, value)
        row.version += 1
        return True

    def on(self, message_ids: Iterable[UUID]) -> models.QuerySet[Comment]:
        """The comments on these messages, in the order they were made."""
        found: models.QuerySet[Comment] = self.filter(message_id__in=list(message_ids)).order_by("at", "pk")
        return found


class Comment(TenantRecord):
    """One comment. With `parent_id` it is a reply; with `quote` it is about these words of the message."""

    thread_id = models.UUIDField()
    message_id = models.UUIDField()
    parent_id = models.UUIDField(null=True, blank=True)
    author_id = models.CharField(max_length=64, default="", blank=True, editable=False)
    author = models.CharField(max_length=255)
    at = models.DateTimeField()
    text = models.TextField(default="", blank=True)
    start = models.PositiveIntegerField(null=True, blank=True)
    end = models.PositiveIntegerField(null=True, blank=True)
    quote = models.CharField(max_length=LONGEST_QUOTE, default="", blank=True)
    mentions = models.JSONField(default=list, blank=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=255, default="", blank=True)
    version = models.PositiveIntegerField(default=0, editable=False)

    objects: ClassVar[CommentManager] = CommentManager()

    class Meta:
        db_table = "ai_comment"
        default_permissions = ()
        permissions = (
            ("comment_message", "Can comment on messages"),
            ("moderate_comment", "Can delete the comments of others"),
        )
        ordering = ("at", "pk")
        constraints = (
            models.CheckConstraint(
                name="ai_comment_quote_has_a_place",
                condition=Q(quote="", start__isnull=True, end__isnull=True)
                | (~Q(quote="") & Q(start__isnull=False, end__gt=F("start"))),
            ),
            models.CheckConstraint(
                name="ai_comment_reply_quotes_nothing",
                condition=Q(parent_id__isnull=True) | Q(quote="", resolved_at__isnull=True),
            ),
            models.CheckConstraint(
                name="ai_comment_says_something_or_is_deleted",
                condition=(Q(deleted_at__isnull=True) & ~Q(text="")) | Q(deleted_at__isnull=False, text=""),
            ),
            models.CheckConstraint(
                name="ai_comment_resolved_by_somebody",
                condition=Q(resolved_at__isnull=True, resolved_by="")
                | (Q(resolved_at__isnull=False) & ~Q(resolved_by="")),
            ),
        )
        indexes = (
            models.Index(fields=["message_id", "at"], name="ai_comment_message"),
            models.Index(fields=["thread_id"], name="ai_comment_thread"),
        )

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:40]}"


class CommentEventManager(TenantManager):
    """The only writer of `ai_comment_event`."""

    def add(self, event: CommentEvent) -> CommentEvent:
        """Write what was done."""
        event.save(force_insert=True)
        return event

    def standing(self, comment_ids: Iterable[UUID]) -> models.QuerySet[CommentEvent]:
        """The changes of these comments that nobody took back, the latest first."""
        found: models.QuerySet[CommentEvent] = self.filter(
            comment_id__in=list(comment_ids), undone_at__isnull=True
        ).order_by("-version", "-pk")
        return found

    def take_back(self, event_id: UUID, *, at: datetime) -> bool:
        """Say that the change was taken back; False when that has been done."""
        return bool(self.filter(pk=event_id, undone_at__isnull=True).update(undone_at=at, modified=at))

    def forget(self, *, before: datetime, most: int = 500) -> int:
        """Delete what can no longer be taken back, and with it what deleted comments said; how many."""
        keys = list(self.filter(at__lt=before).order_by("at", "pk").values_list("pk", flat=True)[:most])
        return int(self.filter(pk__in=keys).delete()[0]) if keys else 0


class CommentEvent(TenantRecord):
    """Somebody changed a comment from `before` to `after`, which made it its `version`th form."""

    comment_id = models.UUIDField()
    thread_id = models.UUIDField()
    message_id = models.UUIDField()
    verb = models.CharField(max_length=12)
    by = models.CharField(max_length=255)
    by_id = models.CharField(max_length=64, default="", blank=True, editable=False)
    at = models.DateTimeField()
    version = models.PositiveIntegerField()
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[CommentEventManager] = CommentEventManager()

    class Meta:
        db_table = "ai_comment_event"
        default_permissions = ()
        ordering = ("-at", "-pk")
        indexes = (
            models.Index(fields=["comment_id", "-version"], name="ai_comment_event_latest"),
            models.Index(fields=["thread_id"], name="ai_comment_event_thread"),
            models.Index(fields=["at"], name="ai_comment_event_at"),
        )

    def __str__(self) -> str:
        return f"{self.verb} by {self.by}"
