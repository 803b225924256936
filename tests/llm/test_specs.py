"""Aliases, keys, and what importing costs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest
from pydantic_ai.usage import RequestUsage

from ai import llm
from ai.exceptions import InvalidInput, Misconfigured, ModelError, NotFound
from ai.llm import ModelSpec, specs
from tests.fakes.vendors import Failure, VendorServer
from tests.llm.conftest import KEY, spec_of


@pytest.fixture(autouse=True)
def _rows() -> Iterator[dict[str, ModelSpec]]:
    """A source of two stored models, in place of the table."""
    before = specs._source
    rows = {
        "fast": ModelSpec(alias="fast", provider="openai", model="gpt-4o-mini", api_key=KEY),
        "openai:gpt-4o": ModelSpec(alias="openai:gpt-4o", provider="openai", model="gpt-4o-2024-08-06", api_key=KEY),
    }
    llm.set_source(rows.get)
    yield rows
    llm.set_source(before)


class TestSpec:
    def test_finds_a_stored_model(self) -> None:
        assert llm.spec("fast").model == "gpt-4o-mini"

    def test_prefers_a_stored_model_to_the_notation(self) -> None:
        assert llm.spec("openai:gpt-4o").model == "gpt-4o-2024-08-06"

    @pytest.mark.parametrize("provider", sorted(specs.PROVIDERS))
    def test_reads_the_notation(self, provider: str) -> None:
        found = llm.spec(f"{provider}:some:model")

        assert (found.provider, found.model) == (provider, "some:model")

    @pytest.mark.parametrize("alias", ["slow", "test:x", "openai:", "", "nobody:gpt"])
    def test_says_what_an_alias_can_be(self, alias: str) -> None:
        with pytest.raises(NotFound, match="anthropic, google-gla"):
            llm.spec(alias)

    def test_never_shows_its_key(self) -> None:
        spec = ModelSpec(alias="a", provider="openai", model="m", api_key=KEY, headers={"authorization": KEY})

        assert KEY not in repr(spec)
        assert KEY not in str(spec)


class TestKey:
    def test_comes_from_the_vendors_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GEMINI_API_KEY", "from-the-environment")
        monkeypatch.delenv("GOOGLE_API_KEY", raising=False)

        assert llm.spec("google-gla:gemini-2.5-flash").key() == "from-the-environment"

    @pytest.mark.parametrize(
        ("base_url", "sent"),
        [
            ("", True),
            ("https://eu.api.openai.com/v1", True),
            ("https://evil.example/v1", False),
            ("https://openai.com.evil.example/v1", False),
            ("https://notopenai.com/v1", False),
            ("https://openai.com@evil.example/v1", False),
            ("http://api.openai.com/v1", False),
        ],
    )
    def test_of_a_vendor_goes_to_the_vendor_only(
        self, base_url: str, sent: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "from-the-environment")
        spec = llm.ModelSpec(alias="a", provider="openai", model="m", base_url=base_url)

        if sent:
            assert spec.key() == "from-the-environment"
        else:
            with pytest.raises(ModelError, match="own address only"):
                spec.key()

    @pytest.mark.parametrize("provider", sorted(set(specs.PROVIDERS) - specs.KEYLESS))
    async def test_names_the_variable_to_set(self, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in specs.KEY_VARIABLES[provider]:
            monkeypatch.delenv(name, raising=False)
        spec = ModelSpec(alias="x", provider=provider, model="maker/model", base_url="https://models.example")

        with pytest.raises(ModelError, match=specs.KEY_VARIABLES[provider][0]) as caught:
            llm.resolve(spec)

        assert caught.value.code == "authentication_failed"


class TestResolve:
    async def test_keeps_a_model_while_its_loop_lives(self) -> None:
        first = llm.resolve("fast")

        assert llm.resolve("fast") is first
        assert llm.resolve(llm.spec("fast")) is first
        await llm.aclose()
        assert llm.resolve("fast") is not first
        await llm.aclose()

    async def test_makes_a_new_model_for_a_changed_row(self, _rows: dict[str, ModelSpec]) -> None:  # noqa: PT019
        first = llm.resolve(llm.spec("fast"))
        _rows["fast"] = ModelSpec(alias="fast", provider="openai", model="other", api_key=KEY)

        assert llm.resolve(llm.spec("fast")).model_name == "other"
        assert llm.resolve("fast") is not first
        await llm.aclose()

    def test_shares_nothing_between_loops(self) -> None:
        async def model() -> object:
            found = llm.resolve("fast")
            await llm.aclose()
            return found

        assert asyncio.run(model()) is not asyncio.run(model())

    async def test_is_quick_once_cached(self) -> None:
        llm.resolve("fast")

        best = min(_seconds(lambda: llm.resolve("fast")) for _ in range(200))

        assert best < 50e-6
        await llm.aclose()

    async def test_needs_an_address_where_the_vendor_has_none(self) -> None:
        with pytest.raises(Misconfigured, match="base URL"):
            llm.resolve("openai-compatible:qwen")

    async def test_explains_openrouters_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENROUTER_API_KEY", KEY)

        with pytest.raises(InvalidInput, match="vendor/model"):
            llm.resolve("openrouter:gpt-4o")

    async def test_takes_azures_version_one_without_a_version(self) -> None:
        spec = ModelSpec(alias="a", provider="azure", model="m", api_key=KEY, base_url="https://x.example/openai/v1/")

        assert llm.resolve(spec).model_name == "m"
        await llm.aclose()


class TestProbe:
    async def test_reports_latency_and_answer(self, vendors: VendorServer) -> None:
        probe = await llm.probe(spec_of(vendors, "openai"))
        await llm.aclose()

        assert probe.answer == "Hello there."
        assert 0 < probe.latency_ms < 5000

    async def test_gives_the_providers_error_in_plain_words(self, vendors: VendorServer) -> None:
        vendors.script(Failure("unauthorized"))

        with pytest.raises(ModelError, match="refused the API key") as caught:
            await llm.probe(spec_of(vendors, "anthropic"))
        await llm.aclose()

        assert KEY not in str(caught.value)


class TestCost:
    usage = RequestUsage(input_tokens=1_000_000, cache_read_tokens=400_000, output_tokens=100_000)

    def test_is_the_rows_price(self) -> None:
        spec = ModelSpec(
            alias="a",
            provider="openai",
            model="gpt-4o",
            input_price=Decimal(2),
            output_price=Decimal(8),
            cached_price=Decimal("0.5"),
        )

        assert llm.cost(spec, self.usage) == Decimal("1.2") + Decimal("0.2") + Decimal("0.8")

    def test_charges_cached_tokens_as_prompt_without_their_own_price(self) -> None:
        spec = ModelSpec(alias="a", provider="openai", model="gpt-4o", input_price=Decimal(2), output_price=Decimal(8))

        assert llm.cost(spec, self.usage) == Decimal("2.8")

    def test_is_the_public_price(self) -> None:
        # https://openai.com/api/pricing: gpt-4o is $2.50 in, $1.25 cached, $10 out.
        spec = ModelSpec(alias="a", provider="openai", model="gpt-4o")

        assert llm.cost(spec, self.usage) == Decimal(3)

    def test_is_nothing_for_the_embedded_model(self) -> None:
        assert llm.cost(llm.spec("local:smollm2"), self.usage) == 0

    @pytest.mark.parametrize("alias", ["openai:no-such-model", "openai-compatible:qwen", "huggingface:x/y"])
    def test_is_unknown_where_nobody_knows(self, alias: str) -> None:
        assert llm.cost(llm.spec(alias), self.usage) is None


def test_importing_brings_no_vendor_along() -> None:
    code = (
        "import sys, ai.llm; ai.llm.spec('openai:x'); "
        "print([name for name in ('pydantic_ai', 'openai', 'httpx', 'httpx2', 'django', 'boto3') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def _seconds(call: object) -> float:
    begun = time.perf_counter()
    call()  # type: ignore[operator]
    return time.perf_counter() - begun
