"""OpenAI's embeddings, of a model that understands three things."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.vendors.wire.base import dump

#: Words of one meaning; each meaning is a direction.
MEANINGS = (
    frozenset({"refund", "reimbursement", "money", "paid"}),
    frozenset({"shop", "store", "opens", "hours"}),
    frozenset({"parcel", "package", "shipping"}),
)


def vector_of(text: str) -> list[float]:
    """How much of each meaning is in the text, and a little of nothing."""
    words = re.findall("[a-z]+", text.lower())
    return [0.01, *(float(sum(word in meaning for word in words)) for meaning in MEANINGS)]


def embedded(body: dict[str, Any]) -> bytes:
    """The answer to a request for embeddings."""
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    data = [{"object": "embedding", "index": n, "embedding": vector_of(text)} for n, text in enumerate(texts)]
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    return dump({"object": "list", "data": data, "model": body["model"], "usage": usage})
