"""Embeddings for file search, where the installation has a model for them (`AI_EMBEDDING_MODEL`)."""

from __future__ import annotations

from collections.abc import Sequence

from asgiref.sync import async_to_sync

from ai.llm import embeddings
from ai.models import vectors
from ai.models.passages import Question


def questions(texts: Sequence[str], *, words_only: bool = False) -> list[Question]:
    """The questions with their embeddings; without, where there is no model or it fails."""
    model = None if words_only else embeddings.model()
    if model is None:
        return [Question(text) for text in texts]
    found = async_to_sync(embeddings.of_questions)(model, texts)
    return [Question(text, vector) for text, vector in zip(texts, found, strict=True)]


def of_texts(texts: Sequence[str]) -> list[bytes | None]:
    """The embeddings of texts as chunks keep them; None for each where there is no model.

    Raises:
        ModelError: it failed.
    """
    model = embeddings.model()
    if model is None:
        return [None] * len(texts)
    return [vectors.pack(vector) for vector in async_to_sync(embeddings.embed)(model, texts)]
