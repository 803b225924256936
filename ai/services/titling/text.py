"""What may stand in a title: one line of plain words."""

from __future__ import annotations

import re
import unicodedata

from ai.stores.serialization import clean_text

MOST_CHARACTERS = 60
MOST_WORDS = 5

#: More of a text than this is not looked at.
READ_CHARACTERS = 20_000

_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_LINK = re.compile(r"!?\[([^\]\n]{0,300})\]\([^)\s]{0,2000}\)")
_TAG = re.compile(r"</?[A-Za-z!][^<>\n]{0,2000}>")
_URL = re.compile(r"(?:\b[a-z][a-z0-9+.-]{1,20}://|\bwww\.)\S+|\bjavascript:\S*|\bdata:\w+/\S*", re.IGNORECASE)
_MARKUP = re.compile(r"[*`]+|~~|(?<!\w)_+|_+(?!\w)|^ *(?:[#>|]+|(?:[-+•]|\d+[.)]) ) *", re.MULTILINE)
_LABEL = re.compile(r"^(?:(?:short |suggested |thread |chat )?(?:title|subject|topic))\s*[:\-\u2013]\s*", re.IGNORECASE)
_EMPTY = re.compile(r"\(\s*\)|\[\s*\]|\{\s*\}|[<>{}\[\]\\|]+")
_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb\u201e\u300c\u300d\u2039\u203a"
_ENDS = " .:;,-\u2013\u2014\u3002\u3001\uff0c\u061b\u060c\u0964/&+=#"
_JOINERS = "\u200c\u200d"
_MOST_MARKS = 4
_WITHOUT_SPACES = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0e7f]")

#: A word of a writing without spaces is counted as so many signs.
SIGNS_OF_A_WORD = 4


def word_list(text: str) -> frozenset[str]:
    """The words of a list that is written as one text."""
    return frozenset(text.split())


def plain(text: str) -> str:
    """The text without characters that nobody sees or that turn the line around, and without towers of accents."""
    kept: list[str] = []
    marks = 0
    for character in clean_text((text or "")[:READ_CHARACTERS]):
        kind = unicodedata.category(character)
        marks = marks + 1 if kind in {"Mn", "Me"} else 0
        if character.isspace():
            kept.append("\n" if character in "\n\r\u2028\u2029" else " ")
        elif character in _JOINERS:
            if kept and kept[-1] > "\u05ff":  # they shape letters of India and Persia, and emoji
                kept.append(character)
        elif kind not in {"Cc", "Cf", "Co", "Cn", "Cs"} and character != "\ufffd" and marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept).strip(_JOINERS)


def prose(text: str) -> str:
    """The text's words without code, addresses, HTML and markdown; its lines stay."""
    words = plain(text)
    without = _CODE.sub(" ", words)
    words = without if without.strip() else words.replace("`", " ")
    words = _URL.sub(" ", _TAG.sub(" ", _LINK.sub(r"\1", words)))
    return _MARKUP.sub(" ", words)


def tidy(text: str) -> str:
    """The text as a title: one line of at most 60 characters without quotes or markdown; empty when nothing is left."""
    line = " ".join(_EMPTY.sub(" ", prose(text)).split())
    line = _LABEL.sub("", line.strip(_QUOTES + " ")).strip(_QUOTES + _ENDS)
    return cut(line)


def cut(line: str) -> str:
    """The line within 60 characters, cut at a word where there is one."""
    if len(line) <= MOST_CHARACTERS:
        return line
    short = line[: MOST_CHARACTERS - 1]
    space = short.rfind(" ")
    return (short[:space] if space > MOST_CHARACTERS // 2 else short).rstrip(_ENDS) + "…"


def count_words(title: str) -> int:
    """How many words; signs of writings without spaces count four to the word."""
    total = 0
    for piece in title.split():
        signs = len(_WITHOUT_SPACES.findall(piece))
        total += -(-signs // SIGNS_OF_A_WORD) if signs * 2 > len(piece) else 1
    return total


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit."""
    return any(character.isalnum() for character in text)


def capital(title: str) -> str:
    """The title with a capital letter at its beginning, unless its first word is written in its own way (iPhone);
    not all of it in capitals."""
    first, *rest = title.split(" ")
    if rest and title.isupper():  # shouted
        return title.capitalize()
    return title if first[1:] != first[1:].lower() else title[:1].upper() + title[1:]
