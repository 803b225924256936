"""Rows on their way to the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Rows = list[tuple[Any, ...]]

THREAD_FIELDS = (
    "id", "created", "modified", "name", "tags", "tenant_id", "user_id", "data", "source", "model", "feedback",
    "message_count", "last_sequence", "last_activity_at",
)  # fmt: skip
TAG_FIELDS = ("tenant_id", "thread_id", "tag")
MESSAGE_FIELDS = (
    "id", "created", "modified", "data", "message", "run_id", "tenant_id", "thread_id", "sequence", "role", "preview",
)  # fmt: skip
RUN_FIELDS = (
    "id", "created", "modified", "tenant_id", "thread_id", "requested_by", "model", "response_model", "tools",
    "history_until", "status", "error_code", "error_message", "prompt_tokens", "completion_tokens", "total_tokens",
    "cost", "first_token_ms", "duration_ms", "attempt", "started_at", "ended_at", "expires_at",
)  # fmt: skip
STEP_FIELDS = (
    "id", "created", "modified", "tenant_id", "run_id", "thread_id", "index", "type", "status", "details", "usage",
    "started_at", "ended_at",
)  # fmt: skip
FEEDBACK_FIELDS = (
    "id", "created", "modified", "tenant_id", "thread_id", "message_id", "user_id", "rating", "comment", "state",
    "given_at",
)  # fmt: skip


@dataclass(slots=True)
class Batch:
    """Whole threads with everything of theirs, each table's rows in the order of its fields above."""

    threads: Rows = field(default_factory=list)
    tags: Rows = field(default_factory=list)
    messages: Rows = field(default_factory=list)
    runs: Rows = field(default_factory=list)
    steps: Rows = field(default_factory=list)
    feedback: Rows = field(default_factory=list)
    documents: Rows = field(default_factory=list)
