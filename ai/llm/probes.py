"""Does this model answer? One tiny request, for the "Test connection" button and the command line."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from ai.llm.specs import ModelSpec

PROMPT = "Reply with the single word: pong"
PROBE_SECONDS = 60.0
PROBE_TOKENS = 64


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How a model answered."""

    latency_ms: int
    """From the request to the last token."""
    answer: str
    """At most 200 characters of it."""


async def probe(alias: str | ModelSpec) -> Probe:
    """Ask the model one short question.

    Raises:
        ModelError: it did not answer; the message is the provider's error in plain words.
    """
    from pydantic_ai.messages import ModelRequest, TextPart, UserPromptPart  # noqa: PLC0415
    from pydantic_ai.models import ModelRequestParameters  # noqa: PLC0415
    from pydantic_ai.settings import ModelSettings  # noqa: PLC0415

    from ai.llm.errors import translate  # noqa: PLC0415
    from ai.llm.registry import resolve  # noqa: PLC0415

    begun = time.perf_counter()
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            stream = resolve(alias).request_stream(
                [ModelRequest(parts=[UserPromptPart(PROMPT)])],
                ModelSettings(max_tokens=PROBE_TOKENS),
                ModelRequestParameters(),
            )
            async with stream as response:
                async for _event in response:
                    pass
    except Exception as error:
        raise translate(error) from error
    texts = [part.content for part in response.get().parts if isinstance(part, TextPart)]
    return Probe(latency_ms=round((time.perf_counter() - begun) * 1000), answer="".join(texts).strip()[:200])
