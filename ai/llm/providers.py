"""
A spec becomes pydantic-ai's model of its provider, on a guarded client that does not retry (the runner does).

Retrying inside an SDK would hide rate limits from the runner and could repeat a request whose answer is already visible.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from ai.exceptions import InvalidInput, Misconfigured
from ai.llm import errors, guard, transports
from ai.llm.specs import AGENT, ModelSpec

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncOpenAI
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings

Closer = Callable[[], Awaitable[object]]
Built = tuple["Model", Closer | None]

HUGGINGFACE_URL = "https://router.huggingface.co/v1"


def build(spec: ModelSpec) -> Built:
    """The model, and what closes its client.

    Raises:
        ModelError: there is no key (`authentication_failed`).
        InvalidInput: the base URL is not allowed, or the model has a name that the provider never gives.
        Misconfigured: the provider is unknown, or its package or address is missing.
    """
    if url := spec.url():
        guard.check_url(url)
    builder = _BUILDERS.get(spec.provider)
    if builder is None:
        raise Misconfigured(f"{spec.alias!r} names the unknown provider {spec.provider!r}.")
    errors.keep_secret(spec.key(), *spec.headers.values())
    return builder(spec)


def _client(spec: ModelSpec) -> httpx.AsyncClient:
    return transports.client(headers=spec.headers, read=transports.read_seconds(spec.settings))


def _client2(spec: ModelSpec) -> httpx2.AsyncClient:
    return transports.client2(headers=spec.headers, read=transports.read_seconds(spec.settings))


def _settings(spec: ModelSpec) -> ModelSettings:
    return cast("ModelSettings", dict(spec.settings))


def _openai_sdk(spec: ModelSpec, http_client: httpx2.AsyncClient) -> AsyncOpenAI:
    from openai import AsyncOpenAI  # noqa: PLC0415

    return AsyncOpenAI(
        base_url=_required_url(spec),
        api_key=spec.key() or "none",
        http_client=http_client,
        timeout=http_client.timeout,
        max_retries=0,
    )


def _required_url(spec: ModelSpec) -> str:
    if url := spec.url():
        return url
    raise Misconfigured(f"{spec.alias!r} needs a base URL: set it with the language model in the admin.")


def _openai_like(model_path: str, provider_path: str) -> Callable[[ModelSpec], Built]:
    """A builder for a family that speaks one of OpenAI's formats; the paths are `module:class`."""

    def build_model(spec: ModelSpec) -> Built:
        http_client = _client2(spec)
        provider = _load(provider_path)(openai_client=_openai_sdk(spec, http_client))
        return _load(model_path)(spec.model, provider=provider, settings=_settings(spec)), http_client.aclose

    return build_model


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def _openrouter(spec: ModelSpec) -> Built:
    if "/" not in spec.model:
        raise InvalidInput(
            f"OpenRouter names its models vendor/model, such as openai/gpt-4o; {spec.model!r} has no vendor."
        )
    return _openai_like(
        "pydantic_ai.models.openrouter:OpenRouterModel", "pydantic_ai.providers.openrouter:OpenRouterProvider"
    )(spec)


def _azure(spec: ModelSpec) -> Built:
    from openai import AsyncAzureOpenAI  # noqa: PLC0415
    from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415
    from pydantic_ai.providers.azure import AzureProvider  # noqa: PLC0415

    url, http_client = _required_url(spec), _client2(spec)
    sdk: AsyncOpenAI
    if url.rstrip("/").endswith("/v1"):
        sdk = _openai_sdk(spec, http_client)
    else:
        sdk = AsyncAzureOpenAI(
            azure_endpoint=url,
            api_key=spec.key(),
            api_version=spec.api_version or "2024-10-21",
            http_client=http_client,
            timeout=http_client.timeout,
            max_retries=0,
        )
    # A v1 endpoint takes OpenAI's plain client: https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
    provider = AzureProvider(openai_client=cast("AsyncAzureOpenAI", sdk))
    return OpenAIChatModel(spec.model, provider=provider, settings=_settings(spec)), http_client.aclose


def _anthropic(spec: ModelSpec) -> Built:
    from anthropic import AsyncAnthropic  # noqa: PLC0415
    from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415
    from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415

    http_client = _client(spec)
    sdk = AsyncAnthropic(
        base_url=spec.url(),
        api_key=spec.key(),
        http_client=http_client,
        timeout=http_client.timeout,
        max_retries=0,
    )
    provider = AnthropicProvider(anthropic_client=sdk)
    return AnthropicModel(spec.model, provider=provider, settings=_settings(spec)), http_client.aclose


def _google(spec: ModelSpec) -> Built:
    from ai.llm.google import build_google  # noqa: PLC0415

    http_client = _client2(spec)
    return build_google(spec, http_client, _settings(spec)), http_client.aclose


def _mistral(spec: ModelSpec) -> Built:
    import httpx2  # noqa: PLC0415
    from mistralai.client import Mistral  # noqa: PLC0415
    from pydantic_ai.models.mistral import MistralModel  # noqa: PLC0415
    from pydantic_ai.providers.mistral import MistralProvider  # noqa: PLC0415

    http_client = _client2(spec)
    sdk = Mistral(
        api_key=spec.key(),
        server_url=spec.url(),
        client=httpx2.Client(verify=transports.tls()),
        async_client=http_client,
        timeout_ms=int(transports.read_seconds(spec.settings) * 1000),
    )
    provider = MistralProvider(mistral_client=sdk)
    return MistralModel(spec.model, provider=provider, settings=_settings(spec)), http_client.aclose


def _groq(spec: ModelSpec) -> Built:
    from groq import AsyncGroq  # noqa: PLC0415
    from pydantic_ai.models.groq import GroqModel  # noqa: PLC0415
    from pydantic_ai.providers.groq import GroqProvider  # noqa: PLC0415

    http_client = _client(spec)
    sdk = AsyncGroq(
        base_url=spec.url(), api_key=spec.key(), http_client=http_client, timeout=http_client.timeout, max_retries=0
    )
    return GroqModel(spec.model, provider=GroqProvider(groq_client=sdk), settings=_settings(spec)), http_client.aclose


def _cohere(spec: ModelSpec) -> Built:
    from ai.llm.cohere import build_cohere  # noqa: PLC0415

    http_client = _client(spec)
    return build_cohere(spec, http_client, _settings(spec)), http_client.aclose


def _huggingface(spec: ModelSpec) -> Built:
    from ai.llm.huggingface import build_huggingface  # noqa: PLC0415

    http_client = _client(spec)
    return build_huggingface(spec, http_client, _settings(spec), url=spec.url() or HUGGINGFACE_URL), http_client.aclose


def _bedrock(spec: ModelSpec) -> Built:
    from ai.llm.bedrock import build_bedrock  # noqa: PLC0415

    return build_bedrock(spec, _settings(spec))


def _local(spec: ModelSpec) -> Built:
    from ai.llm.local import build_local  # noqa: PLC0415

    return build_local(spec, _settings(spec))


def _agent(spec: ModelSpec) -> Built:
    from ai.llm.agents import build_agent  # noqa: PLC0415

    return build_agent(spec), None


_CHAT = "pydantic_ai.models.openai:OpenAIChatModel"
_BUILDERS: dict[str, Callable[[ModelSpec], Built]] = {
    "openai": _openai_like(_CHAT, "pydantic_ai.providers.openai:OpenAIProvider"),
    "openai-responses": _openai_like(
        "ai.llm.openai_responses:EndingResponsesModel", "pydantic_ai.providers.openai:OpenAIProvider"
    ),
    "openai-compatible": _openai_like(_CHAT, "pydantic_ai.providers.openai:OpenAIProvider"),
    "openrouter": _openrouter,
    "ollama": _openai_like("pydantic_ai.models.ollama:OllamaModel", "pydantic_ai.providers.ollama:OllamaProvider"),
    "azure": _azure,
    "anthropic": _anthropic,
    "google-gla": _google,
    "mistral": _mistral,
    "groq": _groq,
    "cohere": _cohere,
    "huggingface": _huggingface,
    "bedrock": _bedrock,
    "local": _local,
    AGENT: _agent,
}
