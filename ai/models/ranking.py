"""How well chunks answer a question: Okapi BM25, on the few hundred candidates that the index has found.

The same on every database, and with the figures of the vector store that is searched, not of all. See S. Robertson and
H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ai.models.questions import Sought

#: BM25's usual constants: how soon a repeated word says nothing new, and how much a text's length counts.
SATURATION = 1.2
LENGTH = 0.75

#: Reciprocal rank fusion's constant, from Cormack, Clarke and Büttcher (2009).
FUSION = 60


def rarity(found: int, among: int) -> float:
    """How much a word says that `found` of `among` chunks hold: more than 0, the more the rarer it is."""
    return math.log(1 + (max(among, found) - found + 0.5) / (found + 0.5))


def scores(chunks: Mapping[int, str], rarities: Mapping[Sought, float]) -> dict[int, float]:
    """A score from 0 to 1 for each chunk that holds any of the words: how much of what the question says it answers.

    Args:
        chunks: their words, by their keys.
    """
    most = sum(rarities.values())
    if not chunks or not most:
        return {}
    usual = max(sum(map(len, chunks.values())) / len(chunks), 1.0)
    found = {}
    for key, words in chunks.items():
        spaced = f" {words} "
        damping = SATURATION * (1 - LENGTH + LENGTH * len(words) / usual)
        weight = 0.0
        for word, value in rarities.items():
            if times := word.count(spaced):
                weight += value * times / (times + damping)
        if weight:
            found[key] = weight / most
    return found


def fused(*rankings: Sequence[int]) -> dict[int, float]:
    """One score from 0 to 1 out of several orders, best first: what is first in all of them has 1."""
    found: dict[int, float] = {}
    for ranking in rankings:
        for place, key in enumerate(ranking):
            found[key] = found.get(key, 0.0) + (FUSION + 1) / (FUSION + 1 + place) / len(rankings)
    return found
