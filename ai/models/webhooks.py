"""Webhooks: servers that a tenant wants to be told of events, and each telling with what became of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from ai.models import secrets
from ai.models.base import TenantManager, TenantRecord

#: How long a worker may take with one delivery before another one tries; and how long a worker that was woken may be coming.
LEASE, WOKEN = timedelta(seconds=60), timedelta(seconds=30)
ANSWER_CHARACTERS = 1_000


class WebhookManager(TenantManager):
    """The only writer of `ai_webhook`."""

    def active(self, tenant_ids: Iterable[UUID]) -> dict[UUID, list[Webhook]]:
        """The webhooks in use, by tenant: one query."""
        found: dict[UUID, list[Webhook]] = {}
        for row in self.filter(tenant_id__in=set(tenant_ids), is_active=True).order_by("created", "pk"):
            found.setdefault(row.tenant_id, []).append(row)
        return found

    def worked(self, webhook_id: UUID) -> None:
        """A delivery arrived: what failed before is forgotten."""
        self.filter(pk=webhook_id, failures__gt=0).update(failures=0)

    def failed(self, webhook_id: UUID) -> int:
        """A delivery did not arrive; how many in a row."""
        self.filter(pk=webhook_id).update(failures=F("failures") + 1)
        return int(self.filter(pk=webhook_id).values_list("failures", flat=True).first() or 0)

    def pause(self, webhook_id: UUID, *, reason: str, at: datetime) -> bool:
        """Send nothing more; False when that was so."""
        running = self.filter(pk=webhook_id, is_active=True)
        return bool(running.update(is_active=False, paused_at=at, paused_because=reason[:300], modified=at))

    def rotate_secrets(self) -> int:
        """Encrypt every stored secret again under the newest key; how many there were."""
        rows = list(self.exclude(encrypted_secret=""))
        for row in rows:
            row.encrypted_secret = secrets.rotate(row.encrypted_secret)
        return self.bulk_update(rows, ["encrypted_secret"])


class Webhook(TenantRecord):
    """A server that is told; the secret signs what it is told, and is shown once."""

    name = models.CharField(max_length=100, help_text="What people call it, such as “Slack bridge”.")
    url = models.CharField("URL", max_length=500, help_text="Where events are posted to. It begins with https://.")
    events = models.JSONField(default=list)
    with_text = models.BooleanField(
        "send texts too", default=False, help_text="Comments and feedback in words; otherwise ids and states alone."
    )
    is_active = models.BooleanField("active", default=True)
    encrypted_secret = models.TextField(default="", blank=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_because = models.CharField(max_length=300, default="", blank=True, editable=False)

    objects: ClassVar[WebhookManager] = WebhookManager()

    class Meta:
        db_table = "ai_webhook"
        ordering = ("name", "id")
        constraints = (
            models.UniqueConstraint(fields=["tenant_id", "name"], name="ai_webhook_name"),
            models.CheckConstraint(
                name="ai_webhook_paused_is_not_active", condition=Q(paused_at__isnull=True) | Q(is_active=False)
            ),
        )
        indexes = (
            models.Index(fields=["-created", "-id"], name="ai_webhook_latest"),
            models.Index(fields=["tenant_id", "-created", "-id"], name="ai_webhook_tenant_latest"),
        )

    def __str__(self) -> str:
        return self.name

    def set_secret(self, plain: str) -> None:
        """Keep the secret, encrypted; the caller saves."""
        self.encrypted_secret = secrets.encrypt(plain)

    def secret(self) -> str:
        """The secret in clear, to sign with: never show or log it.

        Raises:
            Misconfigured: it cannot be read.
        """
        return secrets.decrypt(self.encrypted_secret)


class DeliveryState(models.TextChoices):
    """Where a delivery stands."""

    PENDING = "pending", "Waiting"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"


class WebhookDeliveryManager(TenantManager):
    """The only writer of `ai_webhook_delivery`."""

    def add(self, rows: Iterable[WebhookDelivery]) -> None:
        """Write new deliveries; what a webhook was told of already is passed over."""
        self.bulk_create(list(rows), batch_size=500, ignore_conflicts=True)

    def due(self, *, at: datetime, most: int = 100) -> list[UUID]:
        """What is to be tried now, apart from what a worker was just woken for."""
        quiet = Q(woken_at__isnull=True) | Q(woken_at__lt=at - WOKEN)
        rows = self._free(at).filter(quiet).order_by("next_at", "pk")
        return list(rows.values_list("pk", flat=True)[:most])

    def woken(self, keys: Iterable[UUID], *, at: datetime) -> None:
        """Note that workers were woken for them."""
        self.filter(pk__in=list(keys)).update(woken_at=at)

    def claim(self, key: UUID, *, worker: str, at: datetime) -> WebhookDelivery | None:
        """Take a delivery to try it now; None when it is not due, another worker has it, or it has ended."""
        taken = self._free(at).filter(pk=key)
        if not taken.update(leased_by=worker, lease_until=at + LEASE, attempts=F("attempts") + 1, modified=at):
            return None
        row: WebhookDelivery | None = self.filter(pk=key).first()
        return row

    def settle(self, row: WebhookDelivery, *, state: str, at: datetime, **values: Any) -> bool:
        """Write what became of an attempt that the caller holds; False when another worker took it over."""
        mine = self.filter(pk=row.pk, leased_by=row.leased_by, attempts=row.attempts, state=DeliveryState.PENDING)
        free = {"leased_by": "", "lease_until": None, "woken_at": None, "modified": at}
        ended = {} if state == DeliveryState.PENDING else {"ended_at": at, "next_at": None}
        return bool(mine.update(**{**values, **ended}, **free, state=state))

    def again(self, key: UUID, *, at: datetime) -> bool:
        """Send one that has ended again, now; False when it has not ended."""
        over = self.filter(pk=key).exclude(state=DeliveryState.PENDING)
        values: dict[str, Any] = {"state": DeliveryState.PENDING, "next_at": at, "first_at": at, "ended_at": None}
        return bool(over.update(**values, attempts=0, woken_at=None, modified=at))

    def release(self, workers: Iterable[str], *, at: datetime) -> int:
        """Give what these workers, which are dead, held to whoever is next; how much."""
        held = self.filter(leased_by__in=list(workers), state=DeliveryState.PENDING)
        return int(held.update(leased_by="", lease_until=None, woken_at=None, modified=at))

    def forget(self, *, before: datetime, most: int = 500) -> int:
        """Delete old ones that have ended; how many."""
        old = self.filter(created__lt=before).exclude(state=DeliveryState.PENDING)
        keys = list(old.order_by("created", "pk").values_list("pk", flat=True)[:most])
        return int(self.filter(pk__in=keys).delete()[0]) if keys else 0

    def _free(self, at: datetime) -> models.QuerySet[WebhookDelivery]:
        """What waits for its next attempt, of webhooks in use."""
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=at)
        resting = Webhook._base_manager.filter(is_active=False).values("pk")
        found: models.QuerySet[WebhookDelivery] = self.filter(free, state=DeliveryState.PENDING, next_at__lte=at)
        return found.exclude(webhook_id__in=resting)


class WebhookDelivery(TenantRecord):
    """One event for one webhook: what is posted, and how that went. `key` names the event."""

    webhook_id = models.UUIDField()
    event = models.CharField(max_length=64)
    key = models.CharField(max_length=120)
    body = models.TextField()
    thread_id = models.UUIDField(null=True, blank=True)
    message_id = models.UUIDField(null=True, blank=True)
    state = models.CharField(max_length=12, choices=DeliveryState, default=DeliveryState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    first_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True, blank=True)
    woken_at = models.DateTimeField(null=True, blank=True)
    leased_by = models.CharField(max_length=300, default="", blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.CharField(max_length=ANSWER_CHARACTERS, default="", blank=True)
    error = models.CharField(max_length=300, default="", blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[WebhookDeliveryManager] = WebhookDeliveryManager()

    class Meta:
        db_table = "ai_webhook_delivery"
        default_permissions = ("view",)
        verbose_name = "delivery"
        verbose_name_plural = "deliveries"
        ordering = ("-created", "-id")
        constraints = (
            models.UniqueConstraint(fields=["webhook_id", "key"], name="ai_webhook_delivery_once"),
            models.CheckConstraint(
                name="ai_webhook_delivery_waits_for_a_time",
                condition=~Q(state="pending") | Q(next_at__isnull=False),
            ),
        )
        indexes = (
            models.Index(fields=["-created", "-id"], name="ai_webhook_delivery_latest"),
            models.Index(fields=["tenant_id", "-created", "-id"], name="ai_webhook_delivery_tenant"),
            models.Index(fields=["webhook_id", "-created", "-id"], name="ai_webhook_delivery_of"),
            models.Index(fields=["next_at"], name="ai_webhook_delivery_due", condition=Q(state="pending")),
            models.Index(fields=["thread_id"], name="ai_webhook_delivery_thread"),
            models.Index(fields=["message_id"], name="ai_webhook_delivery_message"),
        )

    def __str__(self) -> str:
        return self.event


class WebhookPlaceManager(models.Manager["WebhookPlace"]):
    """The only writer of `ai_webhook_place`."""

    def number(self) -> int | None:
        """Up to which seal the audit log was read for webhooks; None before the first time."""
        found = self.values_list("number", flat=True).first()
        return None if found is None else int(found)

    def begin(self, number: int) -> None:
        """Read the log from here on."""
        self.bulk_create([WebhookPlace(pk=1, number=number)], ignore_conflicts=True)

    def advance(self, *, before: int, to: int) -> bool:
        """Go on, in the transaction of what was read; False when another worker did."""
        return bool(self.filter(pk=1, number=before).update(number=to))


class WebhookPlace(models.Model):
    """The one row that says how far webhooks have been told."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    number = models.PositiveBigIntegerField()

    objects: ClassVar[WebhookPlaceManager] = WebhookPlaceManager()

    class Meta:
        db_table = "ai_webhook_place"
        default_permissions = ()
        constraints = (models.CheckConstraint(name="ai_webhook_place_is_one_row", condition=Q(id=1)),)

    def __str__(self) -> str:
        return str(self.number)
