"""How well chunks answer a question: Okapi BM25, on the few hundred candidates that the index has found.

The same on every database, and with the figures of the vector store that is searched, not of all. See S. Robertson and
H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ai.models.questions import Sought

#: BM25's usual constants: how soon a repeated word says nothing new, and how much a text's length counts.
SATURATION = 1.2
LENGTH = 0.75

#: Reciprocal rank fusion's constant, from Cormack, Clarke and Büttcher (2009).
FUSION = 60


@dataclass(frozen=True, slots=True)
class Weight:
    """What a word of the question says, and which chunks hold it; None where only their texts tell."""

    word: Sought
    rarity: float
    holders: Collection[int] | None


def rarity(found: int, among: int) -> float:
    """How much a word says that `found` of `among` chunks hold: more than 0, the more the rarer it is."""
    return math.log(1 + (max(among, found) - found + 0.5) / (found + 0.5))


def scores(chunks: Mapping[int, str], weights: Sequence[Weight]) -> dict[int, float]:
    """A score from 0 to 1 for each chunk that holds any of the words: how much of what the question says it answers.

    Args:
        chunks: their words, by their keys.
    """
    most = sum(weight.rarity for weight in weights)
    if not chunks or not most:
        return {}
    patterns = [(weight.word.pattern(), weight.rarity, weight.holders) for weight in weights]
    usual = max(sum(map(len, chunks.values())) / len(chunks), 1.0)
    found = {}
    for key, words in chunks.items():
        spaced = f" {words} "
        damping = SATURATION * (1 - LENGTH + LENGTH * len(words) / usual)
        score = 0.0
        for pattern, value, holders in patterns:
            if (holders is None or key in holders) and (times := spaced.count(pattern)):
                score += value * times / (times + damping)
        if score:
            found[key] = score / most
    return found


def fused(*rankings: Sequence[int]) -> dict[int, float]:
    """One score from 0 to 1 out of several orders, best first: what is first in all of them has 1."""
    found: dict[int, float] = {}
    for ranking in rankings:
        for place, key in enumerate(ranking):
            found[key] = found.get(key, 0.0) + (FUSION + 1) / (FUSION + 1 + place) / len(rankings)
    return found
