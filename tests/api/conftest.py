"""A tenant with a key, and a client that uses it."""

from __future__ import annotations

import pytest

from ai.models import Tenant
from tests import factories
from tests.api.calling import Caller


@pytest.fixture
def caller(tenant: Tenant) -> Caller:
    """Calls the API with a key of the tenant."""
    return Caller.of(tenant)


@pytest.fixture
def stranger(db: None) -> Caller:
    """Calls the API with a key of another tenant."""
    return Caller.of(factories.tenant("Elsewhere"))
