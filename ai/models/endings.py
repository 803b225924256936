"""What has ended and nobody was told of yet: written in the transaction that ended it, read and removed by a worker."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db import models

from ai.models.base import TenantManager, TenantRecord

RUN, JOB = "run", "job"


class EndingManager(TenantManager):
    """The only writer of `ai_ending`."""

    def note(self, what: str, rows: Iterable[tuple[UUID, UUID | None]], *, at: datetime) -> None:
        """Keep that these runs failed, or these jobs ended; `rows` are (id, tenant)."""
        new = [Ending(what=what, object_id=key, tenant_id=tenant, at=at) for key, tenant in rows]
        self.bulk_create(new, batch_size=500, ignore_conflicts=True)

    def take(self, *, most: int) -> list[Ending]:
        """Remove the oldest, in the caller's transaction, and return them: who removes one tells of it, nobody else."""
        rows = list(self.order_by("at", "pk")[:most])
        return [row for row in rows if self.filter(pk=row.pk).delete()[0]]


class Ending(TenantRecord):
    """A run failed, or a job ended."""

    what = models.CharField(max_length=8)
    object_id = models.UUIDField()
    at = models.DateTimeField()

    objects: ClassVar[Any] = EndingManager()

    class Meta:
        db_table = "ai_ending"
        default_permissions = ()
        ordering = ("at", "pk")
        constraints = (models.UniqueConstraint(fields=["what", "object_id"], name="ai_ending_once"),)
        indexes = (models.Index(fields=["at"], name="ai_ending_at"),)

    def __str__(self) -> str:
        return f"{self.what} {self.object_id}"
