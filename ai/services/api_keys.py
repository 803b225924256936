"""What a person can do with API keys: make, list and revoke them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from ai import ids
from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import ApiKey, Tenant
from ai.models.api_keys import SCOPES, SHOWN_CHARACTERS, USUAL
from ai.services import actors, audit, permissions

NAME_CHARACTERS = 255


@transaction.atomic
def make(
    *,
    tenant_id: UUID,
    by: Any,
    at: datetime,
    name: str = "",
    scopes: Iterable[str] = USUAL,
    expires_at: datetime | None = None,
    requests_per_minute: int | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its plain text, which is shown now and never again.

    Args:
        scopes: of "read", "write" (conversations) and "admin" (assistants), each of which allows what the ones before do, and
            of "feedback" and "reviews", which allow nothing else.
        requests_per_minute: None for as many as come.

    Raises:
        Forbidden, InvalidInput.
        NotFound: there is no such tenant.
        OutsideTenant: the tenant is not in scope.
    """
    permissions.require(by, "ai.add_apikey")
    wanted = set(scopes)
    if not wanted or wanted - set(SCOPES):
        raise InvalidInput(f"A key has one or more of these scopes: {', '.join(SCOPES)}.", param="scopes")
    if expires_at is not None and expires_at <= at:
        raise InvalidInput("A key expires in the future.", param="expires_at")
    if requests_per_minute is not None and requests_per_minute < 1:
        raise InvalidInput("A key may make at least one request per minute.", param="requests_per_minute")
    if not Tenant.objects.filter(pk=tenant_id).exists():
        raise NotFound("There is no such tenant.")
    key, plain = ApiKey.objects.make(
        tenant_id=tenant_id,
        created=at,
        name=" ".join(name.split())[:NAME_CHARACTERS],
        scopes=[scope for scope in SCOPES if scope in wanted],
        expires_at=expires_at,
        requests_per_minute=requests_per_minute,
        created_by=actors.id_of(by),
    )
    audit.record("api_key.added", target=key, by=by, at=at, name=key.name, prefix=key.prefix, scopes=key.scopes)
    return key, plain


def listed(*, by: Any) -> Any:
    """The keys in scope, the newest first: a queryset.

    Raises:
        Forbidden.
    """
    permissions.require(by, "ai.view_apikey")
    return ApiKey.objects.order_by("-created", "-pk")


def find(text: str) -> ApiKey:
    """The key in scope with this id, or whose text begins so.

    Raises:
        NotFound.
        Conflict: several begin so.
    """
    named = Q(prefix=text[:SHOWN_CHARACTERS])
    with suppress(NotFound):
        named |= Q(pk=ids.parse(text))
    found = list(ApiKey.objects.filter(named).order_by("-created", "-pk")[:2])
    if not found:
        raise NotFound(f"There is no API key {text[:SHOWN_CHARACTERS]!r}.")
    if len(found) > 1:
        raise Conflict("Several API keys begin like this; name one by its id, from the admin's list.")
    key: ApiKey = found[0]
    return key


@transaction.atomic
def revoke(*, key_id: UUID, by: Any, at: datetime) -> ApiKey:
    """Make a key useless from now on; a second time changes nothing.

    Raises:
        Forbidden, NotFound.
    """
    permissions.require(by, "ai.revoke_apikey")
    changed = ApiKey.objects.revoke(key_id, at=at)
    key: ApiKey | None = ApiKey.objects.filter(pk=key_id).first()
    if key is None:
        raise NotFound("There is no such API key.")
    if changed:
        audit.record("api_key.revoked", target=key, by=by, at=at, name=key.name, prefix=key.prefix)
    return key
