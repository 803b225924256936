"""The audit log: who did what to which thing, when."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db import models

from ai import ids
from ai.models.base import TenantManager


class AuditManager(TenantManager):
    """Only ever adds."""

    def record(
        self,
        action: str,
        *,
        actor_id: str,
        actor_name: str,
        at: datetime,
        target: Any = None,
        tenant_id: UUID | None = None,
        data: dict[str, Any] | None = None,
    ) -> AuditEntry:
        """Add an entry. `target` is the row that was changed."""
        entry: AuditEntry = self.model(
            id=ids.new(at=at.timestamp()),
            at=at,
            action=action,
            actor_id=actor_id,
            actor_name=actor_name[:255],
            target_type=target._meta.model_name if target is not None else "",
            target_id=str(target.pk) if target is not None else "",
            tenant_id=tenant_id or getattr(target, "tenant_id", None),
            data=data or {},
        )
        entry.save(force_insert=True)
        return entry


class AuditEntry(models.Model):
    """One thing that somebody did."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    at = models.DateTimeField()
    tenant_id = models.UUIDField(null=True, editable=False)
    action = models.CharField(max_length=64)
    actor_id = models.CharField(max_length=64)
    actor_name = models.CharField("who", max_length=255)
    target_type = models.CharField(max_length=64, default="")
    target_id = models.CharField(max_length=64, default="")
    data = models.JSONField(default=dict)

    objects: ClassVar[AuditManager] = AuditManager()

    class Meta:
        db_table = "ai_audit_entry"
        default_permissions = ("view",)
        verbose_name = "audit entry"
        verbose_name_plural = "audit log"
        ordering = ("-at", "-id")
        indexes = (
            models.Index(fields=["-at", "-id"], name="ai_audit_latest"),
            models.Index(fields=["tenant_id", "-at", "-id"], name="ai_audit_tenant_latest"),
            models.Index(fields=["tenant_id", "action", "-at"], name="ai_audit_tenant_action"),
        )

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_name}"
