"""Conversations to export."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from ai.models import ChatThread, Feedback, Message, Run, Tenant
from tests import factories

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}

#: Texts that have broken other programs' files.
HOSTILE = (
    "=1+1",
    "'",
    "",
    "a\r\nb\n\nc\rd",
    'quo"te, comma; semicolon\ttab',
    "שלום \u202e مرحبا 👩‍👩‍👧 \U0001d518",
    "\u2028 \u2029 \x85 \x1b[31m \ufeff",
    "x" * 150_000,
)


def with_a_call(tenant: Tenant, **values: Any) -> ChatThread:
    """A question that a function helps to answer."""
    return factories.thread(
        tenant,
        {"role": "user", "content": "Is it warm in Oslo?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"degrees": -3}'},
        {"role": "assistant", "content": "It is -3 degrees."},
        **{"name": "Oslo's weather", "tags": ["weather"], "user_id": "u-1", **values},
    )


def rate(message: Message, thumb: str, user: str = "anna") -> Feedback:
    """Somebody's thumb."""
    return Feedback.objects.give(message=message, feedback={"rating": thumb, "comment": "so"}, user_id=user, at=NOW)


def run(tenant: Tenant, thread: ChatThread, **values: Any) -> Run:
    """A completed run of the thread."""
    at = timezone.now()
    row = Run(thread_id=str(thread.pk), tenant_id=tenant.pk, model="m", status="completed", **values)
    row.started_at, row.ended_at = at - timedelta(seconds=2), at
    row.save(force_insert=True)
    return row


def replay(tenant: Tenant, thread: ChatThread, *, of: Message, says: str, **values: Any) -> Run:
    """A completed replay of one message of the thread."""
    return run(
        tenant,
        thread,
        replay_of_thread=thread.pk,
        replay_from=of.sequence,
        replay_to=of.sequence,
        history_until=of.sequence - 1,
        output=[{"role": "assistant", "content": says}],
        **values,
    )
