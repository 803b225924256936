"""What a search of files looks for: the words of a question, any of which may be found."""

from __future__ import annotations

from dataclasses import dataclass

from ai.models.stems import stems

#: No question is expensive because it is long: so many words of it count, in their order.
MOST_WORDS = 24
QUESTION_CHARACTERS = 4000
PHRASE_WORDS = 8

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

    def count(self, words: str) -> int:
        """How often it stands in a chunk's words, given with a space around each."""
        return words.count(f" {' '.join(self.words)}{'' if self.is_beginning else ' '}")


def sought(question: str) -> list[Sought]:
    """What to look for, each once; punctuation, symbols and control characters say nothing."""
    found: dict[Sought, None] = {}
    for word in question[:QUESTION_CHARACTERS].split():
        found |= dict.fromkeys(_of_word(word))
        if len(found) >= MOST_WORDS:
            break
    return list(found)[:MOST_WORDS]


def _of_word(word: str) -> list[Sought]:
    """A word with punctuation inside is a phrase. A run of an unspaced script is a whole clause: it gives its pairs."""
    found = stems(word)
    if all(part < _ONE_LETTER_OF_MANY for part in found):
        return [Sought(tuple(found[:PHRASE_WORDS]))] if found else []
    several = [part for part in found if len(part) > 1]
    return [Sought((part,)) for part in several or found]
