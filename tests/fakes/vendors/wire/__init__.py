"""The vendors' formats: how each streams, answers and refuses."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tests.fakes.vendors.wire.anthropic import Anthropic
from tests.fakes.vendors.wire.base import Frame, Vendor
from tests.fakes.vendors.wire.bedrock import Bedrock
from tests.fakes.vendors.wire.cohere import Cohere
from tests.fakes.vendors.wire.embeddings import embedded
from tests.fakes.vendors.wire.google import Google
from tests.fakes.vendors.wire.openai_chat import Azure, Groq, HuggingFace, Mistral, Ollama, OpenAIChat, OpenRouter
from tests.fakes.vendors.wire.openai_responses import OpenAIResponses

if TYPE_CHECKING:
    from tests.fakes.vendors.script import Reply
    from tests.fakes.vendors.server import Recorded

__all__ = ["VENDORS", "Frame", "Vendor", "embedded", "frames", "of", "whole"]

#: By the provider's name in `ai.llm`.
VENDORS: dict[str, Vendor] = {
    "openai": OpenAIChat(),
    "openai-compatible": OpenAIChat(),
    "openai-responses": OpenAIResponses(),
    "anthropic": Anthropic(),
    "google-gla": Google(),
    "mistral": Mistral(),
    "groq": Groq(),
    "cohere": Cohere(),
    "bedrock": Bedrock(),
    "huggingface": HuggingFace(),
    "openrouter": OpenRouter(),
    "ollama": Ollama(),
    "azure": Azure(),
}


def of(vendor: str) -> Vendor:
    """The format of a provider."""
    return VENDORS[vendor]


def frames(vendor: Vendor, reply: Reply, request: Recorded) -> tuple[Frame, ...]:
    """The stream of `reply`; made once per reply and model."""
    return _frames(vendor, reply, request.model, vendor.wants_usage(request))


def whole(vendor: Vendor, reply: Reply, request: Recorded) -> bytes:
    """The unstreamed `reply`; made once per reply and model."""
    return _whole(vendor, reply, request.model)


@lru_cache(maxsize=256)
def _frames(vendor: Vendor, reply: Reply, model: str, usage: bool) -> tuple[Frame, ...]:
    return tuple(vendor.frames(reply, model, usage=usage))


@lru_cache(maxsize=256)
def _whole(vendor: Vendor, reply: Reply, model: str) -> bytes:
    return vendor.whole(reply, model)
