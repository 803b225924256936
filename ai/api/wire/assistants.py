"""Assistants on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from ai.api.wire.base import Metadata, Request, Temperature, TopP, seconds
from ai.api.wire.names import PublicIds
from ai.api.wire.tools import GivenResources, ResponseFormat, Tools
from ai.models import Assistant

MOST_INSTRUCTIONS = 256_000


class ModifyAssistant(Request):
    """Changes to an assistant; what is absent or null stays as it is."""

    model: str | None = Field(None, min_length=1, max_length=255)
    name: str | None = Field(None, max_length=256)
    description: str | None = Field(None, max_length=512)
    instructions: str | None = Field(None, max_length=MOST_INSTRUCTIONS)
    tools: Tools | None = None
    tool_resources: GivenResources | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: ResponseFormat = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None


class CreateAssistant(ModifyAssistant):
    """A new assistant."""

    model: str = Field(min_length=1, max_length=255)


class AssistantAnswer(BaseModel):
    """An assistant."""

    id: str
    object: Literal["assistant"]
    created_at: int
    name: str | None
    description: str | None
    model: str
    instructions: str | None
    tools: list[dict[str, Any]]
    tool_resources: dict[str, Any] | None
    metadata: dict[str, str]
    temperature: float | None
    top_p: float | None
    response_format: Any
    reasoning_effort: str | None


def assistants(rows: Sequence[Assistant]) -> list[dict[str, Any]]:
    """The assistants as JSON: one query at most, whatever their number."""
    ids = PublicIds(*(row.pk for row in rows))
    return [
        {
            "id": ids.of("assistant", row.pk),
            "object": "assistant",
            "created_at": seconds(row.created),
            "name": row.name,
            "description": row.description,
            "model": row.model,
            "instructions": row.instructions or None,
            "tools": row.tools or [],
            "tool_resources": row.tool_resources or {},
            "metadata": row.metadata or {},
            "temperature": (row.settings or {}).get("temperature"),
            "top_p": (row.settings or {}).get("top_p"),
            "response_format": (row.settings or {}).get("response_format") or "auto",
            "reasoning_effort": (row.settings or {}).get("reasoning_effort"),
        }
        for row in rows
    ]


def assistant(row: Assistant) -> dict[str, Any]:
    """One of them."""
    return assistants([row])[0]
