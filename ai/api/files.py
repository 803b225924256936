"""Files over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import IO, Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.http import content_disposition_header
from ninja import File, Form, Query, Router, UploadedFile
from pydantic import Field

from ai import conf
from ai.api import database, lookups, pages
from ai.api.answers import documented, reply
from ai.api.auth import caller
from ai.api.pages import ListAnswer, PageQuery
from ai.api.wire import files as wire
from ai.api.wire.base import Deleted, deleted
from ai.exceptions import InvalidInput
from ai.models import DataSource
from ai.services import files
from ai.stores.serialization import clean_text

router = Router(tags=["Files"])

#: Larger files are sent in pieces.
WHOLE_BYTES = 1024 * 1024

LEAST_SECONDS, MOST_SECONDS = 3600, 2_592_000


@router.get("", response=documented(ListAnswer[wire.FileObject]), operation_id="listFiles")
async def index(request: HttpRequest, query: Query[wire.FileQuery]) -> HttpResponse:
    """The tenant's files, the newest first."""

    def work() -> dict[str, Any]:
        rows = DataSource.objects.current(timezone.now())
        if query.purpose:
            rows = rows.filter(purpose=clean_text(query.purpose))
        page = PageQuery.model_construct(limit=query.limit, order=query.order, after=query.after, before=None)
        return pages.read(rows, page, kind="file", named="file_id").body(wire.files)

    return await reply(work)


@router.post("", response=documented(wire.FileObject), operation_id="createFile")
async def create(
    request: HttpRequest,
    file: Annotated[UploadedFile, File(...)],
    purpose: Annotated[wire.Purpose, Form(...)],
    anchor: Annotated[Literal["created_at"] | None, Form(None, alias="expires_after[anchor]")],
    lasts: Annotated[
        Annotated[int, Field(ge=LEAST_SECONDS, le=MOST_SECONDS)] | None, Form(None, alias="expires_after[seconds]")
    ],
) -> HttpResponse:
    """Keep a file, for as long as the client says if it does."""

    def work() -> dict[str, Any]:
        who, at = caller(request), timezone.now()
        until = _until(anchor, lasts, at)
        row = files.add(file=file, purpose=purpose, tenant_id=who.tenant_id, expires_at=until, by=who.by, at=at)
        return wire.file(row)

    return await reply(work)


def _until(anchor: str | None, lasts: int | None, at: datetime) -> datetime | None:
    if anchor is None and lasts is None:
        return None
    for name, value in (("anchor", anchor), ("seconds", lasts)):
        if value is None:
            param = f"expires_after[{name}]"
            raise InvalidInput(
                f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
            )
    return at + timedelta(seconds=lasts or 0)


@router.get("/{file_id}", response=documented(wire.FileObject), operation_id="getFile")
async def read(request: HttpRequest, file_id: str) -> HttpResponse:
    """What is known of the file."""
    return await reply(lambda: wire.file(_row(file_id)))


@router.delete("/{file_id}", response=documented(Deleted), operation_id="deleteFile")
async def delete(request: HttpRequest, file_id: str) -> HttpResponse:
    """Delete the file with its content."""

    def work() -> dict[str, Any]:
        row = _row(file_id)
        files.delete(file_id=row.file_id, by=caller(request).by, at=timezone.now())
        return deleted(row.file_id, "file")

    return await reply(work)


@router.get(
    "/{file_id}/content",
    response=documented(None),
    operation_id="downloadFile",
    openapi_extra={
        "responses": {
            200: {
                "description": "OK",
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            }
        }
    },
)
async def content(request: HttpRequest, file_id: str) -> HttpResponseBase:
    """The file's content, whatever its purpose."""
    row, found = await database.run(_open, request, file_id)
    response: HttpResponseBase
    if isinstance(found, bytes):
        response = HttpResponse(found)
    else:
        response = StreamingHttpResponse(_pieces(found))
        response.headers["Content-Length"] = str(row.bytes)
    response.headers["Content-Type"] = "application/octet-stream"
    response.headers["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=row.name) or ""
    return response


def _open(request: HttpRequest, file_id: str) -> tuple[DataSource, bytes | IO[bytes]]:
    """The file, with its content or, where that is large, what the content can be read from."""
    row, opened = files.open_content(file_id=_row(file_id).file_id, by=caller(request).by, at=timezone.now())
    if row.bytes > WHOLE_BYTES:
        return row, opened
    with opened:
        return row, opened.read()


async def _pieces(opened: IO[bytes]) -> AsyncIterator[bytes]:
    """The content, read on threads; closed at the end, and when the client hangs up."""
    size = conf.current().first_chunk_bytes
    try:
        while piece := await database.run(opened.read, size):
            yield piece
    finally:
        opened.close()


def _row(file_id: str) -> DataSource:
    """The file, found by the id that is its own; it may have come with an import."""
    row: DataSource | None = DataSource.objects.current(timezone.now()).filter(file_id=clean_text(file_id)).first()
    if row is None:
        raise lookups.missing("file", file_id)
    return row
