"""Where a notification leads, as a path within the console."""

from __future__ import annotations

from typing import Any

from django.urls import NoReverseMatch, reverse


def path_of(row: Any) -> str:
    """The page that the notification is about; empty where there is none."""
    if row.target_type in {"comment", "message"} and row.thread_id and row.message_id:
        query = {"message": row.message_id, "comments": row.message_id}
        return f"{_path('ai_chatthread_change', row.thread_id, **query)}#m-{row.message_id}"
    if row.target_type == "feedback":
        return _path("ai_feedback_inbox", state="all", item=row.target_id)
    if row.target_type in PAGES:
        return _path(f"ai_{row.target_type}_change", row.target_id)
    if row.thread_id:
        return _path("ai_chatthread_change", row.thread_id)
    return ""


def choices_path() -> str:
    """The page where people say what they want to be told of."""
    return _path("ai_notification_choices")


#: Rows that have a page of their own.
PAGES = frozenset({"job", "reviewqueue", "webhook", "run", "chatthread"})


def _path(name: str, *args: Any, **query: Any) -> str:
    try:
        return reverse(f"admin:{name}", args=args, query=query or None)
    except NoReverseMatch:
        return ""
