"""Vector stores: files that a model can search, cut into chunks."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from ai.models.base import TenantManager, TenantRecord


class StoreFileStatus(models.TextChoices):
    """The API's states of a file in a vector store, and of a batch of them."""

    IN_PROGRESS = "in_progress", "In progress"
    COMPLETED = "completed", "Completed"
    CANCELLED = "cancelled", "Cancelled"
    FAILED = "failed", "Failed"


class VectorStore(TenantRecord):
    """A named set of files."""

    name = models.CharField(max_length=256, null=True, blank=True)
    description = models.CharField(max_length=512, null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    expires_after = models.JSONField(null=True, blank=True, help_text='{"anchor": "last_active_at", "days": 7}')
    expires_at = models.DateTimeField(null=True, blank=True)
    last_active_at = models.DateTimeField(null=True, blank=True)
    usage_bytes = models.BigIntegerField(default=0, editable=False)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        db_table = "ai_vector_store"
        ordering = ("-created", "-id")
        indexes = (
            models.Index(fields=["-created", "-id"], name="ai_vector_store_latest"),
            models.Index(fields=["tenant_id", "-created", "-id"], name="ai_vector_store_tenant_latest"),
        )

    def __str__(self) -> str:
        return self.name or "Unnamed vector store"


class VectorStoreBatch(TenantRecord):
    """Files that were added to a vector store together."""

    vector_store_id = models.UUIDField()
    status = models.CharField(max_length=16, choices=StoreFileStatus, default=StoreFileStatus.IN_PROGRESS)

    objects: ClassVar[Any] = TenantManager()

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

    objects: ClassVar[Any] = TenantManager()

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


class Chunk(models.Model):
    """A piece of a file's text. The full-text index over it is made by a migration."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField()
    vector_store_id = models.UUIDField()
    store_file_id = models.UUIDField()
    index = models.PositiveIntegerField()
    text = models.TextField()
    embedding = models.BinaryField(null=True, help_text="32-bit floats, little-endian, of length 1.")

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        db_table = "ai_chunk"
        default_permissions = ()
        ordering = ("store_file_id", "index")
        constraints = (models.UniqueConstraint(fields=["store_file_id", "index"], name="ai_chunk_once"),)
        indexes = (models.Index(fields=["vector_store_id", "id"], name="ai_chunk_store"),)

    def __str__(self) -> str:
        return self.text[:80]
