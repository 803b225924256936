"""A scripted server, and a tenant whose connection leads there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ai.models import RemoteConnection, Tenant
from tests.fakes.remotes import RemoteServer
from tests.remote import syncing


@pytest.fixture
def server() -> Iterator[RemoteServer]:
    with RemoteServer() as running:
        yield running


@pytest.fixture
def connection(tenant: Tenant, server: RemoteServer) -> RemoteConnection:
    return syncing.connection(tenant, server.url)
