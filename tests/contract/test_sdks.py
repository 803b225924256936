"""Every scenario with every SDK: what was written for OpenAI's Assistants API works here unchanged."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.sdks import NEWEST, OTHERS, Running, Sdk
from tests.contract.server import Served

pytestmark = pytest.mark.timeout(180)

SECONDS = 150
EVERY = [
    *(pytest.param(NEWEST, name, id=f"{NEWEST.name}-{name}") for name in NEWEST.scenarios),
    *(
        pytest.param(sdk, name, id=f"{sdk.name}-{name}", marks=pytest.mark.contract)
        for sdk in OTHERS
        for name in sdk.scenarios
    ),
]


@pytest.mark.parametrize(("sdk", "scenario"), EVERY)
def test_client(client: Callable[[Sdk], Running], server: Served, sdk: Sdk, scenario: str) -> None:
    error = client(sdk).error(scenario, seconds=SECONDS)

    if error:
        pytest.fail(f"{error}\n{server.log()}", pytrace=False)
