"""What people are told: one row a person and event. It is also the pending e-mail about it, which is sent once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from ai.models.base import Record, TenantManager, TenantRecord

#: How long a worker may take with one e-mail before another one tries; and how long one that was woken may be coming.
LEASE, WOKEN = timedelta(minutes=2), timedelta(seconds=30)


class Kind(models.TextChoices):
    """What somebody is told of."""

    MENTION = "mention", "Somebody mentions you"
    REPLY = "reply", "Somebody replies to your comment"
    ASSIGNED = "assigned", "Feedback is assigned to you"
    REVIEW = "review", "Reviews are assigned to you"
    JOB = "job", "A job of yours has ended or failed"
    SNOOZE = "snooze", "Feedback that was snoozed is back"
    WEBHOOK = "webhook", "A webhook was paused"


class Email(models.TextChoices):
    """When somebody gets an e-mail about a kind of event."""

    NEVER = "never", "Never"
    ONCE = "once", "At once"
    DIGEST = "digest", "Once a day"


class EmailState(models.TextChoices):
    """What became of the e-mail about a notification."""

    NONE = "none", "Not wanted"
    PENDING = "pending", "Waiting"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"
    DROPPED = "dropped", "Not needed any more"


class NotificationManager(TenantManager):
    """The only writer of `ai_notification`."""

    def add(self, rows: Iterable[Notification]) -> None:
        """Write them; one that the person has been told of already is passed over."""
        self.bulk_create(list(rows), ignore_conflicts=True)

    def told(self, key: str, user_ids: Iterable[str]) -> set[str]:
        """Those of the persons who have been told of this event."""
        return set(self.filter(user_id__in=list(user_ids), key=key).values_list("user_id", flat=True))

    def of(self, user_id: str) -> models.QuerySet[Notification]:
        """What the person is told in the console, in scope: the unread first, each part by time."""
        found: models.QuerySet[Notification] = self.filter(user_id=user_id, in_console=True)
        return found.order_by("is_read", "-at", "-pk")

    def unread(self, user_id: str, *, most: int) -> int:
        """How many the person has not read, counted up to `most`: one query over an index."""
        mine = self.filter(user_id=user_id, in_console=True, is_read=False)
        return len(mine.order_by().values_list("pk", flat=True)[:most])

    def read(self, user_id: str, keys: Iterable[UUID] | None, *, at: datetime) -> int:
        """Mark some, or all, of the person's as read; how many were unread."""
        mine = self.filter(user_id=user_id, in_console=True, is_read=False)
        if keys is not None:
            mine = mine.filter(pk__in=list(keys))
        return int(mine.update(is_read=True, modified=at))

    def reword(self, target: Any, text: str, *, is_mailed: bool, at: datetime) -> int:
        """Let what is told of a row of a thread say `text`; without `is_mailed` no e-mail about it goes out any more."""
        about = {"target_type": target._meta.model_name, "target_id": str(target.pk)}
        rows = self.filter(thread_id=target.thread_id, **about)
        if not is_mailed:
            values = {
                "email_state": EmailState.DROPPED,
                "email_after": None,
                "email_held_by": "",
                "email_held_until": None,
            }
            rows.filter(email_state=EmailState.PENDING).update(**values, modified=at)
        return int(rows.update(text=text, modified=at))

    def due(self, *, at: datetime, most: int = 200) -> list[str]:
        """The persons for whom an e-mail is due that nobody is sending, and no worker was just woken for."""
        quiet = Q(email_woken_at__isnull=True) | Q(email_woken_at__lt=at - WOKEN)
        rows = self._due(at).filter(quiet).order_by("email_after").values_list("user_id", flat=True)[:most]
        return list(dict.fromkeys(rows))

    def woken(self, user_ids: Iterable[str], *, at: datetime) -> None:
        """Note that workers were woken for what is due for these persons."""
        self._due(at).filter(user_id__in=list(user_ids)).update(email_woken_at=at)

    def claim(self, user_id: str, *, worker: str, at: datetime, most: int = 200) -> list[Notification]:
        """Take the person's due e-mails to send them now; nobody else has them meanwhile."""
        keys = list(self._due(at).filter(user_id=user_id).order_by("at", "pk").values_list("pk", flat=True)[:most])
        mine = self._due(at).filter(pk__in=keys)
        if not mine.update(email_held_by=worker, email_held_until=at + LEASE, modified=at):
            return []
        held = self.filter(pk__in=keys, email_held_by=worker, email_state=EmailState.PENDING)
        return list(held.order_by("at", "pk"))

    def hold_on(self, keys: Iterable[UUID], *, worker: str, at: datetime) -> list[Notification]:
        """Hold e-mails that the worker is about to send for as long again; those that are still its own, as they are now."""
        wanted = list(keys)
        if not self._held(wanted, worker).update(email_held_until=at + LEASE, modified=at):
            return []
        return list(self._held(wanted, worker).order_by("at", "pk"))

    def settle(self, keys: Iterable[UUID], *, worker: str, state: str, at: datetime) -> int:
        """Say what became of e-mails that the worker holds."""
        values = {"email_state": state, "email_after": None, "email_held_by": "", "email_held_until": None}
        return int(self._held(keys, worker).update(**values, modified=at))

    def put_off(self, keys: Iterable[UUID], *, worker: str, until: datetime, at: datetime) -> int:
        """Try e-mails that the worker holds again later."""
        values: dict[str, Any] = {
            "email_after": until, "email_held_by": "", "email_held_until": None, "email_woken_at": None,
        }  # fmt: skip
        return int(self._held(keys, worker).update(**values, email_tries=F("email_tries") + 1, modified=at))

    def forget(self, *, before: datetime, most: int = 500) -> int:
        """Delete old ones that wait for nothing; how many."""
        old = self.filter(at__lt=before).exclude(email_state=EmailState.PENDING)
        keys = list(old.order_by("at", "pk").values_list("pk", flat=True)[:most])
        return int(self.filter(pk__in=keys).delete()[0]) if keys else 0

    def _due(self, at: datetime) -> models.QuerySet[Notification]:
        free = Q(email_held_until__isnull=True) | Q(email_held_until__lt=at)
        found: models.QuerySet[Notification] = self.filter(free, email_state=EmailState.PENDING, email_after__lte=at)
        return found

    def _held(self, keys: Iterable[UUID], worker: str) -> models.QuerySet[Notification]:
        found: models.QuerySet[Notification] = self.filter(
            pk__in=list(keys), email_held_by=worker, email_state=EmailState.PENDING
        )
        return found


class Notification(TenantRecord):
    """Something happened that `user_id` wants to know. `key` names the event: nobody is told of it twice."""

    user_id = models.CharField(max_length=64)
    kind = models.CharField(max_length=12, choices=Kind)
    key = models.CharField(max_length=120)
    at = models.DateTimeField()
    actor = models.CharField(max_length=255, default="", blank=True)
    title = models.CharField(max_length=300)
    text = models.CharField(max_length=300, default="", blank=True)
    thread_id = models.UUIDField(null=True, blank=True)
    message_id = models.UUIDField(null=True, blank=True)
    target_type = models.CharField(max_length=64, default="", blank=True)
    target_id = models.CharField(max_length=64, default="", blank=True)
    in_console = models.BooleanField(default=True)
    is_read = models.BooleanField(default=False)
    email = models.CharField(max_length=8, choices=Email, default=Email.NEVER)
    email_state = models.CharField(max_length=8, choices=EmailState, default=EmailState.NONE)
    email_after = models.DateTimeField(null=True, blank=True)
    email_tries = models.PositiveSmallIntegerField(default=0)
    email_woken_at = models.DateTimeField(null=True, blank=True)
    email_held_by = models.CharField(max_length=300, default="", blank=True)
    email_held_until = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[NotificationManager] = NotificationManager()

    class Meta:
        db_table = "ai_notification"
        default_permissions = ()
        ordering = ("-at", "-pk")
        constraints = (
            models.UniqueConstraint(fields=["user_id", "key"], name="ai_notification_once"),
            models.CheckConstraint(
                name="ai_notification_pending_email_has_a_time",
                condition=~Q(email_state="pending") | Q(email_after__isnull=False),
            ),
        )
        indexes = (
            models.Index(fields=["user_id", "is_read", "-at", "-id"], name="ai_notification_mine"),
            models.Index(fields=["email_after"], name="ai_notification_due", condition=Q(email_state="pending")),
            models.Index(fields=["thread_id"], name="ai_notification_thread"),
            models.Index(fields=["at"], name="ai_notification_at"),
        )

    def __str__(self) -> str:
        return self.title


class NotificationChoiceManager(models.Manager["NotificationChoice"]):
    """The only writer of `ai_notification_choice`. What somebody chose holds for all of their tenants."""

    def choose(self, user_id: str, kind: str, *, in_console: bool, email: str, at: datetime) -> bool:
        """Keep what the person wants; whether that is new."""
        values = {"in_console": in_console, "email": email}
        row, is_new = self.get_or_create(user_id=user_id, kind=kind, defaults=values)
        if is_new:
            return True
        differs = ~Q(**values)
        return bool(self.filter(differs, pk=row.pk).update(**values, modified=at))


class NotificationChoice(Record):
    """Where somebody wants to be told of a kind of event. Without a row: in the console alone."""

    user_id = models.CharField(max_length=64)
    kind = models.CharField(max_length=12, choices=Kind)
    in_console = models.BooleanField(default=True)
    email = models.CharField(max_length=8, choices=Email, default=Email.NEVER)

    objects: ClassVar[NotificationChoiceManager] = NotificationChoiceManager()

    class Meta:
        db_table = "ai_notification_choice"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["user_id", "kind"], name="ai_notification_choice_once"),)

    def __str__(self) -> str:
        return f"{self.kind}: {self.email}"
