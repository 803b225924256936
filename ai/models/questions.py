"""What a search of files looks for: the words of a question, any of which may be found."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ai.models.stems import stems

#: No question is expensive because it is long: so many words of it count, in their order.
MOST_WORDS = 16
QUESTION_CHARACTERS = 4000
PHRASE_WORDS = 8

#: Shorter parts of a phrase say little by themselves: the "e" of "e-mail".
PART_LETTERS = 3

_COMMON = """
    a about all also an and any are as at be been but by can could did do does for from get had has have how i if in into is it
    its me my no not of on or our please should so some tell than that the their them then there these they this to us was we
    were what when where which who why will with would you your
"""
#: Words of English that say nothing are not looked for where there are others: each would cost a walk through the store.
COMMON = frozenset(_COMMON.split())

_EDGES = re.compile(r"^\W+|\W+$")
_POSSESSIVE = re.compile("['\u2019]s\\W*$")

_ONE_LETTER_OF_MANY = "\u0e00"
"""From here on scripts are cut into pairs (or have letters that are words): a single letter finds the pairs it begins."""


@dataclass(frozen=True)
class Sought:
    """A word as the index has it, or several that must stand one after the other ("e-mail")."""

    words: tuple[str, ...]

    @property
    def is_beginning(self) -> bool:
        """Whether it also finds what begins with it."""
        return len(self.words) == 1 and len(self.words[0]) == 1 and self.words[0] >= _ONE_LETTER_OF_MANY

    def pattern(self) -> str:
        """What stands in a chunk's words where it is found, when these have a space around each."""
        return f" {' '.join(self.words)}{'' if self.is_beginning else ' '}"


def sought(question: str) -> list[Sought]:
    """What to look for, each once; punctuation, symbols and control characters say nothing."""
    given = [_POSSESSIVE.sub("", word) for word in question[:QUESTION_CHARACTERS].split()]
    telling = [word for word in given if _EDGES.sub("", word).lower() not in COMMON]
    found = _of_words(telling) or _of_words(given)
    return found[:MOST_WORDS]


def _of_words(given: list[str]) -> list[Sought]:
    return list(dict.fromkeys(each for word in given for each in _of_word(word)))


def _of_word(word: str) -> list[Sought]:
    """A word with punctuation inside is a phrase, of which each longer part counts too.

    A run of an unspaced script is a whole clause: it gives its pairs.
    """
    found = stems(word)
    if any(part >= _ONE_LETTER_OF_MANY for part in found):
        several = [part for part in found if len(part) > 1]
        return [Sought((part,)) for part in several or found]
    if len(found) < 2:
        return [Sought((part,)) for part in found]
    parts = [part for part in found if len(part) >= PART_LETTERS]
    return [Sought(tuple(found[:PHRASE_WORDS])), *(Sought((part,)) for part in parts)]
