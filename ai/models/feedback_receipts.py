"""What applications sent as feedback: under which id of theirs, and with which metadata. The same id twice is one feedback."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

from django.db import models

from ai.models.base import TenantManager, TenantRecord

#: What begins like this names a request that may be repeated (the header `Idempotency-Key`): no id of an application's.
REPEATS = "idempotency-key/"


class FeedbackReceiptManager(TenantManager):
    """The only writer of `ai_feedback_receipt`."""

    def add(self, receipt: FeedbackReceipt) -> FeedbackReceipt:
        """Write a receipt.

        Raises:
            IntegrityError: the tenant has one with this external id.
        """
        receipt.save(force_insert=True)
        return receipt

    def under(self, external_id: str) -> FeedbackReceipt | None:
        """The receipt in scope for an application's id; None when it sent nothing under it."""
        found: FeedbackReceipt | None = self.filter(external_id=external_id).order_by("pk").first()
        return found

    def last_of(self, feedback_ids: Iterable[UUID]) -> dict[UUID, FeedbackReceipt]:
        """The last receipt of each feedback that has any: one query."""
        rows = self.filter(feedback_id__in=list(feedback_ids)).order_by("created", "pk")
        return {row.feedback_id: row for row in rows}


class FeedbackReceipt(TenantRecord):
    """An application sent feedback. `digest` is over all that it sent, to tell a repetition from something else."""

    feedback_id = models.UUIDField()
    thread_id = models.UUIDField()
    external_id = models.CharField(max_length=255, null=True, blank=True)
    digest = models.CharField(max_length=64)
    metadata = models.JSONField(default=dict, blank=True)

    objects: ClassVar[FeedbackReceiptManager] = FeedbackReceiptManager()

    class Meta:
        db_table = "ai_feedback_receipt"
        default_permissions = ()
        ordering = ("-created", "-pk")
        constraints = (
            models.UniqueConstraint(
                fields=["tenant_id", "external_id"],
                name="ai_feedback_receipt_once",
                condition=models.Q(external_id__isnull=False),
            ),
        )
        indexes = (
            models.Index(fields=["feedback_id"], name="ai_feedback_receipt_feedback"),
            models.Index(fields=["thread_id"], name="ai_feedback_receipt_thread"),
        )

    @property
    def own_id(self) -> str | None:
        """The application's own id of it."""
        return None if (self.external_id or "").startswith(REPEATS) else self.external_id

    def __str__(self) -> str:
        return self.own_id or "Feedback of an application"
