"""What people did with feedback: changes that can be taken back, and notes that only they read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.db import models

from ai.models.base import TenantManager, TenantRecord


class EventKind(models.TextChoices):
    """What one line of the history is."""

    CHANGE = "change", "Change"
    NOTE = "note", "Note"


class FeedbackEventManager(TenantManager):
    """The only writer of `ai_feedback_event`."""

    def add(self, event: FeedbackEvent) -> FeedbackEvent:
        """Write what was done."""
        event.save(force_insert=True)
        return event

    def of(self, feedback_id: UUID) -> models.QuerySet[FeedbackEvent]:
        """A feedback's events, the latest first."""
        found: models.QuerySet[FeedbackEvent] = self.filter(feedback_id=feedback_id).order_by("-at", "-pk")
        return found

    def standing(self, feedback_ids: Iterable[UUID]) -> models.QuerySet[FeedbackEvent]:
        """The changes that nobody took back, the latest first."""
        found: models.QuerySet[FeedbackEvent] = self.filter(
            feedback_id__in=list(feedback_ids), kind=EventKind.CHANGE, undone_at__isnull=True
        ).order_by("-version", "-pk")
        return found

    def take_back(self, event_id: UUID, *, at: datetime) -> bool:
        """Say that the change was taken back; False when that has been done."""
        return bool(self.filter(pk=event_id, undone_at__isnull=True).update(undone_at=at, modified=at))


class FeedbackEvent(TenantRecord):
    """Somebody changed a feedback from `before` to `after`, or noted `text`. What was done at once has one `batch`."""

    feedback_id = models.UUIDField()
    thread_id = models.UUIDField()
    kind = models.CharField(max_length=8, choices=EventKind)
    by = models.CharField(max_length=255)
    at = models.DateTimeField()
    batch = models.UUIDField()
    version = models.PositiveIntegerField(default=0)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    text = models.TextField(default="", blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[FeedbackEventManager] = FeedbackEventManager()

    class Meta:
        db_table = "ai_feedback_event"
        default_permissions = ()
        ordering = ("-at", "-pk")
        indexes = (
            models.Index(fields=["feedback_id", "-at"], name="ai_feedback_event_latest"),
            models.Index(fields=["by", "-at"], name="ai_feedback_event_by"),
            models.Index(fields=["batch"], name="ai_feedback_event_batch"),
            models.Index(fields=["thread_id"], name="ai_feedback_event_thread"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} by {self.by}"
