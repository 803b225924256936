"""Who calls: an API key, whose tenant's data is all that the request sees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from ai import tenancy
from ai.api import bodies, database, errors, limits
from ai.exceptions import RateLimited, Unauthenticated
from ai.models import ApiKey
from ai.services import actors, permissions, streams

Run = Callable[..., Awaitable[HttpResponseBase]]

#: What a key must be allowed to come in, by the first part of the path behind `/v1/`; elsewhere it is to read conversations.
#: Views that only read need not ask again.
DOORS = {"feedback": "ai.view_feedback", "review_queues": "ai.view_reviewqueue"}
OTHERWISE = "ai.view_chatthread"

NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY)."
)


@dataclass(frozen=True)
class Caller:
    """Who makes a request; `headers` go into its answer."""

    by: actors.KeyActor
    tenant_id: UUID
    headers: dict[str, str]


def caller(request: HttpRequest) -> Caller:
    """Who makes the request."""
    found: Caller = request.auth  # type: ignore[attr-defined]
    return found


def guarded(run: Run) -> Run:
    """Every operation goes through here: the key, its limit, the body, then the operation in the scope of its tenant."""

    @wraps(run)
    async def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            found = await database.run(_admit, request)
        except Exception as error:  # noqa: BLE001 - all of them have an answer
            response: HttpResponseBase = errors.answer(request, error)
            return _with(response, error.headers) if isinstance(error, RateLimited) else response
        request.auth = found  # type: ignore[attr-defined]
        streams.expect()
        with tenancy.scope(found.tenant_id):
            response = await run(request, *args, **kwargs)
        # What is streamed was found here; its parts ask the database for nothing more.
        return _with(response, found.headers)

    return answer


def _with(response: HttpResponseBase, headers: dict[str, str]) -> HttpResponseBase:
    for name, value in headers.items():
        response.headers[name] = value
    return response


def _admit(request: HttpRequest) -> Caller:
    at = timezone.now()
    plain = _key_in(request)
    if not plain:
        raise Unauthenticated(NO_KEY)
    key = ApiKey.objects.valid(plain, at=at)
    if key is None or key.tenant_id is None:
        raise Unauthenticated(f"Incorrect API key provided: {_masked(plain)}.", code="invalid_api_key")
    by = actors.KeyActor.of(key)
    permissions.require(by, _needed(request.path_info))
    headers = limits.take(key, at=at)
    if key.is_due(at):
        ApiKey.objects.touch(key, at=at)
    bodies.read(request)
    return Caller(by, key.tenant_id, headers)


def _needed(path: str) -> str:
    """The permission without which nothing at this path answers."""
    return DOORS.get(path.strip("/").partition("/")[2].partition("/")[0], OTHERWISE)


def _key_in(request: HttpRequest) -> str:
    """The key that was sent, as OpenAI's clients do, or as Azure's."""
    scheme, _, given = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and given.strip():
        return given.strip()
    return request.headers.get("api-key", "").strip()


def _masked(plain: str) -> str:
    return f"{plain[:4]}***{plain[-2:]}" if len(plain) > 12 else "***"
