"""How texts and queries become the words of the full-text index, alike on SQLite and PostgreSQL.

The databases' own tokenizers split texts at spaces and punctuation and fold case and accents. They do not cut scripts
that are written without spaces, so those are cut into overlapping pairs here ("注文番号" gives 注文 文番 番号 号) and indexed
beside the text as `grams`. What SQLite leaves unfolded (full-width letters, ligatures, Greek and Cyrillic accents) is
repeated there in its plain form.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cache

#: A query is cut to this many characters and words, so that no query is expensive because it is long.
QUERY_CHARACTERS = 500
QUERY_WORDS = 12
WORD_CHARACTERS = 100

#: Words from this length on also find longer words that begin with them.
PREFIX_CHARACTERS = 3

#: So many pairs of one text are indexed: PostgreSQL's `tsvector` holds at most 1 MiB.
MOST_GRAMS = 40_000

#: Scripts written without spaces: Thai, Lao, Burmese, Khmer, kana, Han.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff"
_ACCENTS = re.compile("[\u0300-\u036f]+")


@cache
def unspaced() -> re.Pattern[str]:
    """Runs of such letters. Sets of so many letters take milliseconds to compile, for which no start should wait."""
    return re.compile(f"([{_UNSPACED}\U00020000-\U0003ffff]+)")


@cache
def _beyond_latin() -> re.Pattern[str]:
    return re.compile("[\u0370-\u1dff\u1f00-\U0010ffff]")


@dataclass(frozen=True)
class Term:
    """Words that must stand one after the other; with `is_prefix` the last one may go on."""

    words: tuple[str, ...]
    is_prefix: bool

    def exact(self) -> Term:
        """The same words, whole; a single letter of an unspaced script still finds the pairs it begins."""
        return replace(self, is_prefix=False) if len(self.words[-1]) > 1 else self


def fold(text: str) -> str:
    """`text` in plain forms and small letters, without accents."""
    if text.isascii():
        return text.lower()
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFKC", plain).lower()


def terms(query: str) -> list[Term]:
    """What a query asks for: every term must be found. Punctuation, symbols and control characters say nothing.

    A word with punctuation inside ("e-mail", "jane@example.com") asks for its parts one after the other.
    """
    found: list[Term] = []
    for word in query[:QUERY_CHARACTERS].split():
        found += _terms_of(fold(word))
    return list(dict.fromkeys(found))[:QUERY_WORDS]


def grams(text: str) -> str:
    """The extra words under which `text` is indexed; empty for nearly every text in Latin script."""
    if text.isascii():
        return ""
    extra: list[str] = []
    for word in text.split():
        if not word.isascii():
            extra += _extra_words(word)
            if len(extra) > MOST_GRAMS:
                break
    return " ".join(extra[:MOST_GRAMS])


def _extra_words(word: str) -> list[str]:
    folded = fold(word)
    if unspaced().search(folded):
        runs = [letters(run) for run in unspaced().findall(folded)]
        pairs = [run[i : i + 2] for run in runs for i in range(min(len(run), MOST_GRAMS))]
        return pairs + parts(unspaced().sub(" ", folded))
    return parts(folded) if _needs_folding(word, folded) else []


def _needs_folding(word: str, folded: str) -> bool:
    """Whether SQLite's tokenizer, which folds Latin accents and capitals, would not make `folded` of it."""
    return word.lower() != folded and (_beyond_latin().search(word) is not None or _is_compatibility(word))


def _terms_of(word: str) -> list[Term]:
    """The terms of one folded word: unspaced runs as pairs, what is between them as phrases."""
    found = []
    position = 0
    for run in unspaced().finditer(word):
        found += _phrase(word[position : run.start()], may_go_on=False)
        found += _pairs(letters(run.group()))
        position = run.end()
    return found + _phrase(word[position:], may_go_on=True)


def _phrase(text: str, *, may_go_on: bool) -> list[Term]:
    words = tuple(part[:WORD_CHARACTERS] for part in parts(text))[:QUERY_WORDS]
    if not words:
        return []
    is_long = len(words[-1]) >= PREFIX_CHARACTERS or words[-1] >= "\u1100"  # two Hangul syllables are a word
    return [Term(words, may_go_on and is_long)]


def _pairs(run: str) -> list[Term]:
    kept = run[:WORD_CHARACTERS]
    if not kept:
        return []
    if len(kept) == 1:
        return [Term((kept,), is_prefix=True)]
    return [Term(tuple(kept[i : i + 2] for i in range(len(kept) - 1)), is_prefix=False)]


def parts(text: str) -> list[str]:
    """The maximal runs of letters, digits and marks that hold at least one letter or digit."""
    cut = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in text)
    return [part for part in cut.split() if any(c.isalnum() for c in part)]


def letters(run: str) -> str:
    """The run without vowel signs and tone marks, which tokenizers drop or split at."""
    return "".join(c for c in run if c.isalnum())


def _is_compatibility(word: str) -> bool:
    return unicodedata.normalize("NFKC", word) != unicodedata.normalize("NFC", word)
