"""Files that leave through the admin: always as attachments, and piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import IO

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, HttpRequest

#: Nothing that a file contains may run, load or frame anything.
SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
CHUNK_BYTES = 64 * 1024


async def chunks(content: IO[bytes]) -> AsyncIterator[bytes]:
    """The content piece by piece: an async server would else read all of it before it sends the first byte."""
    read = sync_to_async(content.read, thread_sensitive=False)
    try:
        while chunk := await read(CHUNK_BYTES):
            yield chunk
    finally:
        await sync_to_async(content.close, thread_sensitive=False)()


def protect(response: FileResponse) -> FileResponse:
    """The response so that a browser can do nothing with it but keep it."""
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = SANDBOX
    response["X-Frame-Options"] = "DENY"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def attachment(request: HttpRequest, content: IO[bytes], *, name: str, content_type: str) -> FileResponse:
    """The content as a file to keep; it is closed when it has been sent."""
    response = protect(FileResponse(content, as_attachment=True, filename=name, content_type=content_type))
    response["Cache-Control"] = "no-store"
    if isinstance(request, ASGIRequest):
        response.streaming_content = chunks(content)
    return response
