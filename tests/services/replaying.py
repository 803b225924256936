"""What the tests of replays share: a conversation, a scripted model, and ways to ask for a replay."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.core import serializers
from django.utils import timezone

from ai.models import ChatThread, Job, Message, Run
from ai.services import actors, replays, runs
from ai.services.replays import Target

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
CALL: dict[str, Any] = {
    "id": "c1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
}
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "Be nice."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi!"},
    {"role": "user", "content": "Weather in Oslo?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    {"role": "assistant", "content": "It rains."},
]


def ask(*targets: Target, **values: Any) -> Job:
    fixed: dict[str, Any] = {"model_aliases": ["scripted"], "by": actors.SYSTEM, "at": AT}
    return replays.request(targets=targets, **(fixed | values))


def work() -> int:
    return runs.drain(worker="w", now=timezone.now)


def replay(thread: ChatThread, **values: Any) -> Run:
    job = ask(Target(thread.pk), **values)
    work()
    found: Run = Run.objects.get(job_id=job.pk)
    return found


def dump(thread: ChatThread) -> str:
    rows = [*ChatThread.objects.filter(pk=thread.pk), *Message.objects.filter(thread_id=str(thread.pk)).order_by("pk")]
    rows += list(Run.objects.originals().filter(thread_id=str(thread.pk)).order_by("pk"))
    return str(serializers.serialize("json", rows))


def original(thread: ChatThread, **values: Any) -> Run:
    fixed = {"instructions": "Be quick.", "settings": {"temperature": 0.5}, "tools": TOOLS, "status": "completed"}
    run = Run(tenant_id=thread.tenant_id, thread_id=str(thread.pk), model="old", ended_at=AT, **(fixed | values))
    run.save(force_insert=True)
    Message.objects.filter(thread_id=str(thread.pk), sequence__gte=5).update(run_id=str(run.pk))
    return run
