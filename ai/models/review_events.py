"""What people did to queues and items: kept so that it can be taken back, and so that it is known who changed what since."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from ai.models.base import TenantManager, TenantRecord


class ReviewEventKind(models.TextChoices):
    """What was done."""

    SUBMITTED = "submitted", "Answered"
    TAKEN_BACK = "taken_back", "Took an answer back"
    PASSED = "passed", "Skipped"
    PUT_BACK = "put_back", "Put back"
    ASSIGNED = "assigned", "Assigned"
    UNASSIGNED = "unassigned", "Unassigned"
    DECIDED = "decided", "Decided"
    WITHDRAWN = "withdrawn", "Withdrew the decision"
    MOVED = "moved", "Changed the queue's state"


#: What is done to many reviews at once.
KEEPING = (ReviewEventKind.ASSIGNED, ReviewEventKind.UNASSIGNED)


class ReviewEventManager(TenantManager):
    """The only writer of `ai_review_event`."""

    def add(self, event: ReviewEvent) -> ReviewEvent:
        """Write what was done."""
        event.save(force_insert=True)
        return event

    def take_back(self, event_id: UUID, *, at: datetime) -> bool:
        """Say that it was taken back; False when that has been done."""
        return bool(self.filter(pk=event_id, undone_at__isnull=True).update(undone_at=at, modified=at))

    def retire(self, kind: str, *, at: datetime, item_id: UUID, slot_id: UUID | None = None) -> None:
        """Say that what was done so to an item, or to one review of it, stands no more."""
        rows = self.filter(item_id=item_id, kind=kind, undone_at__isnull=True)
        (rows.filter(slot_id=slot_id) if slot_id else rows).update(undone_at=at, modified=at)

    def since(self, event: ReviewEvent) -> ReviewEvent | None:
        """The latest thing that was done after the event to the same review, item, or, without one, to the queue."""
        later = self.filter(queue_id=event.queue_id, item_id=event.item_id, at__gte=event.at).exclude(pk=event.pk)
        if event.item_id is None:
            moves = event.kind == ReviewEventKind.MOVED
            later = later.filter(kind__in=[ReviewEventKind.MOVED] if moves else KEEPING)
        found: ReviewEvent | None = later.filter(Q(at__gt=event.at) | Q(pk__gt=event.pk)).order_by("-at", "-pk").first()
        return found


class ReviewEvent(TenantRecord):
    """Somebody did something to a queue, an item, or one review (`slot_id`) of it. `before` is what it was."""

    queue_id = models.UUIDField()
    item_id = models.UUIDField(null=True)
    slot_id = models.UUIDField(null=True)
    position = models.PositiveIntegerField(null=True)
    kind = models.CharField(max_length=12, choices=ReviewEventKind)
    by = models.CharField(max_length=255)
    by_name = models.CharField(max_length=255)
    at = models.DateTimeField()
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    undone_at = models.DateTimeField(null=True)

    objects: ClassVar[ReviewEventManager] = ReviewEventManager()

    class Meta:
        db_table = "ai_review_event"
        default_permissions = ()
        indexes = (
            models.Index(fields=["queue_id", "-at", "-id"], name="ai_review_event_latest"),
            models.Index(fields=["item_id", "-at", "-id"], name="ai_review_event_item"),
            models.Index(fields=["queue_id", "by", "-at", "-id"], name="ai_review_event_by"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} by {self.by_name}"
