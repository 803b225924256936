"""A tenant with a key, and a client that uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from ai import tenancy
from ai.models import ApiKey, Tenant
from tests.api.calling import Caller

if TYPE_CHECKING:
    from ai.models.api_keys import ApiKeyManager


def make_key(owner: Tenant, **values: object) -> tuple[ApiKey, str]:
    """A key of the tenant, with every scope unless told otherwise."""
    keys: ApiKeyManager = ApiKey.objects
    with tenancy.scope(owner.pk):
        return keys.make(tenant_id=owner.pk, created=timezone.now(), **{"scopes": ["read", "write", "admin"], **values})


@pytest.fixture
def caller(tenant: Tenant) -> Caller:
    """Calls the API with a key of the tenant."""
    return Caller(make_key(tenant)[1])


@pytest.fixture
def stranger(db: None) -> Caller:
    """Calls the API with a key of another tenant."""
    return Caller(make_key(Tenant.objects.create(name="Elsewhere"))[1])
