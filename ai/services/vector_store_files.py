"""What a person can do with the files of vector stores: add them, one or many; give them attributes; remove them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from ai import dispatch, ids
from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import Chunk, DataSource, VectorStore, VectorStoreBatch, VectorStoreFile
from ai.models.vector_stores import StoreFileStatus
from ai.services import audit, permissions, vector_stores
from ai.stores.chunking import sizes_of, without_overlap

#: The Assistants API's bound.
MOST_FILES = 10_000

#: A batch is read by so many workers at the same time.
READERS = 4


@transaction.atomic
def add(
    *,
    store_id: UUID,
    file_id: str,
    by: Any,
    at: datetime,
    attributes: Mapping[str, Any] | None = None,
    chunking_strategy: Any = None,
) -> VectorStoreFile:
    """Add a file to a vector store; a worker reads it when the transaction commits. One that is there is read anew.

    Raises:
        Forbidden, InvalidInput.
        NotFound: the store or the file does not exist.
        Conflict: the store has expired.
    """
    permissions.require(by, "ai.change_vectorstore")
    store = vector_stores.of_id(store_id, at=at)
    given = {"file_id": file_id, "attributes": attributes, "chunking_strategy": chunking_strategy}
    [file] = _insert(store, [given], by=by, at=at)
    return file


def insert(
    store: VectorStore, file_ids: Sequence[str], *, by: Any, at: datetime, chunking_strategy: Any = None
) -> list[VectorStoreFile]:
    """Add files to a store that the caller may change, in its transaction.

    Raises:
        InvalidInput, NotFound.
    """
    given = [{"file_id": file_id, "chunking_strategy": chunking_strategy} for file_id in dict.fromkeys(file_ids)]
    return _insert(store, given, by=by, at=at)


def _insert(
    store: VectorStore,
    given: Sequence[Mapping[str, Any]],
    *,
    by: Any,
    at: datetime,
    batch_id: UUID | None = None,
) -> list[VectorStoreFile]:
    file_ids = [each["file_id"] for each in given]
    _check(store, file_ids)
    rows = [
        VectorStoreFile(
            # Time-ordered ids: those of one call stay in the order in which they were given.
            created=at + timedelta(microseconds=place),
            modified=at,
            tenant_id=store.tenant_id,
            vector_store_id=store.pk,
            file_id=each["file_id"],
            batch_id=batch_id,
            attributes=dict(each.get("attributes") or {}),
            chunking_strategy=sizes_of(each.get("chunking_strategy")).as_strategy(),
        )
        for place, each in enumerate(given)
    ]
    VectorStoreFile.objects.add(rows)
    VectorStore.objects.touch([store], at=at)
    audit.record("vector_store.files_added", target=store, by=by, at=at, files=file_ids[:100], count=len(rows))
    if len(rows) == 1:
        dispatch.read_file(store_file_id=rows[0].pk)
    for _ in range(min(len(rows), READERS) if len(rows) > 1 else 0):
        dispatch.read_files()
    return rows


def _check(store: VectorStore, file_ids: Sequence[str]) -> None:
    known = DataSource.objects.existing(file_ids)
    for file_id in file_ids:
        if file_id not in known:
            raise NotFound(f"No file found with id '{file_id[:100]}'.", param="file_id")
    there = VectorStoreFile.objects.filter(vector_store_id=store.pk).count()
    if there + len(file_ids) > MOST_FILES:
        raise InvalidInput(f"A vector store holds at most {MOST_FILES:,} files; this one has {there:,}.")


def of_id(store_id: UUID, file_id: str) -> VectorStoreFile:
    """The file in a store in scope.

    Raises:
        NotFound.
    """
    file: VectorStoreFile | None = VectorStoreFile.objects.filter(vector_store_id=store_id, file_id=file_id).first()
    if file is None:
        raise NotFound(f"No file found with id '{file_id[:100]}' in this vector store.")
    return file


@transaction.atomic
def modify(
    *, store_id: UUID, file_id: str, attributes: Mapping[str, Any] | None, by: Any, at: datetime
) -> VectorStoreFile:
    """Give a file other attributes; None takes them all away.

    Raises:
        Forbidden, NotFound.
    """
    permissions.require(by, "ai.change_vectorstore")
    file = of_id(store_id, file_id)
    VectorStoreFile.objects.describe(file, attributes=dict(attributes or {}), at=at)
    audit.record("vector_store.file_changed", target=file, by=by, at=at, file=file_id)
    return file


@transaction.atomic
def remove(*, store_id: UUID, file_id: str, by: Any, at: datetime) -> None:
    """Take a file out of a vector store; the file itself stays.

    Raises:
        Forbidden, NotFound.
    """
    permissions.require(by, "ai.change_vectorstore")
    store, file = vector_stores.of_id(store_id), of_id(store_id, file_id)
    VectorStoreFile.objects.remove(store_id, [file_id])
    VectorStore.objects.touch([store], at=at)
    audit.record("vector_store.file_removed", target=store, by=by, at=at, file=file_id)
    if file.batch_id:
        VectorStoreBatch.objects.settle(file.batch_id, at=at)


def content(*, store_id: UUID, file_id: str, by: Any) -> Iterator[str]:
    """What was read of a file, in pieces that follow one another.

    Raises:
        Forbidden, NotFound.
    """
    permissions.require(by, "ai.download_datasource")
    file = of_id(store_id, file_id)
    texts: Iterable[str] = Chunk.objects.texts(file.pk) if file.status == StoreFileStatus.COMPLETED else ()
    return without_overlap(texts)


@transaction.atomic
def add_batch(
    *,
    store_id: UUID,
    by: Any,
    at: datetime,
    file_ids: Sequence[str] = (),
    files: Sequence[Mapping[str, Any]] = (),
    attributes: Mapping[str, Any] | None = None,
    chunking_strategy: Any = None,
) -> VectorStoreBatch:
    """Add many files at once.

    Args:
        file_ids: files that all get `attributes` and are cut by `chunking_strategy`.
        files: or files that say so each for itself: `file_id`, `attributes`, `chunking_strategy`.

    Raises:
        Forbidden, InvalidInput.
        NotFound: the store or a file does not exist.
        Conflict: the store has expired.
    """
    permissions.require(by, "ai.change_vectorstore")
    store = vector_stores.of_id(store_id, at=at)
    shared = {"attributes": attributes, "chunking_strategy": chunking_strategy}
    given = [*({"file_id": file_id, **shared} for file_id in file_ids), *files]
    once = {each["file_id"]: each for each in given}
    if not once:
        raise InvalidInput("Name the files of the batch: 'file_ids' or 'files'.", param="file_ids")
    batch = VectorStoreBatch(tenant_id=store.tenant_id, vector_store_id=store.pk, created=at, modified=at)
    VectorStoreBatch.objects.make(batch)
    _insert(store, list(once.values()), by=by, at=at, batch_id=batch.pk)
    return batch


@transaction.atomic
def cancel_batch(*, store_id: UUID, batch_id: UUID, by: Any, at: datetime) -> VectorStoreBatch:
    """Cancel a batch: what has been read of it stays.

    Raises:
        Forbidden, NotFound.
        Conflict: it has ended.
    """
    permissions.require(by, "ai.change_vectorstore")
    batches = VectorStoreBatch.objects.filter(pk=batch_id, vector_store_id=store_id)
    batch: VectorStoreBatch | None = batches.first()
    if batch is None:
        raise NotFound(f"No file batch found with id '{ids.public('batch', batch_id)}'.")
    if not VectorStoreBatch.objects.cancel(batch_id, at=at):
        raise Conflict(f"Cannot cancel a file batch with status '{batch.status}'.")
    audit.record("vector_store.batch_cancelled", target=batch, by=by, at=at)
    batch.refresh_from_db()
    return batch
