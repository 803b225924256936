"""
Identifiers: UUIDs inside, OpenAI's prefixed form outside.

A public id is the prefix and the UUID's 32 hex digits (`thread_0190…`), so it is reversible and alphanumeric, which
clients that cut ids out of error texts rely on.

An id that came with an import (`thread_abc123`) is *adopted*: its row's UUID is derived from it and the tenant, so that
the foreign id finds the row by its key, and the same import again finds the same row. `ai.models.ForeignId` keeps its text.
"""

from __future__ import annotations

import os
import time
from uuid import UUID, uuid4, uuid5

from ai.exceptions import NotFound

PREFIXES = {
    "assistant": "asst_",
    "thread": "thread_",
    "message": "msg_",
    "run": "run_",
    "step": "step_",
    "file": "file-",
    "vector_store": "vs_",
    "batch": "vsfb_",
    "feedback": "fb_",
    "feedback_event": "fbe_",
    "review_queue": "rq_",
    "review_item": "rqi_",
}

#: What a key of an adopted id is derived under.
_ADOPTED = UUID("5f0d9a3c-6c55-4d0e-9d5f-2f1f2f7c1b64")


def new(*, at: float | None = None) -> UUID:
    """A time-ordered UUID in RFC 9562's version 7 layout; `at` is in Unix seconds, now by default.

    Rows inserted one after the other land beside each other in the primary key's index, which keeps big tables fast.
    """
    milliseconds = int((time.time() if at is None else at) * 1000)
    value = (milliseconds & 0xFFFFFFFFFFFF) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def lease(worker: str) -> str:
    """A name for one time that a worker takes something: its threads must not be mistaken for each other."""
    return f"{worker}#{uuid4().hex}"


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


def adopted(tenant_id: UUID | str, foreign_id: str) -> UUID:
    """The key of the row that an import gave this id, in this tenant."""
    return uuid5(_ADOPTED, f"{tenant_id}:{foreign_id}")


def may_be_adopted(key: UUID) -> bool:
    """Whether `ai.models.ForeignId` may know a text for this key: ours are of version 7."""
    return key.version == 5


def keys(tenant_id: UUID | str, value: str) -> list[UUID]:
    """The keys that a public id can stand for in a tenant: its own UUID, and that of a row imported under this id."""
    try:
        return [parse(value), adopted(tenant_id, value)]
    except NotFound:
        return [adopted(tenant_id, value)]
