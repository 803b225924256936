"""Files on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from ai.api.wire.base import seconds
from ai.models import DataSource

Purpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]

MOST_LISTED = 10_000


class FileQuery(BaseModel):
    """Which files, and the page of them."""

    limit: int = Field(MOST_LISTED, ge=1, le=MOST_LISTED)
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None
    purpose: str | None = Field(None, max_length=64)


class FileObject(BaseModel):
    """A file."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: str
    status: Literal["uploaded", "processed", "error"]
    status_details: str | None


def files(rows: Sequence[DataSource]) -> list[dict[str, Any]]:
    """The files as JSON, without a query."""
    return [file(row) for row in rows]


def file(row: DataSource) -> dict[str, Any]:
    """One of them."""
    return {
        "id": row.file_id,
        "object": "file",
        "bytes": row.bytes,
        "created_at": seconds(row.created),
        "expires_at": seconds(row.expires_at),
        "filename": row.name,
        "purpose": row.purpose,
        # Nothing happens to a file later on: helpers that wait for it need not wait.
        "status": "processed",
        "status_details": None,
    }
