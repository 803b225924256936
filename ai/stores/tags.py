"""How many tags a thread can carry: an index of PostgreSQL holds tenant, user and all tags in one entry of 2,704 bytes."""

from __future__ import annotations

from collections.abc import Iterable

from ai.exceptions import InvalidInput

MOST_TAGS = 50
TAG_CHARACTERS = 100

#: In UTF-8; what is left of the index's entry beside the longest user's name.
MOST_BYTES = 1600
_BYTES_BESIDE_A_TAG = 4


def fitting(tags: Iterable[object]) -> list[str]:
    """Those of the tags that a thread can carry, in their order; each is kept whole or not at all."""
    kept: list[str] = []
    room = MOST_BYTES
    for tag in map(str, tags):
        size = len(tag.encode(errors="replace")) + _BYTES_BESIDE_A_TAG
        if len(kept) < MOST_TAGS and len(tag) <= TAG_CHARACTERS and size <= room:
            kept.append(tag)
            room -= size
    return kept


def check(tags: object) -> None:
    """Let pass the tags that a thread can carry, and what is no list.

    Raises:
        InvalidInput.
    """
    if isinstance(tags, list | tuple) and len(fitting(tags)) < len(tags):
        said = f"A thread has at most {MOST_TAGS} tags of at most {TAG_CHARACTERS} characters, and of {MOST_BYTES:,} bytes in all."
        raise InvalidInput(said, param="tags")
