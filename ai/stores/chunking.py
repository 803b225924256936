"""Cutting texts into chunks that overlap, at the ends of paragraphs and sentences where there are any.

Sizes are in tokens, and a token is taken for four characters: about right for English in OpenAI's tokenizers, and no
tokenizer of one vendor would be right for the others. Scripts such as Chinese have more tokens to a character, so their
chunks are bigger than asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ai.exceptions import InvalidInput

CHARACTERS_PER_TOKEN = 4

#: The Assistants API's bounds and defaults.
LEAST_TOKENS = 100
MOST_TOKENS = 4096
USUAL_TOKENS = 800
USUAL_OVERLAP = 400

#: A chunk is cut behind this part of it: at the end of a paragraph, else of a sentence or line, else of a word.
_FULL_ENOUGH = 0.75
_ENDS = (
    re.compile(r"\n\s*\n\s*"),
    re.compile(r"(?<=[.!?])\s+|\n+|(?<=[\u3002\uff01\uff1f])"),
    re.compile(r"\s+"),
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How big chunks are, and how much of one is repeated in the next, in tokens."""

    tokens: int = USUAL_TOKENS
    overlap: int = USUAL_OVERLAP

    def as_strategy(self) -> dict[str, Any]:
        """The API's `chunking_strategy`, spelt out."""
        static = {"max_chunk_size_tokens": self.tokens, "chunk_overlap_tokens": self.overlap}
        return {"type": "static", "static": static}


def sizes_of(strategy: Any) -> Sizes:
    """What the API's `chunking_strategy` asks for; None and `{"type": "auto"}` mean the usual.

    Raises:
        InvalidInput: it is none, or out of bounds.
    """
    if strategy is None or strategy == {}:
        return Sizes()
    kind = strategy.get("type") if isinstance(strategy, Mapping) else None
    if kind == "auto":
        return Sizes()
    if kind != "static":
        raise _refused("", "its 'type' must be 'auto' or 'static'")
    static = strategy.get("static")
    if not isinstance(static, Mapping):
        raise _refused(".static", "it must be an object")
    tokens = _whole(static, "max_chunk_size_tokens", USUAL_TOKENS)
    overlap = _whole(static, "chunk_overlap_tokens", min(USUAL_OVERLAP, tokens // 2))
    if not LEAST_TOKENS <= tokens <= MOST_TOKENS:
        raise _refused(".static.max_chunk_size_tokens", f"it must be from {LEAST_TOKENS} to {MOST_TOKENS}")
    if not 0 <= overlap <= tokens // 2:
        raise _refused(".static.chunk_overlap_tokens", "it must not be more than half of max_chunk_size_tokens")
    return Sizes(tokens, overlap)


def _whole(static: Mapping[str, Any], name: str, usual: int) -> int:
    value = static.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refused(f".static.{name}", "it must be a whole number")
    return value


def _refused(where: str, why: str) -> InvalidInput:
    name = f"chunking_strategy{where}"
    return InvalidInput(f"Invalid '{name}': {why}.", param=name)


def chunks(text: str, sizes: Sizes = Sizes()) -> Iterator[str]:
    """The chunks of a text, in their order; none of white space alone. But for that, joined without their overlap they are the text."""
    size, overlap = sizes.tokens * CHARACTERS_PER_TOKEN, sizes.overlap * CHARACTERS_PER_TOKEN
    start = 0
    while start < len(text):
        end = len(text) if len(text) - start <= size else _end(text, start, start + size)
        if piece := text[start:end].strip():
            yield piece
        if end == len(text):
            return
        start = _begin(text, end - overlap, end) if overlap else end


def _end(text: str, start: int, most: int) -> int:
    """Where to cut, at `most` at the latest: behind the last of the best ends there are."""
    least = start + int((most - start) * _FULL_ENOUGH)
    for pattern in _ENDS:
        places = [found.end() for found in pattern.finditer(text, least, most)]
        if places:
            return places[-1]
    return most


def _begin(text: str, wanted: int, end: int) -> int:
    """Where the next chunk begins, so that it repeats about as much as is wanted: at the beginning of a word."""
    found = _ENDS[2].search(text, wanted, min(wanted + 40, end))
    return found.end() if found else wanted


def without_overlap(pieces: Iterable[str]) -> Iterator[str]:
    """Chunks that follow one another, each without what it repeats of the one before."""
    before = ""
    for piece in pieces:
        rest = piece[_repeated(before, piece) :].strip()
        before = piece
        if rest:
            yield rest


def _repeated(before: str, piece: str) -> int:
    """How many characters at the beginning of `piece` are the end of `before`."""
    beginning = piece[:32]
    place = before.find(beginning) if before else -1
    while place >= 0:
        if piece.startswith(before[place:]):
            return len(before) - place
        place = before.find(beginning, place + 1)
    return 0
