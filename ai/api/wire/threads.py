"""Threads on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from ai.api.pages import PageQuery
from ai.api.wire.base import AS_IT_CAME, Metadata, Request, seconds
from ai.api.wire.messages import CreateMessage
from ai.api.wire.names import PublicIds
from ai.api.wire.tools import GivenResources
from ai.models import ChatThread


class ModifyThread(Request):
    """Changes to a thread; what is absent or null stays as it is."""

    metadata: Metadata | None = None
    tool_resources: GivenResources | None = None


class CreateThread(ModifyThread):
    """A new thread, and what it begins with."""

    messages: Annotated[list[CreateMessage], AS_IT_CAME] | None = None


class ThreadQuery(PageQuery):
    """Which threads, and the page of them."""

    q: str | None = Field(None, max_length=1000, description="Words that a message or the title holds.")
    user: str | None = Field(None, max_length=255, description="The id of the user whose threads they are.")


class ThreadAnswer(BaseModel):
    """A thread."""

    id: str
    object: Literal["thread"]
    created_at: int
    metadata: dict[str, Any]
    tool_resources: dict[str, Any]


def threads(rows: Sequence[ChatThread]) -> list[dict[str, Any]]:
    """The threads as JSON: one query at most, whatever their number."""
    ids = PublicIds(*(row.pk for row in rows))
    return [
        {
            "id": ids.of("thread", row.pk),
            "object": "thread",
            "created_at": seconds(row.created),
            "metadata": (row.data or {}).get("metadata") or {},
            "tool_resources": (row.data or {}).get("tool_resources") or {},
        }
        for row in rows
    ]


def thread(row: ChatThread) -> dict[str, Any]:
    """One of them."""
    return threads([row])[0]
