"""What is known of threads' remote sides: how far a thread was read, and both versions of each message at the last sync."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, models, transaction
from django.db.models import F, Q

from ai.models import bulk
from ai.models.base import TenantManager, TenantRecord

#: How long whoever sends to a remote thread keeps others from doing so.
HOLD = timedelta(seconds=90)
#: A worker that was told has begun by then.
SOON = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)


class ThreadSyncManager(TenantManager):
    """The only writer of `ai_thread_sync`."""

    def of(self, thread_id: UUID) -> ThreadSync | None:
        """The thread's row; None before its first sync."""
        return self.filter(thread_id=thread_id).first()

    def keep(self, thread: Any, *, at: datetime, is_new: bool = False, **values: Any) -> None:
        """Set some of a thread's facts, whether it has a row or not; `is_new` says that it had none a moment ago."""
        if not is_new and self.filter(thread_id=thread.pk).update(modified=at, **values):
            return
        row = self.model(thread_id=thread.pk, tenant_id=thread.tenant_id, created=at, modified=at, **values)
        self.bulk_create([row], ignore_conflicts=True)

    def note_error(self, thread_id: UUID, *, error: str, at: datetime) -> None:
        """Remember why the last sync failed; nothing is kept of a thread that is gone."""
        from ai.models.threads import ChatThread

        thread = ChatThread.objects.filter(pk=thread_id).only("pk", "tenant_id").first()
        if thread is not None:
            self.keep(thread, at=at, last_error=error[:2000])

    def hold(self, thread: Any, *, holder: str, at: datetime) -> bool:
        """Let one at a time send to the remote thread; False when somebody else does. Its holder may take it again."""
        if self.of(thread.pk) is None:
            self.keep(thread, at=at)
        free = Q(held_until__isnull=True) | Q(held_until__lt=at) | Q(held_by=holder)
        mine = self.filter(free, thread_id=thread.pk)
        return bool(mine.update(held_by=holder, held_until=at + HOLD, modified=at))

    def release(self, thread_id: UUID, *, holder: str) -> None:
        """Let others send."""
        self.filter(thread_id=thread_id, held_by=holder).update(held_by="", held_until=None)

    def want_push(self, thread: Any, *, at: datetime) -> None:
        """Remember that there is something to send; a worker that is told, or else a sweep, sends it."""
        self.keep(thread, at=at, push_wanted_at=at, push_after=at + SOON, push_tries=0)

    def pushed(self, thread_id: UUID, *, wanted_at: datetime | None) -> None:
        """Forget the wish, unless another came meanwhile."""
        mine = self.filter(thread_id=thread_id, push_wanted_at=wanted_at)
        mine.update(push_wanted_at=None, push_after=None, push_tries=0)

    def put_off(self, row: ThreadSync, *, at: datetime, error: str) -> None:
        """Try to send again later, each time twice as late, up to an hour."""
        wait = min(timedelta(seconds=5 * 2 ** min(row.push_tries, 12)), LONGEST_WAIT)
        values = {"push_tries": F("push_tries") + 1, "push_after": at + wait, "last_error": error[:2000]}
        self.filter(pk=row.pk).update(modified=at, **values)

    def woken(self, row: ThreadSync, *, at: datetime) -> None:
        """A worker was told: no other is for a while."""
        self.filter(pk=row.pk).update(push_after=at + HOLD)

    def wanting(self, *, at: datetime, most: int = 100) -> list[ThreadSync]:
        """Threads with something to send whose time has come."""
        return list(self.filter(push_after__lte=at).order_by("push_after", "pk")[:most])


class ThreadSync(TenantRecord):
    """One thread's remote side, as far as it is known here."""

    thread_id = models.UUIDField(unique=True)
    connection_id = models.UUIDField(null=True, blank=True)
    cursor = models.CharField(max_length=255, default="", blank=True)
    is_read = models.BooleanField(default=False)
    synced_at = models.DateTimeField(null=True, blank=True)
    read_whole_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(default="", blank=True)
    files: Any = models.JSONField(default=dict, blank=True)
    history: Any = models.JSONField(default=list, blank=True)
    held_by = models.CharField(max_length=300, default="", blank=True)
    held_until = models.DateTimeField(null=True, blank=True)
    push_wanted_at = models.DateTimeField(null=True, blank=True)
    push_after = models.DateTimeField(null=True, blank=True)
    push_tries = models.PositiveSmallIntegerField(default=0)

    objects: ClassVar[ThreadSyncManager] = ThreadSyncManager()

    class Meta:
        db_table = "ai_thread_sync"
        default_permissions = ()
        indexes = (
            models.Index(fields=["push_after"], name="ai_thread_sync_push", condition=Q(push_after__isnull=False)),
            models.Index(fields=["connection_id", "thread_id"], name="ai_thread_sync_connection"),
        )

    def __str__(self) -> str:
        return f"Sync of {self.thread_id}"


class SyncedMessageManager(TenantManager):
    """The only writer of `ai_synced_message`."""

    def of_thread(self, thread_id: UUID) -> list[SyncedMessage]:
        """The thread's messages on both sides, in the order in which the remote has them."""
        # The thread is in scope; with its tenant in the query too, SQLite would choose the wrong index.
        return list(SyncedMessage._base_manager.filter(thread_id=thread_id).order_by("pk"))

    def add(self, rows: Iterable[SyncedMessage]) -> None:
        """Remember messages, the oldest first."""
        if new := list(rows):
            bulk.insert_objects(SyncedMessage, new)

    def sent(self, row_id: int, *, external_id: str, remote_digest: str, local_digest: str) -> bool:
        """The remote has the message that was being sent; False when somebody else has found it there."""
        values = {"external_id": external_id, "remote_digest": remote_digest, "local_digest": local_digest}
        try:
            with transaction.atomic():
                return bool(self.filter(pk=row_id, external_id__isnull=True).update(**values))
        except IntegrityError:  # it was taken for another message that says the same
            return False

    def being_sent(self, thread_id: UUID) -> set[int]:
        """The rows of messages that somebody is sending, or was sending when a worker died."""
        return set(self.filter(thread_id=thread_id, external_id__isnull=True).values_list("pk", flat=True))

    def agree(self, versions: Mapping[int, tuple[str, str]]) -> None:
        """Both sides are at these versions now: row → (remote digest, local digest)."""
        rows = [
            SyncedMessage(pk=key, remote_digest=there, local_digest=here) for key, (there, here) in versions.items()
        ]
        self.bulk_update(rows, ["remote_digest", "local_digest"], batch_size=200)

    def forget(self, row_ids: Iterable[int]) -> None:
        """Drop rows: the message is on neither side, or only here for good."""
        self.filter(pk__in=list(row_ids)).delete()

    def forget_thread(self, thread_id: UUID) -> None:
        """Begin anew: the thread gets another remote side."""
        self.filter(thread_id=thread_id).delete()


class SyncedMessage(models.Model):
    """A message that both sides know, or, without `external_id`, one that is just being sent."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField(null=True)
    thread_id = models.UUIDField()
    message_id = models.UUIDField()
    external_id = models.CharField(max_length=255, null=True)
    remote_digest = models.CharField(max_length=32, default="")
    local_digest = models.CharField(max_length=32, default="")

    objects: ClassVar[SyncedMessageManager] = SyncedMessageManager()

    class Meta:
        db_table = "ai_synced_message"
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["thread_id", "message_id"], name="ai_synced_message_once"),
            models.UniqueConstraint(
                fields=["thread_id", "external_id"],
                name="ai_synced_external_once",
                condition=Q(external_id__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return self.external_id or "being sent"
