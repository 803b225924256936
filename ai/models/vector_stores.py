"""Vector stores: named sets of files that a model can search. Their files are in `ai.models.vector_store_files`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import models, transaction
from django.db.models import F, Q

from ai.models.base import TenantManager, TenantRecord
from ai.models.chunks import Chunk
from ai.models.vector_store_files import StoreFileStatus, VectorStoreBatch, VectorStoreFile

__all__ = ["StoreFileStatus", "VectorStore", "VectorStoreBatch", "VectorStoreFile"]

#: A store that is searched all the time is written to no more often than this.
TOUCH_EVERY = timedelta(minutes=1)


class VectorStoreQuerySet(models.QuerySet["VectorStore"]):
    """Chainable filters on vector stores."""

    def alive(self, at: datetime) -> VectorStoreQuerySet:
        """Stores that have not expired."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=at))


class VectorStoreManager(TenantManager.from_queryset(VectorStoreQuerySet)):  # type: ignore[misc]
    """The only writer of `ai_vector_store`."""

    def make(self, store: VectorStore, *, at: datetime) -> VectorStore:
        """Write a new store; it has been active just now."""
        store.created = store.modified = store.last_active_at = at
        store.expires_at = store.expiry(at)
        store.save(force_insert=True)
        return store

    def change(self, store: VectorStore, *, at: datetime, **values: Any) -> None:
        """Write these columns; the object gets them too. Being changed is being active."""
        for name, value in values.items():
            setattr(store, name, value)
        store.modified = store.last_active_at = at
        store.expires_at = store.expiry(at)
        store.save(update_fields=[*values, "modified", "last_active_at", "expires_at"])

    def touch(self, stores: Iterable[VectorStore], *, at: datetime) -> None:
        """Note that living stores are used, which puts off their expiry; at most once a minute each."""
        for store in stores:
            if store.last_active_at is None or store.last_active_at < at - TOUCH_EVERY:
                self.alive(at).filter(pk=store.pk).update(last_active_at=at, expires_at=store.expiry(at))

    def use(self, store_id: UUID, *, usage_bytes: int) -> None:
        """Count bytes that were added to a store, or with a minus taken from it."""
        self.filter(pk=store_id).update(usage_bytes=F("usage_bytes") + usage_bytes)

    def expired(self, *, at: datetime) -> list[UUID]:
        """Stores whose time is over and that still hold something."""
        rows = self.filter(expires_at__lte=at, usage_bytes__gt=0)
        return list(rows.order_by("expires_at", "pk").values_list("pk", flat=True)[:100])

    def empty(self, store_id: UUID, *, at: datetime) -> None:
        """Drop what an expired store holds to be searched; its files stay listed.

        The chunks go in slices, each in a transaction of its own: no lock is held for long.
        """
        VectorStoreFile.objects.stop(store_id, at=at)
        while Chunk.objects.forget_store(store_id):
            pass
        self.filter(pk=store_id).update(usage_bytes=0)

    def delete_store(self, store_id: UUID, *, at: datetime) -> None:
        """Delete a store with its chunks and batches. Files stay."""
        self.empty(store_id, at=at)
        with transaction.atomic():
            VectorStoreFile.objects.forget_store(store_id)
            VectorStoreBatch.objects.filter(vector_store_id=store_id).delete()
            Chunk.objects.forget_store(store_id, most=10_000)
            self.filter(pk=store_id).delete()


class VectorStore(TenantRecord):
    """A named set of files."""

    name = models.CharField(max_length=256, null=True, blank=True)
    description = models.CharField(max_length=512, null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    expires_after = models.JSONField(null=True, blank=True, help_text='{"anchor": "last_active_at", "days": 7}')
    expires_at = models.DateTimeField(null=True, blank=True)
    last_active_at = models.DateTimeField(null=True, blank=True)
    usage_bytes = models.BigIntegerField(default=0, editable=False)

    objects: ClassVar[VectorStoreManager] = VectorStoreManager()

    class Meta:
        db_table = "ai_vector_store"
        ordering = ("-created", "-id")
        permissions = (
            ("import_vectorstore", "Can import vector stores"),
            ("export_vectorstore", "Can export vector stores"),
        )
        indexes = (
            models.Index(fields=["-created", "-id"], name="ai_vector_store_latest"),
            models.Index(fields=["tenant_id", "-created", "-id"], name="ai_vector_store_tenant_latest"),
            models.Index(fields=["expires_at"], name="ai_vector_store_expiry"),
        )

    def __str__(self) -> str:
        return self.name or "Unnamed vector store"

    def expiry(self, active_at: datetime) -> datetime | None:
        """When the store expires that was last used at `active_at`; None for never."""
        days = (self.expires_after or {}).get("days")
        return active_at + timedelta(days=days) if days else None

    def has_expired(self, at: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= at
