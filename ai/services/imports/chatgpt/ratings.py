"""Thumbs that somebody gave in ChatGPT: `message_feedback.json`."""

from __future__ import annotations

import json
from typing import Any

from ai.models.feedback import THUMBS
from ai.services.imports import fields
from ai.services.imports.drafts import FeedbackDraft, Json, Unusable
from ai.stores.serialization import clean_text

MOST_LABEL = 100


def recognises(value: Any) -> bool:
    """Whether it is a rating."""
    return isinstance(value, dict) and "rating" in value and "conversation_id" in value and "mapping" not in value


def draft(value: Json, place: str) -> FeedbackDraft:
    """The rating as feedback.

    Raises:
        Unusable.
    """
    at = fields.time(value, "create_time") or fields.time(value, "created_at")
    if at is None:
        raise Unusable("It has no “create_time”.")
    rating = fields.text(value, "rating")
    thumb = THUMBS.get(rating.lower())
    if thumb is None:
        raise Unusable(f"Its rating {fields.shown(rating)} is neither thumbsUp nor thumbsDown.")
    message_id, user_id = fields.identity(value), fields.text(value, "user_id", most=255)
    words = _words(fields.text(value, "content"))
    return FeedbackDraft(
        id=f"{message_id}/{user_id}",
        place=place,
        at=at,
        thread_id=fields.identity(value, "conversation_id"),
        message_id=message_id,
        user_id=user_id or "chatgpt",
        values={"rating": str(thumb), "comment": words["comment"], "label": words["label"]},
    )


def _words(content: str) -> dict[str, str]:
    """The free text and the tags, which are JSON inside a text."""
    try:
        given = json.loads(content) if content else {}
    except (ValueError, RecursionError):
        given = {"text": content}
    if not isinstance(given, dict):
        given = {"text": content}
    tags = given.get("tags")
    label = ", ".join(str(tag) for tag in tags) if isinstance(tags, list) else str(tags or "")
    comment = given.get("text") or given.get("comment") or ""
    return {"comment": clean_text(str(comment)), "label": clean_text(label)[:MOST_LABEL]}
