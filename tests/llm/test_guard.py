"""Nobody is led to an address that was not meant."""

from __future__ import annotations

from typing import Any

import pytest

from ai import llm
from ai.exceptions import InvalidInput, ModelError
from ai.llm import bedrock, guard
from tests.fakes.vendors import VENDORS, VendorServer
from tests.llm.conftest import spec_of
from tests.llm.test_wire import failure_of

NEVER = [
    "http://169.254.169.254/latest/meta-data/",
    "http://[fe80::1]/v1",
    "http://[::ffff:169.254.169.254]/v1",
    "http://[64:ff9b::a9fe:a9fe]/v1",
    "http://metadata.google.internal/v1",
    "http://METADATA.google.internal./v1",
    "http://100.100.100.200/v1",
    "http://[fd00:ec2::254]/v1",
    "http://224.0.0.1/v1",
    "http://0.0.0.0/v1",
    "http://240.0.0.1/v1",
]
PRIVATE = [
    "http://10.0.0.8:8000/v1",
    "http://192.168.1.5/v1",
    "http://172.16.0.1/v1",
    "http://[fd12::1]/v1",
    "http://127.0.0.2/v1",
]
ODD = [
    "ftp://models.example/v1",
    "file:///etc/passwd",
    "//models.example",
    "models.example/v1",
    "http://",
    "http://user:secret@models.example/v1",
    "http://user@models.example",
    "http://models.example:port/v1",
    "http://[::1/v1",
]


class TestCheckURL:
    @pytest.mark.parametrize("url", ["https://api.openai.com/v1", "http://models.example:8000", "https://8.8.8.8/v1"])
    def test_lets_a_public_server_be(self, url: str) -> None:
        assert llm.check_url(url) == url

    @pytest.mark.parametrize("url", [*NEVER, *PRIVATE, *ODD])
    def test_refuses(self, url: str) -> None:
        with pytest.raises(InvalidInput):
            llm.check_url(url)

    @pytest.mark.parametrize("url", PRIVATE)
    def test_lets_a_named_private_host_be(self, url: str, settings: Any) -> None:
        settings.AI_PRIVATE_MODEL_HOSTS = ("10.0.0.8", "192.168.1.5", "172.16.0.1", "fd12::1", "127.0.0.2")

        assert llm.check_url(url) == url

    @pytest.mark.parametrize("url", NEVER)
    def test_refuses_metadata_even_when_named(self, url: str, settings: Any) -> None:
        settings.AI_PRIVATE_MODEL_HOSTS = [url.split("/")[2].strip("[]")]

        with pytest.raises(InvalidInput):
            llm.check_url(url)

    @pytest.mark.parametrize("host", ["localhost", "sub.localhost"])
    def test_asks_for_loopback_to_be_named(self, host: str, settings: Any) -> None:
        settings.AI_PRIVATE_MODEL_HOSTS = ("models.internal",)

        with pytest.raises(InvalidInput, match="AI_PRIVATE_MODEL_HOSTS"):
            llm.check_url(f"http://{host}:11434/v1")

    def test_keeps_a_password_out_of_its_message(self) -> None:
        with pytest.raises(InvalidInput) as caught:
            llm.check_url("http://user:hunter2@models.example/v1")

        assert "hunter2" not in caught.value.message


class TestConnecting:
    """What a name resolves to counts at the moment of connecting."""

    def test_refuses_a_name_that_resolves_to_metadata(self) -> None:
        with pytest.raises(ModelError, match=r"169\.254\.169\.254"):
            guard.check_addresses(["93.184.216.34", "169.254.169.254"], host="models.example")

    def test_refuses_a_public_name_that_turns_private(self) -> None:
        with pytest.raises(ModelError, match="AI_PRIVATE_MODEL_HOSTS"):
            guard.check_addresses(["127.0.0.1"], host="models.example")

    @pytest.mark.parametrize("family", sorted(VENDORS))
    async def test_no_family_gets_around_it(self, vendors: VendorServer, family: str, settings: Any) -> None:
        """The URL was in order when the model was made; then its host's address is no longer allowed."""
        spec = spec_of(vendors, family)
        model = llm.resolve(type(spec)(**{**vars(spec), "base_url": spec.base_url.replace("127.0.0.1", "localhost")}))
        settings.AI_PRIVATE_MODEL_HOSTS = ("elsewhere",)

        error = await failure_of(model)
        await llm.aclose()

        assert (error.code, error.retryable) == ("server_error", False)
        assert "refused before it was made" in error.message
        assert vendors.requests == []

    async def test_gives_each_address_once(self) -> None:
        assert await guard.lookup("127.0.0.1", 80) == ["127.0.0.1"]

    async def test_bedrock_finds_its_region_in_the_address(self) -> None:
        spec = llm.ModelSpec(
            alias="b",
            provider="bedrock",
            model="m",
            api_key="t",
            base_url="https://bedrock-runtime.eu-central-1.amazonaws.com",
        )

        model: Any = llm.resolve(spec)
        await llm.aclose()

        assert isinstance(model, bedrock.HangingUpBedrockModel)
        assert model.client.meta.region_name == "eu-central-1"
