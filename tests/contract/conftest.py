"""The server and the clients: started when the first test asks for them, and kept until the last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.sdks import Running, Sdk
from tests.contract.server import Served, served


@pytest.fixture(scope="session")
def server() -> Iterator[Served]:
    """One server for all clients."""
    with served() as running:
        yield running


@pytest.fixture(scope="session")
def client(request: pytest.FixtureRequest, server: Served) -> Iterator[Callable[[Sdk], Running]]:
    """A client by its SDK; it begins with all its scenarios that were selected."""
    begun: dict[str, Running] = {}

    def start(sdk: Sdk) -> Running:
        if sdk.name not in begun:
            selected: list[Any] = [item for item in request.session.items if hasattr(item, "callspec")]
            params = [item.callspec.params for item in selected]
            wanted = [each["scenario"] for each in params if each.get("sdk") is sdk]
            begun[sdk.name] = Running(sdk, server, wanted)
        return begun[sdk.name]

    yield start
    for running in begun.values():
        running.close()
