"""The words that chunks are found by, made here so that they are the same on every database.

Texts are folded as `ai.models.words` does it; scripts without spaces are cut into pairs of letters. English endings are taken
off, so that a question about "refunds" finds a text about a "refunded" order. The rules are the plainest of M. F. Porter,
"An algorithm for suffix stripping" (1980): plurals, -ed, -ing, a final e, doubled consonants, y as i. A stem is a key and need
not be a word. The rules do little to other languages that end plurals in s, and nothing to words with other letters than
a to z.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ai.models.words import WORD_CHARACTERS, fold, letters, parts, unspaced

#: Words with fewer letters are their own stems.
LEAST_LETTERS = 4
MOST_LETTERS = 30

_ASCII_WORD = re.compile("[a-z0-9]+")
_VOWEL = re.compile("[aeiouy]")


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The stem of one folded word; the word itself where no rule fits."""
    if not (LEAST_LETTERS <= len(word) <= MOST_LETTERS and word.isascii() and word.isalpha()):
        return word
    return _plain_end(_without_suffix(_singular(word)))


def stems(text: str) -> list[str]:
    """The words of a text as the index has them, in their order; punctuation and symbols say nothing."""
    folded = fold(text)
    if folded.isascii():
        return [stem(word[:WORD_CHARACTERS]) for word in _ASCII_WORD.findall(folded)]
    return list(_of_any_script(folded))


def _of_any_script(folded: str) -> Iterator[str]:
    for number, piece in enumerate(unspaced().split(folded)):
        if number % 2:
            run = letters(piece)
            yield from (run[place : place + 2] for place in range(len(run)))
        else:
            yield from (stem(word[:WORD_CHARACTERS]) for word in parts(piece))


def _singular(word: str) -> str:
    if word.endswith(("ss", "us", "is")) or not word.endswith("s"):
        return word
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1]


def _without_suffix(word: str) -> str:
    for suffix in ("ing", "ed"):
        rest = word.removesuffix(suffix)
        if rest != word and len(rest) > 2 and _VOWEL.search(rest):
            return rest
    return word


def _plain_end(word: str) -> str:
    if word.endswith("e") and len(word) >= LEAST_LETTERS:
        word = word[:-1]
    if len(word) >= LEAST_LETTERS and word[-1] == word[-2] and word[-1] not in "aeiou":
        word = word[:-1]
    if word.endswith("y") and word[-2] not in "aeiou":
        word = word[:-1] + "i"
    return word
