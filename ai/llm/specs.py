"""What it takes to reach a model, and how an alias is understood."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from ai import conf
from ai.exceptions import ModelError, NotFound

#: Provider → the environment variables that may hold its key, the vendor's usual one first.
KEY_VARIABLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "openai": ("OPENAI_API_KEY",),
        "openai-responses": ("OPENAI_API_KEY",),
        "openai-compatible": (),
        "azure": ("AZURE_OPENAI_API_KEY",),
        "anthropic": ("ANTHROPIC_API_KEY",),
        "google-gla": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        "mistral": ("MISTRAL_API_KEY",),
        "groq": ("GROQ_API_KEY",),
        "cohere": ("CO_API_KEY",),
        "bedrock": ("AWS_BEARER_TOKEN_BEDROCK",),
        "huggingface": ("HF_TOKEN",),
        "openrouter": ("OPENROUTER_API_KEY",),
        "ollama": ("OLLAMA_API_KEY",),
        "local": (),
    }
)

PROVIDERS = tuple(KEY_VARIABLES)

#: The provider of the Marvin agents in `AI_AGENTS`; the model is the agent's dotted path.
AGENT = "agent"

#: Servers that commonly ask for no key, Bedrock, which also takes AWS's other credentials, and agents, who know theirs.
KEYLESS = frozenset({"openai-compatible", "ollama", "local", "bedrock", AGENT})

#: Providers that run code themselves (`code_interpreter`).
RUNS_CODE = frozenset({"anthropic", "google-gla", "openai-responses"})

_VENDORS_KEYS = frozenset(name for names in KEY_VARIABLES.values() for name in names)
_KEY_NAME = re.compile(r"[A-Z][A-Z0-9_]*_(?:KEY|TOKEN)")
_NOT_A_MODELS = re.compile(r"(?:AI|AWS|CACHE|CELERY|CONSOLE|DATABASE|DJANGO)_|.*(?:SECRET|PRIVATE|PASSWORD)")


def may_hold_key(variable: str) -> bool:
    """Whether an environment variable of this name may be sent to a model's server as its key.

    A vendor's usual name, or one that ends in `_KEY` or `_TOKEN` and is no secret of the installation itself.
    """
    if variable in _VENDORS_KEYS:
        return True
    return bool(_KEY_NAME.fullmatch(variable)) and not _NOT_A_MODELS.match(variable)


#: Where a vendor's usual key belongs. At any other address it is not used: whoever may name an address must not thereby
#: read a key of the environment.
_HOMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "OPENAI_API_KEY": ("openai.com",),
        "AZURE_OPENAI_API_KEY": ("azure.com",),
        "ANTHROPIC_API_KEY": ("anthropic.com",),
        "GOOGLE_API_KEY": ("googleapis.com",),
        "GEMINI_API_KEY": ("googleapis.com",),
        "MISTRAL_API_KEY": ("mistral.ai",),
        "GROQ_API_KEY": ("groq.com",),
        "CO_API_KEY": ("cohere.com",),
        "AWS_BEARER_TOKEN_BEDROCK": ("amazonaws.com",),
        "HF_TOKEN": ("huggingface.co", "huggingface.cloud"),
        "OPENROUTER_API_KEY": ("openrouter.ai",),
        "OLLAMA_API_KEY": ("ollama.com",),
    }
)


def belongs_at(variable: str, base_url: str) -> bool:
    """Whether the key in this environment variable may go to `base_url`: a vendor's usual one only to the vendor."""
    if not base_url or variable not in _HOMES:
        return True
    address = urlsplit(base_url)
    host = (address.hostname or "").rstrip(".")
    return address.scheme == "https" and any(host == home or host.endswith(f".{home}") for home in _HOMES[variable])


_URL_VARIABLES = {"azure": "AZURE_OPENAI_ENDPOINT", "ollama": "OLLAMA_BASE_URL"}

_URLS = {
    "openai": "https://api.openai.com/v1",
    "openai-responses": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "google-gla": "https://generativelanguage.googleapis.com",
    "mistral": "https://api.mistral.ai",
    "groq": "https://api.groq.com",
    "cohere": "https://api.cohere.com",
    "openrouter": "https://openrouter.ai/api/v1",
    "ollama": "http://localhost:11434/v1",
}


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A model, and all that is needed to call it. The key and the headers never appear in its repr."""

    alias: str
    provider: str
    """One of `PROVIDERS`, or `AGENT`."""
    model: str
    """The provider's own name of the model."""
    base_url: str = ""
    """Empty means the vendor's own address."""
    api_key: str = field(default="", repr=False)
    """Empty means the vendor's usual environment variable."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """pydantic-ai model settings, used where a request names none: temperature, max_tokens, …"""
    context_window: int | None = None
    """In tokens."""
    input_price: Decimal | None = None
    """US$ per million prompt tokens; so are the other prices for their kind of token."""
    output_price: Decimal | None = None
    cached_price: Decimal | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request."""
    api_version: str = ""
    """Azure only."""

    @property
    def concurrency(self) -> int:
        """How many calls to it one job has open at a time; the embedded model answers one after the other."""
        return 1 if self.provider == "local" else conf.current().model_concurrency

    def url(self) -> str:
        """Where the model lives; empty when only its SDK knows (Bedrock, Hugging Face)."""
        variable = _URL_VARIABLES.get(self.provider, "")
        return self.base_url or (os.environ.get(variable, "") if variable else "") or _URLS.get(self.provider, "")

    def key(self) -> str:
        """The API key; empty for a server that asks for none.

        Raises:
            ModelError: there is none (`authentication_failed`); the message names the variable to set.
        """
        variables = KEY_VARIABLES.get(self.provider, ())
        usual = (os.environ.get(name, "") for name in variables if belongs_at(name, self.base_url))
        found = self.api_key or next(filter(None, usual), "")
        if not found and self.provider not in KEYLESS:
            raise ModelError(
                f"There is no API key for {self.alias!r}: {self._where_to_set(variables[0])}",
                code="authentication_failed",
            )
        return found

    def _where_to_set(self, variable: str) -> str:
        if belongs_at(variable, self.base_url):
            return f"set the environment variable {variable}, or store a key with the language model in the admin."
        return f"{variable} is sent to the vendor's own address only. Store a key with the language model in the admin."


Source = Callable[[str], ModelSpec | None]


def _no_source(_alias: str) -> ModelSpec | None:
    return None


_source: Source = _no_source


def set_source(source: Source | None) -> None:
    """Ask `source` first for every alias from now on; None forgets the present one."""
    global _source
    _source = source or _no_source


def spec(alias: str) -> ModelSpec:
    """What `alias` stands for: a stored model, else `provider:model` in pydantic-ai's notation, else a Marvin agent.

    Raises:
        NotFound: it is none of these, and the message lists the providers; or the stored model is disabled.
    """
    if stored := _source(alias):
        return stored
    provider, _, model = alias.partition(":")
    if provider in KEY_VARIABLES and model:
        return ModelSpec(alias=alias, provider=provider, model=model)
    if path := conf.current().agents.get(alias):
        return ModelSpec(alias=alias, provider=AGENT, model=path)
    raise NotFound(
        f"There is no language model {alias!r}. Use the alias of one in the admin's list of language models, or "
        f"provider:model with one of these providers: {', '.join(PROVIDERS)}."
    )
