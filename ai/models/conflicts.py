"""Conflicts: messages that two sides tell differently, until a person decides."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from ai.models.base import TenantManager, TenantRecord


class ConflictKind(models.TextChoices):
    """How the sides differ."""

    EDITED_BOTH = "edited_both", "Changed on both sides"
    EDITED_HERE = "edited_here", "Changed here; the remote takes no edits"
    DELETED_HERE = "deleted_here", "Deleted here"
    DELETED_THERE = "deleted_there", "Deleted on the remote"
    DIFFERS = "differs", "Different from the start"


class ConflictStatus(models.TextChoices):
    """Whether a person still has to decide."""

    OPEN = "open", "Open"
    SETTLED = "settled", "Settled"


class Decision(models.TextChoices):
    """What became of it."""

    REMOTE = "remote", "The remote's"
    LOCAL = "local", "Ours"
    AGREED = "agreed", "The sides agree again"


class SyncConflictManager(TenantManager):
    """The only writer of `ai_sync_conflict`."""

    def open_of(self, thread_id: UUID) -> models.QuerySet[SyncConflict]:
        """What is to be decided in a thread."""
        return self.filter(thread_id=thread_id, status=ConflictStatus.OPEN).order_by("created", "pk")

    def note(self, row: SyncConflict, *, at: datetime) -> bool:
        """Keep a conflict of a locked thread, or bring the open one about this message up to date; whether it is new."""
        known = self.open_of(row.thread_id).filter(external_id=row.external_id).first()
        if known is None:
            row.created = row.modified = at
            row.save(force_insert=True)
            return True
        names = ("kind", "message_id", "local", "remote", "local_digest", "remote_digest")
        if any(getattr(known, name) != getattr(row, name) for name in names):
            self.filter(pk=known.pk).update(modified=at, **{name: getattr(row, name) for name in names})
        return False

    def settle(self, conflict_id: UUID, *, decision: str, by: str, at: datetime) -> bool:
        """Close an open conflict; False when somebody did before."""
        values = {"status": ConflictStatus.SETTLED, "decision": decision, "decided_by": by, "decided_at": at}
        changed = self.filter(pk=conflict_id, status=ConflictStatus.OPEN).update(modified=at, **values)
        return bool(changed)


class SyncConflict(TenantRecord):
    """One message with both of its versions; None is a side that has none."""

    thread_id = models.UUIDField()
    message_id = models.UUIDField(null=True, blank=True)
    external_id = models.CharField("external ID", max_length=255)
    kind = models.CharField(max_length=16, choices=ConflictKind)
    status = models.CharField(max_length=8, choices=ConflictStatus, default=ConflictStatus.OPEN)
    decision = models.CharField(max_length=8, choices=Decision, default="", blank=True)
    local: Any = models.JSONField(null=True, blank=True)
    remote: Any = models.JSONField(null=True, blank=True)
    local_digest = models.CharField(max_length=32, default="", blank=True, editable=False)
    remote_digest = models.CharField(max_length=32, default="", blank=True, editable=False)
    decided_by = models.CharField(max_length=255, default="", blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[SyncConflictManager] = SyncConflictManager()

    class Meta:
        db_table = "ai_sync_conflict"
        verbose_name = "sync conflict"
        ordering = ("-created", "-id")
        default_permissions = ("view",)
        permissions = (("decide_syncconflict", "Can decide sync conflicts"),)
        constraints = (
            models.UniqueConstraint(
                fields=["thread_id", "external_id"], name="ai_sync_conflict_open_once", condition=Q(status="open")
            ),
            models.CheckConstraint(
                name="ai_sync_conflict_settled_has_decision", condition=Q(status="open", decision="") | ~Q(decision="")
            ),
        )
        indexes = (
            models.Index(fields=["-created", "-id"], name="ai_sync_conflict_latest"),
            models.Index(fields=["tenant_id", "status", "-created", "-id"], name="ai_sync_conflict_tenant"),
            models.Index(fields=["thread_id", "status"], name="ai_sync_conflict_thread"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.external_id}"

    @property
    def is_open(self) -> bool:
        """Whether a person has to decide."""
        return self.status == ConflictStatus.OPEN
