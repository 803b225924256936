"""What the tests of services ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ai.models import ChatThread, Tenant
from tests import factories
from tests.fakes.vendors import VendorServer
from tests.runner.scripted import scripted_model
from tests.services.replaying import TALK


@pytest.fixture
def scripted(db: None) -> Iterator[VendorServer]:
    with scripted_model() as (server, _):
        yield server


@pytest.fixture
def thread(tenant: Tenant) -> ChatThread:
    return factories.thread(tenant, *TALK)
