"""Ids for what has none: from its content, and its place among its equals, so that the same again gets the same."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import blake2b
from typing import Any

from ai.services.imports import fields
from ai.services.imports.drafts import Unusable
from ai.stores.serialization import clean_text

MOST_CHARACTERS = 255

#: What a copy of a message may have or lack.
_ACCIDENTAL = ("id", "created_at", "created", "create_time", "timestamp")


def digest(value: Any) -> str:
    """A short text that stands for a JSON value."""
    return blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=12).hexdigest()


def given(value: Any) -> tuple[str, str] | None:
    """The id that somebody gave a thing, as one that keys come from, and as it was; None where there is none.

    People use numbers and any text as ids. What could not stand in an address gets another name, always the same.

    Raises:
        Unusable: it is nothing that can be an id.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unusable(f"Its “id” is no id: {fields.shown(value)}.")
    text = str(value) if isinstance(value, int) else clean_text(value)
    name = text if fields.is_identity(text) else f"~{digest(text)}"
    return name, text[:MOST_CHARACTERS]


def name_of(value: Any) -> str:
    """The id as one that keys come from; empty where there is none."""
    found = given(value)
    return found[0] if found else ""


class MessageNames:
    """Names for the messages of one thread that have no id."""

    def __init__(self) -> None:
        self._met: Counter[str] = Counter()

    def of(self, message: Any) -> str:
        """The name of the thread's next message."""
        said = message if isinstance(message, dict) else {"message": message}
        found = digest({name: value for name, value in said.items() if name not in _ACCIDENTAL})
        self._met[found] += 1
        return found if self._met[found] == 1 else f"{found}-{self._met[found]}"
