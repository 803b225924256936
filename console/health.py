"""`GET /healthz`: is everything that the console needs up? No login, no session, no tenant."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

PATH = "/healthz"
OK, DOWN, UNKNOWN = "ok", "down", "unknown"
BROKER_SECONDS = 1.0


class HealthMiddleware:
    """Answers the probe before hosts are checked, redirects made or sessions opened."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info != PATH:
            return self.get_response(request)
        return sync_to_async(answer)(request) if iscoroutinefunction(self) else answer(request)


def answer(request: HttpRequest) -> HttpResponseBase:
    """The probe's answer: 200 when all is well, else 503, with the state of each part."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    database = _database()
    parts = {"database": database, "broker": _broker(), "worker": _worker() if database == OK else UNKNOWN}
    well = set(parts.values()) == {OK}
    body = {"status": OK if well else DOWN, **parts}
    response = JsonResponse(body, status=200 if well else 503, headers={"Cache-Control": "no-store"})
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return DOWN
    return OK


def _worker() -> str:
    from ai.models import Worker

    try:
        return OK if Worker.objects.alive(at=timezone.now()).exists() else DOWN
    except DatabaseError:
        return DOWN


def _broker() -> str:
    url = settings.CELERY_BROKER_URL
    if url.startswith("folder"):
        return OK if os.access(settings.CELERY_BROKER_FOLDER, os.W_OK) else DOWN
    from kombu import Connection
    from kombu.exceptions import OperationalError

    patience = {"socket_connect_timeout": BROKER_SECONDS, "socket_timeout": BROKER_SECONDS} if "redis" in url else {}
    try:
        with Connection(url, connect_timeout=BROKER_SECONDS, transport_options=patience) as broker:
            broker.ensure_connection(max_retries=1, timeout=BROKER_SECONDS)
            broker.default_channel.close()
    except (OperationalError, OSError):
        return DOWN
    return OK
