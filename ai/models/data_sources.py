"""Files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.core.files.base import File
from django.db import models, transaction

from ai import ids
from ai.exceptions import NotFound
from ai.models.base import TenantRecord
from ai.stores.base import BaseFileStore
from ai.stores.files import Inspector, chunks_of, clean_name
from ai.stores.memory import attachment_reference
from ai.stores.serialization import clean_text
from ai.tenancy import TenantModelManagerMixin


def new_file_id() -> str:
    """A new public file id."""
    return ids.public("file", ids.new())


def storage_path(row: DataSource, filename: str) -> str:
    """Where the content is kept: by id, never by the name that somebody chose."""
    return f"{row.tenant_id or 'shared'}/{row.file_id}"


class _Stream(File):  # type: ignore[type-arg]
    """A Django file over an iterator of chunks, so that storage reads the upload exactly once."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__(None, name="stream")
        self._blocks = blocks
        self._rest = b""

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        return self._blocks

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            block = next(self._blocks, None)
            if block is None:
                break
            self._rest += block
        end = len(self._rest) if size < 0 else size
        out, self._rest = self._rest[:end], self._rest[end:]
        return out

    def seekable(self) -> bool:
        return False

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> _Stream:
        return self

    def close(self) -> None:
        """Nothing of ours is open."""


class DataSourceManager(TenantModelManagerMixin, models.Manager["DataSource"], BaseFileStore):
    """The store of files, and the only writer of `ai_data_source`."""

    def add_file(
        self, file: Any, name: str | None = None, purpose: str = "assistants", tenant_id: UUID | str | None = None
    ) -> DataSource:
        """Keep a file: streamed to storage, its size, SHA-256 and MIME type found on the way.

        Args:
            file: bytes, an open file, or an upload.
            name: what people see; the file's own name by default.

        Raises:
            TooLarge: it has more than `AI_MAX_FILE_BYTES`; nothing is kept.
        """
        with self.receive(file, name, purpose, tenant_id) as row:
            row.save(force_insert=True)
        return row

    @contextmanager
    def receive(
        self, file: Any, name: str | None = None, purpose: str = "assistants", tenant_id: UUID | str | None = None
    ) -> Iterator[DataSource]:
        """Put a file's content in storage, and hand out its row for the caller to save; where that fails, it goes again.

        Content of half a gigabyte comes in before a transaction begins, which would hold up every other writer.
        """
        label = clean_name(name or getattr(file, "name", None))
        row = self.model(name=label, purpose=purpose[:64], tenant_id=self.tenant_for_new_row(tenant_id))
        inspector = Inspector(label)
        path = storage_path(row, label)
        storage = row.file.storage
        try:
            path = storage.save(path, _Stream(inspector.watch(chunks_of(file))))
            facts = inspector.facts()
            row.file.name, row.bytes, row.sha256, row.mime_type = path, facts.size, facts.sha256, facts.mime_type
            yield row
        except BaseException:
            storage.delete(path)
            raise

    def path_of(self, row: DataSource) -> str:
        """Where the content of a file is kept, unless something else is there."""
        return storage_path(row, row.name)

    def store(self, row: DataSource, pieces: Iterator[bytes]) -> None:
        """Put content in storage for a row that the caller saves; where that fails, it goes again."""
        storage = row.file.storage
        path = storage.get_available_name(self.path_of(row), max_length=512)
        try:
            row.file.name = storage.save(path, _Stream(pieces))
        except BaseException:
            storage.delete(path)
            raise

    def get_file(self, file_id: str) -> DataSource:
        """The file."""
        try:
            return self.get(file_id=clean_text(file_id))
        except self.model.DoesNotExist:
            raise NotFound(f"No file found with id '{clean_text(file_id)[:100]}'.") from None

    def existing(self, file_ids: Iterable[str]) -> set[str]:
        """Those of the ids that are of files in scope."""
        wanted = [clean_text(file_id) for file_id in file_ids]
        return set(self.filter(file_id__in=wanted).values_list("file_id", flat=True)) if wanted else set()

    def current(self, at: datetime) -> models.QuerySet[DataSource]:
        """The files whose time is not over."""
        return self.filter(models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=at))

    def read_file(self, file_id: str) -> Iterator[bytes]:
        """The content in chunks."""
        row = self.get_file(file_id)
        with row.file.open("rb") as opened:
            yield from chunks_of(opened)

    def list_files(self, purpose: str | None = None) -> models.QuerySet[DataSource]:
        """The files, newest first."""
        rows = self.order_by("-created", "-pk")
        return rows.filter(purpose=purpose) if purpose else rows

    def delete_file(self, file_id: str) -> None:
        """Delete the row, take the file out of vector stores, and on commit delete the content."""
        from ai.models.vector_store_files import VectorStoreFile

        row = self.get_file(file_id)
        with transaction.atomic():
            VectorStoreFile.objects.forget_file(row.file_id, tenant_id=row.tenant_id)
            row.delete()
            transaction.on_commit(lambda: row.file.storage.delete(row.file.name or ""))


class DataSource(TenantRecord):
    """A file that people attached or uploaded."""

    file_id = models.CharField("file ID", max_length=255, default=new_file_id)
    name = models.CharField(max_length=255)
    file = models.FileField(upload_to=storage_path, max_length=512)
    mime_type = models.CharField("type", max_length=255, default="application/octet-stream")
    bytes = models.BigIntegerField("size", default=0)
    sha256 = models.CharField("SHA-256", max_length=64, default="")
    purpose = models.CharField(max_length=64, default="assistants")
    external_id = models.CharField("external ID", max_length=255, null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[DataSourceManager] = DataSourceManager()

    class Meta:
        db_table = "ai_data_source"
        verbose_name = "File"
        verbose_name_plural = "Files"
        ordering = ("-created", "-id")
        permissions = (
            ("download_datasource", "Can download files"),
            ("import_datasource", "Can import files"),
            ("export_datasource", "Can export files"),
        )
        # An imported file keeps its id, which another tenant may have imported too.
        constraints = (models.UniqueConstraint(fields=["tenant_id", "file_id"], name="ai_file_id_once"),)
        indexes = (
            models.Index(fields=["-created", "-id"], name="ai_file_latest"),
            models.Index(fields=["file_id"], name="ai_file_id"),
            models.Index(fields=["tenant_id", "-created", "-id"], name="ai_file_tenant_latest"),
            models.Index(fields=["tenant_id", "purpose", "-created"], name="ai_file_tenant_purpose"),
            models.Index(fields=["tenant_id", "mime_type", "-created"], name="ai_file_tenant_type"),
            models.Index(
                fields=["tenant_id", "external_id"],
                name="ai_file_external",
                condition=models.Q(external_id__isnull=False),
            ),
            models.Index(fields=["tenant_id", "sha256"], name="ai_file_tenant_sha"),
            models.Index(fields=["expires_at"], name="ai_file_expiry", condition=models.Q(expires_at__isnull=False)),
        )

    def __str__(self) -> str:
        return self.name

    def attachment_reference(self) -> dict[str, Any]:
        """How a message refers to the file."""
        return attachment_reference(self)
