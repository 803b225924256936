"""ChatGPT's data export: `conversations.json`, in one piece or several, alone or in the zip, and `message_feedback.json`.

OpenAI publishes no schema; what is known of it comes from exports of 2023 to 2025 and from other readers of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from ai.services.imports.chatgpt import conversations, ratings
from ai.services.imports.drafts import Draft, Refusal, Unusable
from ai.services.imports.reports import Report
from ai.services.imports.values import Document

#: What the zip also holds, and nobody needs here.
_OTHERS = ("user", "shared_conversations", "model_comparisons", "group_chats", "shopping", "sora", "user_settings")


def recognises(value: Any) -> bool:
    """Whether it is a conversation or a rating."""
    return conversations.recognises(value) or ratings.recognises(value)


def read(documents: Iterable[Document], report: Report) -> Iterator[Draft]:
    """The conversations with their branches, and the ratings."""
    for document in documents:
        if PurePosixPath(document.file).name.split(".")[0] in _OTHERS:
            continue
        report.count()
        value = document.value
        try:
            if ratings.recognises(value):
                yield ratings.draft(value, document.place)
            else:
                yield from conversations.drafts(value, document.place, at=report.at)
        except Unusable as error:
            kind = "feedback" if ratings.recognises(value) else "thread"
            report.refuse(Refusal(kind, document.place, str(error), _id(value)))


def _id(value: Any) -> str:
    found = value.get("id") or value.get("conversation_id") if isinstance(value, dict) else None
    return found[:255] if isinstance(found, str) else ""
