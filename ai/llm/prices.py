"""What a request cost: by the model's own price, else by the public price list of genai-prices."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ai.llm.specs import AGENT, ModelSpec

if TYPE_CHECKING:
    from pydantic_ai.usage import UsageBase

_MILLION = Decimal(1_000_000)

#: Our provider → that of genai-prices, where the names differ; a provider not in its list costs an unknown amount.
_PROVIDERS = {
    "openai": "openai",
    "openai-responses": "openai",
    "anthropic": "anthropic",
    "google-gla": "google",
    "mistral": "mistral",
    "groq": "groq",
    "cohere": "cohere",
    "bedrock": "aws",
    "openrouter": "openrouter",
    "azure": "azure",
}
_FREE = frozenset({"local", "ollama"})


def cost(spec: ModelSpec, usage: UsageBase) -> Decimal | None:
    """US$ for `usage` (`input_tokens` includes `cache_read_tokens`); None where nobody knows the price.

    A price stored with the model wins. Without a price of its own, a cached token costs what a prompt token does. An agent
    costs what its model does.
    """
    if spec.input_price is not None or spec.output_price is not None:
        return _by_row(spec, usage)
    if spec.provider == AGENT:
        from ai.llm.agents import behind  # noqa: PLC0415 - brings pydantic-ai along

        model = behind(spec)
        return cost(model, usage) if model else None
    if spec.provider in _FREE:
        return Decimal(0)
    return _by_list(spec, usage)


def _by_row(spec: ModelSpec, usage: UsageBase) -> Decimal:
    prompt = spec.input_price or Decimal(0)
    cached = prompt if spec.cached_price is None else spec.cached_price
    read = min(usage.cache_read_tokens, usage.input_tokens)
    total = (
        prompt * (usage.input_tokens - read) + cached * read + (spec.output_price or Decimal(0)) * usage.output_tokens
    )
    return total / _MILLION


def _by_list(spec: ModelSpec, usage: UsageBase) -> Decimal | None:
    provider = _PROVIDERS.get(spec.provider)
    if provider is None:
        return None
    from genai_prices import Usage, calc_price  # noqa: PLC0415

    counted = Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens or None,
        cache_write_tokens=usage.cache_write_tokens or None,
    )
    try:
        return calc_price(counted, spec.model, provider_id=provider).total_price
    except (LookupError, ValueError):
        return None
