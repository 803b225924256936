"""Static files without a second server, for sync and async alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, BinaryIO

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware

CHUNK_BYTES = 64 * 1024


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise that stays off the thread pool: an async request for a page passes straight through."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        return self._answer(request) if iscoroutinefunction(self) else super().__call__(request)

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        found = self.find_file(request.path_info) if self.autorefresh else self.files.get(request.path_info)
        if found is None:
            response: HttpResponseBase = await self.get_response(request)
            return response
        answer = await sync_to_async(found.get_response, thread_sensitive=False)(request.method, request.META)
        body = HttpResponse() if answer.file is None else StreamingHttpResponse(_Chunks(answer.file))
        body.status_code = int(answer.status)
        del body["Content-Type"]
        for name, value in answer.headers:
            body[name] = value
        return body


class _Chunks:
    """A file, read on threads; closed with the response, whether it was read or not."""

    def __init__(self, file: BinaryIO) -> None:
        self.close = file.close
        self._read = sync_to_async(file.read, thread_sensitive=False)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self._read(CHUNK_BYTES):
            yield chunk
