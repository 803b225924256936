"""The files of vector stores. A worker reads each: the database is the truth about what is still to be read.

A worker takes a file by one conditional UPDATE that sets a lease and counts the attempt; who holds the latest attempt, and
only they, may write its chunks and settle it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import models, transaction
from django.db.models import Count, F, Q

from ai import conf
from ai.exceptions import LeaseLost
from ai.models.base import TenantManager, TenantRecord
from ai.models.chunks import Chunk

#: How long a worker may be silent about a file it reads before others take it.
LEASE = timedelta(minutes=5)


class StoreFileStatus(models.TextChoices):
    """The API's states of a file in a vector store, and of a batch of them."""

    IN_PROGRESS = "in_progress", "In progress"
    COMPLETED = "completed", "Completed"
    CANCELLED = "cancelled", "Cancelled"
    FAILED = "failed", "Failed"


Counts = dict[str, int]


class VectorStoreFileQuerySet(models.QuerySet["VectorStoreFile"]):
    """Chainable filters on the files of vector stores."""

    def reading(self, store_ids: Iterable[UUID]) -> VectorStoreFileQuerySet:
        """Files of these stores that are not read yet."""
        return self.filter(vector_store_id__in=list(store_ids), status=StoreFileStatus.IN_PROGRESS)

    def claimable(self, at: datetime) -> VectorStoreFileQuerySet:
        """Files that a worker may take now."""
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=at)
        most = conf.current().run_max_attempts
        return self.filter(free, status=StoreFileStatus.IN_PROGRESS, attempt__lt=most)


class VectorStoreFileManager(TenantManager.from_queryset(VectorStoreFileQuerySet)):  # type: ignore[misc]
    """The only writer of `ai_vector_store_file`."""

    def add(self, rows: Sequence[VectorStoreFile]) -> None:
        """Add files to one store, to be read. One that is there already is read anew."""
        with transaction.atomic():
            for start in range(0, len(rows), 500):
                part = rows[start : start + 500]
                self.remove(part[0].vector_store_id, [row.file_id for row in part])
                self.bulk_create(part)

    def remove(self, store_id: UUID, file_ids: Sequence[str]) -> int:
        """Take files out of a store; how many were there."""
        with transaction.atomic():
            return self._delete(self.filter(vector_store_id=store_id, file_id__in=list(file_ids)))

    def forget_file(self, file_id: str, *, tenant_id: UUID | None) -> None:
        """Take a file that is deleted out of every store."""
        with transaction.atomic():
            self._delete(self.model._base_manager.filter(tenant_id=tenant_id, file_id=file_id))

    def _delete(self, rows: models.QuerySet[VectorStoreFile]) -> int:
        from ai.models.vector_stores import VectorStore

        found = list(rows.values_list("pk", "vector_store_id", "usage_bytes"))
        keys = [key for key, _, _ in found]
        # The rows first: a worker that writes chunks has them locked, and writes no more once they are gone.
        self.model._base_manager.filter(pk__in=keys).delete()
        Chunk.objects.forget_files(keys)
        freed: dict[UUID, int] = defaultdict(int)
        for _, store_id, usage in found:
            freed[store_id] += usage
        for store_id, usage in freed.items():
            VectorStore.objects.use(store_id, usage_bytes=-usage)
        return len(keys)

    def forget_store(self, store_id: UUID) -> None:
        """Drop the rows of a store that is being deleted; its chunks are its own business."""
        self.filter(vector_store_id=store_id).delete()

    def describe(self, file: VectorStoreFile, *, attributes: dict[str, Any], at: datetime) -> None:
        """Give a file these attributes; the object gets them too."""
        file.attributes, file.modified = attributes, at
        file.save(update_fields=["attributes", "modified"])

    def stop(self, store_id: UUID, *, at: datetime) -> None:
        """Read no more files of a store, and forget what those that were read take up."""
        rows = self.filter(vector_store_id=store_id)
        reading = rows.filter(status=StoreFileStatus.IN_PROGRESS)
        reading.update(status=StoreFileStatus.CANCELLED, lease_until=None, modified=at)
        rows.filter(usage_bytes__gt=0).update(usage_bytes=0)

    def cancel_batch(self, batch_id: UUID, *, at: datetime) -> int:
        """Cancel the files of a batch that are not read yet; how many."""
        waiting = self.filter(batch_id=batch_id, status=StoreFileStatus.IN_PROGRESS)
        return int(waiting.update(status=StoreFileStatus.CANCELLED, lease_until=None, modified=at))

    def claim(self, key: UUID, *, at: datetime) -> VectorStoreFile | None:
        """Take one waiting file; None when somebody else has it or it is settled."""
        taken = self.claimable(at).filter(pk=key)
        if not taken.update(lease_until=at + LEASE, attempt=F("attempt") + 1, modified=at):
            return None
        file: VectorStoreFile | None = self.filter(pk=key).first()
        return file

    def claim_next(self, *, at: datetime) -> VectorStoreFile | None:
        """Take the file that has waited longest; None when there is none."""
        while True:
            keys = list(self.claimable(at).order_by("created", "pk").values_list("pk", flat=True)[:10])
            for key in keys:
                if file := self.claim(key, at=at):
                    return file
            if not keys:
                return None

    def write(self, file: VectorStoreFile, chunks: Sequence[Chunk], *, at: datetime) -> None:
        """Add chunks of a file being read, and keep its lease.

        Raises:
            LeaseLost: it is no longer the caller's: taken over, cancelled, or removed.
        """
        with transaction.atomic():
            if not self._mine(file).update(lease_until=at + LEASE):
                raise LeaseLost
            Chunk.objects.write(chunks)

    def complete(self, file: VectorStoreFile, *, usage_bytes: int, at: datetime) -> None:
        """End a file being read as completed.

        Raises:
            LeaseLost: it is no longer the caller's.
        """
        from ai.models.vector_stores import VectorStore

        with transaction.atomic():
            self._settle(file, at=at, status=StoreFileStatus.COMPLETED, usage_bytes=usage_bytes, last_error=None)
            VectorStore.objects.use(file.vector_store_id, usage_bytes=usage_bytes)

    def fail(self, file: VectorStoreFile, *, code: str, message: str, at: datetime) -> None:
        """End a file being read as failed. `code` is server_error, unsupported_file or invalid_file.

        Raises:
            LeaseLost: it is no longer the caller's.
        """
        error = {"code": code, "message": message}
        with transaction.atomic():
            self._settle(file, at=at, status=StoreFileStatus.FAILED, last_error=error)
            Chunk.objects.forget_files([file.pk])

    def give_back(self, file: VectorStoreFile, *, at: datetime, until: datetime) -> None:
        """Let others take a file from `until` on: reading it failed for a reason that may pass."""
        self._mine(file).update(lease_until=until, modified=at)

    def give_up(self, *, at: datetime) -> set[UUID]:
        """Fail files that every attempt left unread; the batches they are of."""
        most = conf.current().run_max_attempts
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=at)
        spent = self.filter(free, status=StoreFileStatus.IN_PROGRESS, attempt__gte=most)
        found = dict(spent.values_list("pk", "batch_id"))
        error = {"code": "server_error", "message": "Every worker that began to read this file failed."}
        spent.filter(pk__in=list(found)).update(
            status=StoreFileStatus.FAILED, last_error=error, lease_until=None, modified=at
        )
        return {batch_id for batch_id in found.values() if batch_id}

    def clean_up(self, file: VectorStoreFile) -> None:
        """Drop what was written of a file that was taken away meanwhile, unless another worker is at it."""
        with transaction.atomic():
            again = self.select_for_update().filter(pk=file.pk).exclude(status=StoreFileStatus.CANCELLED)
            if not again.exists():
                Chunk.objects.forget_files([file.pk])

    def _mine(self, file: VectorStoreFile) -> models.QuerySet[VectorStoreFile]:
        mine: models.QuerySet[VectorStoreFile] = self.filter(
            pk=file.pk, status=StoreFileStatus.IN_PROGRESS, attempt=file.attempt
        )
        return mine

    def _settle(self, file: VectorStoreFile, *, at: datetime, **values: Any) -> None:
        if not self._mine(file).update(lease_until=None, modified=at, **values):
            raise LeaseLost

    def counts(self, store_ids: Iterable[UUID]) -> dict[UUID, Counts]:
        """How many files are in which state, for each of these stores; states without files are left out."""
        return self._counts("vector_store_id", store_ids)

    def batch_counts(self, batch_ids: Iterable[UUID]) -> dict[UUID, Counts]:
        """The same for batches."""
        return self._counts("batch_id", batch_ids)

    def _counts(self, column: str, keys: Iterable[UUID]) -> dict[UUID, Counts]:
        # Of these stores only, so of these tenants only; an index answers it, which knows no tenants.
        rows = self.model._base_manager.filter(**{f"{column}__in": list(keys)}).order_by()
        found: dict[UUID, Counts] = defaultdict(dict)
        for key, status, count in rows.values_list(column, "status").annotate(count=Count("pk")):
            found[key][status] = count
        return found


class VectorStoreBatchManager(TenantManager):
    """The only writer of `ai_vector_store_batch`."""

    def make(self, batch: VectorStoreBatch) -> None:
        """Write a new batch."""
        batch.save(force_insert=True)

    def cancel(self, batch_id: UUID, *, at: datetime) -> bool:
        """Cancel a batch and what is not read of it; False when it has ended."""
        with transaction.atomic():
            still = self.filter(pk=batch_id, status=StoreFileStatus.IN_PROGRESS)
            changed = still.update(status=StoreFileStatus.CANCELLED, modified=at)
            VectorStoreFile.objects.cancel_batch(batch_id, at=at)
        return bool(changed)

    def settle(self, batch_id: UUID, *, at: datetime) -> None:
        """End a batch of which every file has been settled. To be called when that of a file is committed."""
        if not VectorStoreFile.objects.filter(batch_id=batch_id, status=StoreFileStatus.IN_PROGRESS).exists():
            still = self.filter(pk=batch_id, status=StoreFileStatus.IN_PROGRESS)
            still.update(status=StoreFileStatus.COMPLETED, modified=at)


class VectorStoreBatch(TenantRecord):
    """Files that were added to a vector store together."""

    vector_store_id = models.UUIDField()
    status = models.CharField(max_length=16, choices=StoreFileStatus, default=StoreFileStatus.IN_PROGRESS)

    objects: ClassVar[VectorStoreBatchManager] = VectorStoreBatchManager()

    class Meta:
        db_table = "ai_vector_store_batch"
        default_permissions = ()
        ordering = ("-created", "-id")

    def __str__(self) -> str:
        return f"Batch of {self.created:%Y-%m-%d %H:%M}"


class VectorStoreFile(TenantRecord):
    """A file in a vector store: how it is cut, and how far that has come."""

    vector_store_id = models.UUIDField()
    file_id = models.CharField("file", max_length=255, help_text="The public id of the file.")
    batch_id = models.UUIDField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=StoreFileStatus, default=StoreFileStatus.IN_PROGRESS)
    attributes = models.JSONField(default=dict, blank=True)
    chunking_strategy = models.JSONField(default=dict, blank=True)
    usage_bytes = models.BigIntegerField(default=0, editable=False)
    last_error = models.JSONField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    attempt = models.PositiveSmallIntegerField(default=0, editable=False)

    objects: ClassVar[VectorStoreFileManager] = VectorStoreFileManager()

    class Meta:
        db_table = "ai_vector_store_file"
        default_permissions = ()
        ordering = ("-created", "-id")
        constraints = (
            models.UniqueConstraint(fields=["vector_store_id", "file_id"], name="ai_vector_store_file_once"),
        )
        indexes = (
            models.Index(fields=["vector_store_id", "status"], name="ai_store_file_status"),
            models.Index(fields=["vector_store_id", "-created", "-id"], name="ai_store_file_latest"),
            models.Index(fields=["batch_id"], name="ai_store_file_batch", condition=Q(batch_id__isnull=False)),
            models.Index(fields=["tenant_id", "file_id"], name="ai_store_file_file"),
            models.Index(fields=["status", "created"], name="ai_store_file_queue"),
        )

    def __str__(self) -> str:
        return self.file_id
