"""Ids for what has none: from its content, and its place among its equals, so that the same again gets the same."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import blake2b
from typing import Any

#: What a copy of a message may have or lack.
_ACCIDENTAL = ("id", "created_at", "created", "create_time", "timestamp")


def digest(value: Any) -> str:
    """A short text that stands for a JSON value."""
    return blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=12).hexdigest()


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
