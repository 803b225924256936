"""
Identifiers: UUIDs inside, OpenAI's prefixed form outside.

A public id is the prefix and the UUID's 32 hex digits (`thread_0190…`), so it is reversible and alphanumeric, which
clients that cut ids out of error texts rely on.
"""

from __future__ import annotations

import os
import time
from uuid import UUID

from ai.exceptions import NotFound

PREFIXES = {
    "assistant": "asst_",
    "thread": "thread_",
    "message": "msg_",
    "run": "run_",
    "step": "step_",
    "file": "file-",
}


def new(*, at: float | None = None) -> UUID:
    """A time-ordered UUID in RFC 9562's version 7 layout; `at` is in Unix seconds, now by default.

    Rows inserted one after the other land beside each other in the primary key's index, which keeps big tables fast.
    """
    milliseconds = int((time.time() if at is None else at) * 1000)
    value = (milliseconds & 0xFFFFFFFFFFFF) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def public(kind: str, value: UUID | str) -> str:
    """The prefixed form: `public("thread", uuid)` is `"thread_" + uuid.hex`."""
    return PREFIXES[kind] + UUID(str(value)).hex


def parse(value: UUID | str) -> UUID:
    """The UUID behind a UUID, its text, or a prefixed id of any kind.

    Raises:
        NotFound: the text is no id of ours.
    """
    if isinstance(value, UUID):
        return value
    text = str(value)
    for prefix in PREFIXES.values():
        if text.startswith(prefix):
            text = text[len(prefix) :]
            break
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"Nothing has the id {str(value)[:80]!r}.") from None
