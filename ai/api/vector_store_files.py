"""The files of vector stores, one or many at once, over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router

from ai.api import lookups, pages
from ai.api.answers import documented, reply
from ai.api.auth import caller
from ai.api.bodies import Json
from ai.api.pages import ListAnswer
from ai.api.vector_stores import store_of, to_poll
from ai.api.wire import vector_stores as wire
from ai.api.wire.base import Deleted, deleted, given
from ai.exceptions import InvalidInput
from ai.models import VectorStoreBatch, VectorStoreFile
from ai.services import vector_store_files
from ai.stores.serialization import clean_text

router = Router(tags=["Vector stores"])


@router.get(
    "/{vector_store_id}/files", response=documented(ListAnswer[wire.FileAnswer]), operation_id="listVectorStoreFiles"
)
async def index(request: HttpRequest, vector_store_id: str, query: Query[wire.FilesQuery]) -> HttpResponse:
    """The store's files, those that were added last first."""
    return await reply(
        lambda: _listed(VectorStoreFile.objects.filter(vector_store_id=store_of(vector_store_id).pk), query)
    )


@router.post("/{vector_store_id}/files", response=documented(wire.FileAnswer), operation_id="createVectorStoreFile")
async def create(request: HttpRequest, vector_store_id: str, data: Json[wire.CreateFile]) -> HttpResponse:
    """Add a file. A worker reads it; one that is there already is read anew."""

    def work() -> dict[str, Any]:
        key = store_of(vector_store_id).pk
        return wire.file(vector_store_files.add(store_id=key, by=caller(request).by, at=timezone.now(), **given(data)))

    return to_poll(await reply(work))


@router.get(
    "/{vector_store_id}/files/{file_id}", response=documented(wire.FileAnswer), operation_id="getVectorStoreFile"
)
async def read(request: HttpRequest, vector_store_id: str, file_id: str) -> HttpResponse:
    """The file in the store, and how far it has been read."""
    return to_poll(await reply(lambda: wire.file(_row(vector_store_id, file_id))))


@router.post(
    "/{vector_store_id}/files/{file_id}",
    response=documented(wire.FileAnswer),
    operation_id="modifyVectorStoreFileAttributes",
)
async def modify(request: HttpRequest, vector_store_id: str, file_id: str, data: Json[wire.ModifyFile]) -> HttpResponse:
    """Give the file other attributes."""

    def work() -> dict[str, Any]:
        row, by = _row(vector_store_id, file_id), caller(request).by
        changed = vector_store_files.modify(
            store_id=row.vector_store_id,
            file_id=row.file_id,
            attributes=data.attributes,
            by=by,
            at=timezone.now(),
        )
        return wire.file(changed)

    return await reply(work)


@router.delete("/{vector_store_id}/files/{file_id}", response=documented(Deleted), operation_id="deleteVectorStoreFile")
async def delete(request: HttpRequest, vector_store_id: str, file_id: str) -> HttpResponse:
    """Take the file out of the store; the file itself stays."""

    def work() -> dict[str, Any]:
        row, by = _row(vector_store_id, file_id), caller(request).by
        vector_store_files.remove(store_id=row.vector_store_id, file_id=row.file_id, by=by, at=timezone.now())
        return deleted(row.file_id, "vector_store.file.deleted")

    return await reply(work)


@router.get(
    "/{vector_store_id}/files/{file_id}/content",
    response=documented(wire.ContentAnswer),
    operation_id="retrieveVectorStoreFileContent",
)
async def content(request: HttpRequest, vector_store_id: str, file_id: str) -> HttpResponse:
    """What was read of the file."""

    def work() -> dict[str, Any]:
        row, by = _row(vector_store_id, file_id), caller(request).by
        texts = vector_store_files.content(store_id=row.vector_store_id, file_id=row.file_id, by=by)
        return wire.content(list(texts))

    return await reply(work)


@router.post(
    "/{vector_store_id}/file_batches", response=documented(wire.BatchAnswer), operation_id="createVectorStoreFileBatch"
)
async def create_batch(request: HttpRequest, vector_store_id: str, data: Json[wire.CreateBatch]) -> HttpResponse:
    """Add many files at once."""

    def work() -> dict[str, Any]:
        if data.file_ids and data.files:
            raise InvalidInput("Send 'file_ids' or 'files', not both.", param="files")
        key, values = store_of(vector_store_id).pk, given(data)
        if data.files:
            values["files"] = [given(file) for file in data.files]
        return wire.batch(
            vector_store_files.add_batch(store_id=key, by=caller(request).by, at=timezone.now(), **values)
        )

    return to_poll(await reply(work))


@router.get(
    "/{vector_store_id}/file_batches/{batch_id}",
    response=documented(wire.BatchAnswer),
    operation_id="getVectorStoreFileBatch",
)
async def read_batch(request: HttpRequest, vector_store_id: str, batch_id: str) -> HttpResponse:
    """The batch, and how far it has been read."""
    return to_poll(await reply(lambda: wire.batch(_batch(vector_store_id, batch_id))))


@router.post(
    "/{vector_store_id}/file_batches/{batch_id}/cancel",
    response=documented(wire.BatchAnswer),
    operation_id="cancelVectorStoreFileBatch",
)
async def cancel_batch(request: HttpRequest, vector_store_id: str, batch_id: str) -> HttpResponse:
    """Read no more of the batch; what has been read stays."""

    def work() -> dict[str, Any]:
        row, by = _batch(vector_store_id, batch_id), caller(request).by
        cancelled = vector_store_files.cancel_batch(
            store_id=row.vector_store_id, batch_id=row.pk, by=by, at=timezone.now()
        )
        return wire.batch(cancelled)

    return await reply(work)


@router.get(
    "/{vector_store_id}/file_batches/{batch_id}/files",
    response=documented(ListAnswer[wire.FileAnswer]),
    operation_id="listFilesInVectorStoreBatch",
)
async def batch_files(
    request: HttpRequest, vector_store_id: str, batch_id: str, query: Query[wire.FilesQuery]
) -> HttpResponse:
    """The files of the batch."""
    return await reply(
        lambda: _listed(VectorStoreFile.objects.filter(batch_id=_batch(vector_store_id, batch_id).pk), query)
    )


def _listed(rows: Any, query: wire.FilesQuery) -> dict[str, Any]:
    if query.filter:
        rows = rows.filter(status=query.filter)
    return pages.read(rows, query, kind="file", named="file_id").body(wire.files)


def _row(vector_store_id: str, file_id: str) -> VectorStoreFile:
    """The file in the store, found by the id that is its own."""
    rows = VectorStoreFile.objects.filter(vector_store_id=store_of(vector_store_id).pk)
    row: VectorStoreFile | None = rows.filter(file_id=clean_text(file_id)).first()
    if row is None:
        raise lookups.missing("file", file_id)
    return row


def _batch(vector_store_id: str, batch_id: str) -> VectorStoreBatch:
    rows = VectorStoreBatch.objects.filter(vector_store_id=store_of(vector_store_id).pk)
    row: VectorStoreBatch = lookups.row(rows, "batch", batch_id)
    return row
