"""Who is looking at what: a row for each open page, which ends by itself when the page stops saying so."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.db import models, transaction

from ai.models.base import TenantManager, TenantRecord


class PresenceKind(models.TextChoices):
    """What somebody looks at."""

    THREAD = "thread", "A thread"
    FEEDBACK = "feedback", "Feedback"
    REVIEW = "review", "A disputed review"


class PresenceManager(TenantManager):
    """The only writer of `ai_presence`."""

    def beat(self, row: Presence, *, at: datetime) -> None:
        """Say that the person is there until `row.until`. What has ended anywhere goes, so that nothing piles up.

        Whoever was there before and came back too late is there since now: their old row is among what goes.
        """
        with transaction.atomic():
            models.Manager.get_queryset(self).filter(until__lt=at).delete()
            self.bulk_create(
                [row],
                update_conflicts=True,
                unique_fields=["kind", "object_id", "person"],
                update_fields=["until", "name"],
            )

    def leave(self, *, kind: str, object_id: UUID, person: str) -> None:
        """Say that the person has gone."""
        self.filter(kind=kind, object_id=object_id, person=person).delete()

    def others(self, *, kind: str, object_id: UUID, person: str, at: datetime) -> models.QuerySet[Presence]:
        """Who else is there, whoever came first first."""
        rows: models.QuerySet[Presence] = self.filter(kind=kind, object_id=object_id, until__gte=at)
        return rows.exclude(person=person).order_by("since", "pk")


class Presence(TenantRecord):
    """A person at an object, for some seconds."""

    kind = models.CharField(max_length=16, choices=PresenceKind)
    object_id = models.UUIDField()
    person = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    since = models.DateTimeField()
    until = models.DateTimeField()

    objects: ClassVar[PresenceManager] = PresenceManager()

    class Meta:
        db_table = "ai_presence"
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["kind", "object_id", "person"], name="ai_presence_once"),
            models.CheckConstraint(
                name="ai_presence_ends_after_it_began", condition=models.Q(until__gt=models.F("since"))
            ),
        )
        indexes = (models.Index(fields=["until"], name="ai_presence_until"),)

    def __str__(self) -> str:
        return f"{self.name} at {self.kind} {self.object_id}"
