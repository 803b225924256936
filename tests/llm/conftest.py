"""The scripted server, and models that talk to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic_ai.models import override_allow_model_requests

from ai import llm
from ai.llm import ModelSpec
from tests.fakes.vendors import VendorServer

KEY = "sk-test-4f9c1e7ab2d84"


@pytest.fixture(scope="session")
def server() -> Iterator[VendorServer]:
    """Every vendor, on one loopback port."""
    with VendorServer() as running:
        yield running


@pytest.fixture
def vendors(server: VendorServer) -> Iterator[VendorServer]:
    """The server without a script; only loopback can be reached, so requests are allowed."""
    server.clear()
    with override_allow_model_requests(True):
        yield server


@pytest.fixture
async def closing() -> AsyncIterator[None]:
    """Close the loop's clients when the test ends."""
    yield
    await llm.aclose()


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bedrock's tokens need TLS, so the loopback server is reached with an access key; boto3 looks for no other."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def spec_of(server: VendorServer, vendor: str, **more: Any) -> ModelSpec:
    """A model of `vendor` on the scripted server."""
    model = "maker/some-model" if vendor == "openrouter" else "some-model"
    given: dict[str, Any] = {"alias": vendor, "provider": vendor, "model": model, "api_key": KEY}
    if vendor == "bedrock":
        given["api_key"] = ""
    return ModelSpec(**(given | {"base_url": server.url(vendor)} | more))
