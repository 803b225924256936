"""The audit log: who did what to which thing, when, and the chain of seals that shows whether it is still whole.

Entries are added in the transaction of what they tell of, so they become visible in no order. A worker seals those it sees,
each with a number and a digest over the one before. The database refuses to change or delete either (`ai.models.kept`).
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, models, transaction
from django.db.models import Exists, OuterRef

from ai import ids
from ai.models.base import TenantManager

#: So many entries are sealed in one transaction.
SEALED_AT_ONCE = 1_000

#: An entry is seen at most so long after it was written: no transaction lasts longer.
LATEST_SEEN = timedelta(hours=1)

#: What the first seal is made over.
BEGINNING = "0" * 64


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
            at=at,
            action=action,
            actor_id=actor_id,
            actor_name=actor_name,
            target_type=target._meta.model_name if target is not None else "",
            target_id=str(target.pk) if target is not None else "",
            tenant_id=tenant_id or getattr(target, "tenant_id", None),
            data=data or {},
        )
        return self.add(entry)

    def add(self, entry: AuditEntry) -> AuditEntry:
        """Add an entry that is made up already."""
        entry.id, entry.actor_name = ids.new(at=entry.at.timestamp()), entry.actor_name[:255]
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
        permissions = (("export_auditentry", "Can export the audit log"),)
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

    def digest(self, before: str) -> str:
        """What seals the entry after one with the digest `before`: SHA-256 over both, as 64 hexadecimal digits."""
        said = {
            "id": str(self.pk),
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "tenant_id": str(self.tenant_id) if self.tenant_id else None,
            "action": self.action,
            "actor_id": self.actor_id,
            "actor_name": self.actor_name,
            "target_type": self.target_type,
            "target_id": self.target_id,
            "data": self.data,
        }
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


class AuditSealManager(models.Manager["AuditSeal"]):
    """Only ever adds. It works in `ai.tenancy.everything()`: one chain holds the entries of all tenants."""

    def last(self) -> AuditSeal | None:
        """The newest seal. Whoever keeps its digest elsewhere can tell when the end of the log is cut off."""
        return self.order_by("-number").first()

    def unsealed(self) -> models.QuerySet[AuditEntry]:
        """Entries without a seal, in the order in which they will get one."""
        missing = ~Exists(self.filter(entry_id=OuterRef("pk")))
        entries: models.QuerySet[AuditEntry] = AuditEntry.objects.filter(missing).order_by("at", "pk")
        return entries

    def seal(self, *, at: datetime) -> int:
        """Seal what has been added; how many entries that were. Of two that do it at once, one does it."""
        last = self.last()
        waiting = self.unsealed()
        if last and (newest := AuditEntry.objects.filter(pk=last.entry_id).first()):
            waiting = waiting.filter(at__gt=min(newest.at, at) - LATEST_SEEN)
        try:
            with transaction.atomic():
                return len(self.bulk_create(_seals(waiting[:SEALED_AT_ONCE], last)))
        except IntegrityError:
            return 0

    def seal_late(self) -> int:
        """Seal also what was added much later than it says, such as views that a worker heard of hours after."""
        try:
            with transaction.atomic():
                return len(self.bulk_create(_seals(self.unsealed()[:SEALED_AT_ONCE], self.last())))
        except IntegrityError:
            return 0


def _seals(entries: Any, last: AuditSeal | None) -> list[AuditSeal]:
    number, digest = (last.number, last.digest) if last else (0, BEGINNING)
    found = []
    for number, entry in enumerate(entries, start=number + 1):  # noqa: B020 - it goes on from the last one
        digest = entry.digest(digest)
        found.append(AuditSeal(number=number, entry_id=entry.pk, digest=digest))
    return found


class AuditSeal(models.Model):
    """A link of the chain: which entry is the `number`th, and the digest over it and all before."""

    number = models.PositiveBigIntegerField(primary_key=True)
    entry_id = models.UUIDField(unique=True)
    digest = models.CharField(max_length=64)

    objects: ClassVar[AuditSealManager] = AuditSealManager()

    class Meta:
        db_table = "ai_audit_seal"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.number}. {self.digest[:12]}"
