"""Texts as vectors, from any provider that speaks OpenAI's format: the same keys, guard and clients as for models."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ai import conf
from ai.exceptions import Misconfigured, ModelError
from ai.llm.specs import ModelSpec, spec

if TYPE_CHECKING:
    from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel

log = logging.getLogger(__name__)

#: What one request may hold: OpenAI takes 2,048 texts and 300,000 tokens.
MOST_TEXTS = 256
MOST_CHARACTERS = 400_000


def model() -> ModelSpec | None:
    """The installation's model for embeddings; None when it has none. It may be a database query.

    Raises:
        NotFound: the setting names no model.
    """
    alias = conf.current().embedding_model
    return spec(alias) if alias else None


async def embed(model_spec: ModelSpec, texts: Sequence[str], *, is_query: bool = False) -> list[list[float]]:
    """A vector for each text, in their order.

    Args:
        is_query: whether these are questions; some models make other vectors of them than of what answers them.

    Raises:
        ModelError: the provider failed, or gave something else than that.
        Misconfigured: the provider makes no embeddings.
    """
    from ai.llm import errors, providers  # noqa: PLC0415 - brings pydantic-ai along

    built, close = providers.build(model_spec)
    try:
        embedder = _embedder(model_spec, built)
        found: list[list[float]] = []
        for part in _parts(texts):
            try:
                result = await embedder.embed(part, input_type="query" if is_query else "document")
            except Exception as error:
                raise errors.translate(error) from error
            if len(result.embeddings) != len(part):
                raise ModelError(
                    f"{model_spec.alias!r} gave {len(result.embeddings)} embeddings for {len(part)} texts."
                )
            found += [list(vector) for vector in result.embeddings]
        return found
    finally:
        if close:
            await close()


async def of_questions(model_spec: ModelSpec, questions: Sequence[str]) -> Sequence[Sequence[float] | None]:
    """The vectors of questions; None for each when the model fails, so that a search goes on with their words."""
    try:
        return await embed(model_spec, questions, is_query=True)
    except ModelError as error:
        log.warning("A search goes without embeddings: %s", error)
        return [None] * len(questions)


def _embedder(model_spec: ModelSpec, built: Any) -> OpenAIEmbeddingModel:
    from openai import AsyncOpenAI  # noqa: PLC0415
    from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel  # noqa: PLC0415
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415

    client = getattr(built, "client", None)
    if not isinstance(client, AsyncOpenAI):
        raise Misconfigured(
            f"AI_EMBEDDING_MODEL names {model_spec.alias!r}, whose provider {model_spec.provider} makes no embeddings here. "
            "Name a model of openai, azure, ollama or an openai-compatible server."
        )
    return OpenAIEmbeddingModel(model_spec.model, provider=OpenAIProvider(openai_client=client))


def _parts(texts: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for text in texts:
        if part and (len(part) == MOST_TEXTS or size + len(text) > MOST_CHARACTERS):
            yield part
            part, size = [], 0
        part.append(text)
        size += len(text)
    if part:
        yield part
