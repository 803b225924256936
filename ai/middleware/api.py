"""Answers requests for the API by itself: no session, no login, no page stands between a client and its view.

It goes near the top of `MIDDLEWARE`. Each middleware that it passes by would cost a request a change of threads. The API has
URLs of its own, which the project's need not include: what only looks at the project's does not import the API.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable
from typing import Any

from asgiref.sync import async_to_sync, iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

from ai.events.errors import envelope, kind_of
from ai.middleware.bodies import TOO_LARGE, most_bytes

logger = logging.getLogger("ai.api")

PREFIX = "/v1"
URLS = "ai.api.urls"
DOCS = f"{PREFIX}/docs"
DOCUMENT = f"{PREFIX}/openapi.json"
BUG = "The server had an error while processing your request."


class ApiMiddleware:
    """The way in for everything below `/v1/`; everything else goes on to the next middleware."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if not (request.path_info.startswith(f"{PREFIX}/") or request.path_info == PREFIX):
            return self.get_response(request)
        # Clients put a slash at the end or leave it out; a redirect would lose the body of a POST.
        request.path_info = request.path_info.rstrip("/")
        if request.path_info == DOCS and request.method in {"GET", "HEAD"}:
            request.urlconf = URLS
            return self.get_response(request)  # a page, with a page's headers
        return _answer(request) if iscoroutinefunction(self) else async_to_sync(_answer)(request)


async def _answer(request: HttpRequest) -> HttpResponseBase:
    began = time.perf_counter()
    response = _refusal(request)
    if response is None:
        try:
            response = await _view(request)
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            response = _error(500, BUG)
    response.headers.setdefault("x-request-id", f"req_{uuid.uuid4().hex}")
    response.headers["openai-processing-ms"] = str(round((time.perf_counter() - began) * 1000))
    response.headers["openai-version"] = "2020-10-01"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if isinstance(response, HttpResponse):
        response.headers["Content-Length"] = str(len(response.content))
    if response.status_code < 500:
        response._has_been_logged = True  # type: ignore[attr-defined] # what a client did wrong is the client's to read
    return response


async def _view(request: HttpRequest) -> HttpResponseBase:
    try:
        match = resolve(request.path_info, URLS)
    except Resolver404:
        return _error(404, f"Invalid URL ({request.method} {request.path_info})")
    request.resolver_match = match
    view = match.func if iscoroutinefunction(match.func) else sync_to_async(match.func)
    response: HttpResponseBase = await view(request, *match.args, **match.kwargs)
    if isinstance(response, HttpResponseNotAllowed):
        return _not_allowed(request, response["Allow"])
    return response


def _refusal(request: HttpRequest) -> HttpResponseBase | None:
    """The answer to a request that must not come any further."""
    try:
        request.get_host()
    except SuspiciousOperation:
        return _error(400, "This server does not answer for that host; its operator can add it to ALLOWED_HOSTS.")
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        return _error(403, "The API answers over HTTPS only: change http:// to https:// in the base URL.")
    if request.path_info in {DOCS, DOCUMENT} and request.method not in {"GET", "HEAD"}:
        return _not_allowed(request, "GET, HEAD")
    limit = most_bytes(request.content_type or "")
    if _length(request) > limit or getattr(request, "scope", {}).get(TOO_LARGE):
        return _error(413, f"The request's body is larger than {limit:,} bytes, the most this installation accepts.")
    return None


def _length(request: HttpRequest) -> int:
    try:
        return int(request.headers.get("content-length") or 0)
    except ValueError:
        return 0


def _not_allowed(request: HttpRequest, allowed: str) -> HttpResponse:
    response = _error(405, f"Invalid method for URL ({request.method} {request.path_info})")
    response["Allow"] = allowed
    return response


def _error(status: int, message: str) -> HttpResponse:
    body = json.dumps(envelope(message, kind=kind_of(status)))
    return HttpResponse(body, status=status, content_type="application/json")
