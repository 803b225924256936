"""Embeddings for file search, where the installation has a model for them (`AI_EMBEDDING_MODEL`)."""

from __future__ import annotations

from collections.abc import Sequence

from ai.models.passages import Question


def questions(texts: Sequence[str], *, words_only: bool = False) -> list[Question]:
    """The questions with their embeddings."""
    return [Question(text) for text in texts]


def of_texts(texts: Sequence[str]) -> list[bytes | None]:
    """The embeddings of texts as chunks keep them; None for each where there is no model."""
    return [None] * len(texts)
