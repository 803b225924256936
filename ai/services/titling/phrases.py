"""A title from what people wrote: the sentence that says most, shortened to its telling words. No model, no dictionary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from ai.services.titling import languages, signs
from ai.services.titling.languages import Language
from ai.services.titling.text import MOST_CHARACTERS, MOST_WORDS, capital, has_words, prose, tidy, word_list

MOST_TURNS = 6
MOST_SENTENCES = 8
MOST_TOKENS = 60
ENOUGH = 2

_GREETING = re.compile(
    r"^(?:(?:hi|hello|hey|dear|good (?:morning|afternoon|evening)|greetings)\b[^,.!?\n]{0,30}[,.!?\n]+|please\b,?)\s*",
    re.IGNORECASE,
)
_POLITE = re.compile(
    r"^(?:(?:can|could|would|will) you (?:please |kindly )?|i(?:'d| would) like to |please )", re.IGNORECASE
)
_SENTENCE = re.compile(  # not after an initial: “John F. Kennedy”
    "(?<!\\b[A-Z]\\.)(?<=[.!?\u0964\u3002\uff01\uff1f])\\s*(?=\\S)(?<![.!?])|(?<!\\b[A-Z]\\.)(?<=[.!?\u061f])\\s+|\n"
)
_CLAUSE = re.compile("[,;:()\u2013\u2014\u060c\u061b]+(?=\\s|$)|\\s-+\\s")
_OPENERS = word_list(
    "i i'm i'd i've i'll im we we're can could would will please find get give show tell let's let help search locate need"
)
_TASKS = word_list(
    "write explain describe provide use create develop implement generate draft compose imagine pretend discuss given list "
    "design act help find"
)
_EDGES = "\"'\u201c\u201d\u2018\u2019\u00ab\u00bb\u201e.,;:!?()[]{}\u00bf\u00a1\u061f\u0964\u2026"


def best(turns: Sequence[str]) -> tuple[str, int]:
    """The title of a conversation in which the user wrote these turns, and how many telling words it is made of.

    It is empty when the turns hold no word.
    """
    title, most = "", 0
    for text in islice(turns, MOST_TURNS):
        found, telling = of_text(text)
        if telling >= ENOUGH:
            return found, telling
        if telling > most or not title:
            title, most = found or title, max(telling, most)
    return title, most


def of_text(text: str) -> tuple[str, int]:
    """The title of a text, and how many telling words are in it."""
    words = prose(text).strip()
    shorter = _GREETING.sub("", words, count=1).strip() or words
    shorter = _POLITE.sub("", shorter, count=1).strip() or shorter
    language = languages.guess(shorter)
    best, most = "", -1
    for sentence in islice(_sentences(shorter), MOST_SENTENCES):
        found, telling = _short(sentence, language)
        if telling > most:
            best, most = found, telling
        if telling >= ENOUGH:
            break
    return best, max(most, 0)


def _sentences(text: str) -> Iterator[str]:
    for piece in _SENTENCE.split(text):
        line = " ".join((piece or "").split())
        if has_words(line):
            yield line


def _short(sentence: str, language: Language) -> tuple[str, int]:
    if signs.are_in(sentence):
        return signs.short(sentence)
    tokens = sentence.split()[:MOST_TOKENS]
    tokens = _without_opener(tokens, language)
    if not has_words(tokens[-1]):  # French puts a space before the question mark
        tokens = [*tokens[:-2], f"{tokens[-2]}{tokens[-1]}"] if len(tokens) > 1 else tokens
    telling = sum(_is_telling(token, language) + _is_name(token) * (i > 0) for i, token in enumerate(tokens))
    whole = tidy(" ".join(tokens))
    if len(tokens) <= MOST_WORDS and len(whole) < MOST_CHARACTERS:
        return capital(whole), telling
    return capital(tidy(_telling_words(" ".join(tokens), language))), telling


def _bare(token: str) -> str:
    return token.strip(_EDGES).lower().replace("\u2019", "'")


def _is_telling(token: str, language: Language) -> bool:
    bare = _bare(token)
    return bool(bare) and bare not in language.small and has_words(bare)


def _is_name(token: str) -> bool:
    bare = token.strip(_EDGES)
    return len(bare) > 1 and bare[0].isupper()


def _without_opener(tokens: list[str], language: Language) -> list[str]:
    """English requests begin with words about the asker: “I am looking for a”."""
    if language.code != "en" or not tokens or _bare(tokens[0]) not in _OPENERS:
        return tokens
    asked = (i for i, token in enumerate(tokens) if _is_telling(token, language) and _bare(token) not in _OPENERS)
    kept = tokens[next(asked, 0) :]
    return [*kept[:-1], kept[-1].rstrip("?")]


def _telling_words(sentence: str, language: Language) -> str:
    """At most five words: those of one clause, in their order, with as much in them as possible."""
    best, most = "", 0.0
    for number, clause in enumerate(_CLAUSE.split(sentence)):
        tokens = _without_weak(clause.split(), language)
        for start in range(len(tokens)):
            window = _trimmed(tokens[start : start + MOST_WORDS], language)
            worth = sum(_worth(token, language) for token in window) - 0.12 * start - 0.1 * number
            if window and worth > most:
                best, most = " ".join(token.strip(_EDGES).partition("(")[0] for token in window), worth
    return best or " ".join(sentence.split()[:MOST_WORDS])


def _without_weak(tokens: list[str], language: Language) -> list[str]:
    """Without the weak words, and without the first of two links that then meet."""
    kept: list[str] = []
    for token in tokens:
        bare = _bare(token)
        if bare and bare not in language.weak:
            if kept and bare in language.links and _bare(kept[-1]) in language.links:
                kept.pop()
            kept.append(token)
    return kept


def _trimmed(window: list[str], language: Language) -> list[str]:
    """Without small words at either end, and short enough."""
    kept = list(window)
    while kept and (_bare(kept[-1]) in language.small or len(" ".join(kept)) > MOST_CHARACTERS):
        kept.pop()
    return kept if kept and _bare(kept[0]) not in language.small else []


def _worth(token: str, language: Language) -> float:
    if not _is_telling(token, language):
        return 0.0
    bare = token.strip(_EDGES)
    if bare.lower() in _TASKS:
        return 0.3
    return 1.0 + 0.35 * (bare[:1].isupper() or any(map(str.isdigit, bare))) + 0.2 * (len(bare) >= 7)
