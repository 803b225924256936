"""Feedback in the rows of a CSV file: as this console exports it, or with what somebody thought of the message at an index."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from ai.models.feedback import THUMBS
from ai.services import tables
from ai.services.imports import fields, identities
from ai.services.imports.drafts import FeedbackDraft, Json, Unusable

_TIMES = ("given_at", "created_at", "created", "timestamp")
_EXACT = ("state", "history", "created", "modified")
MOST_LABEL = 100


def opinion(row: Json, place: str, key: str, *, at: datetime) -> FeedbackDraft:
    """The row as a draft. Who gave it is its own id where the row does not say, so that several on one message stay apart.

    Raises:
        Unusable, InvalidInput.
    """
    own = _exact(row)
    return FeedbackDraft(
        id=key,
        place=place,
        at=_time(row) or at,
        thread_id=identities.name_of(row.get("thread_id")),
        values={**_values(row), **own},
        message_id=identities.name_of(row.get("message_id")) or None,
        message_index=None if row.get("message_id") else _index(row),
        user_id=tables.unguard(str(row.get("user_id") or row.get("user") or key))[:255],
        key=UUID(key) if own else None,
    )


def _exact(row: Json) -> Json:
    """The columns that only this console's own files have, where the row has them all."""
    if not all(row.get(name) for name in _EXACT):
        return {}
    return tables.FEEDBACK.values({name: row[name] for name in _EXACT})


def _values(row: Json) -> Json:
    score = tables.FEEDBACK.by_name["score"].value(str(row.get("score") or ""))
    given = tables.unguard(str(row.get("rating") or "")).strip().lower()
    thumb = THUMBS.get(given)
    if given and thumb is None:
        raise Unusable(f"Its rating {fields.shown(row['rating'])} is neither up nor down.")
    return {
        "rating": str(thumb or ""),
        "score": score,
        "label": tables.unguard(str(row.get("label") or ""))[:MOST_LABEL],
        "comment": tables.FEEDBACK.by_name["comment"].value(str(row.get("comment") or "")),
    }


def _index(row: Json) -> int:
    text = str(row.get("message_index") or "").strip()
    if not text.isdecimal():
        raise Unusable(f"Its “message_index” is no number from 0 on: {fields.shown(text)}.")
    return int(text)


def _time(row: Json) -> datetime | None:
    found = next((name for name in _TIMES if row.get(name)), "")
    return fields.time({found: str(row[found])}, found) if found else None
