"""What must hold of every thread and run at every moment."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from ai import ids
from ai.models import ChatThread, Message, Run, RunStep
from ai.models.runs import ACTIVE, FINAL, HELD
from ai.stores.content import tool_calls_of

#: From each state those that may be the next one, when nobody answers tool calls. Recovery leads back to the queue.
NEXT: dict[str, set[str]] = {
    "queued": {"in_progress", "cancelled", "expired"},
    "in_progress": {"queued", "requires_action", "cancelling", *FINAL},
    "requires_action": {"cancelled", "expired"},
    "cancelling": {*FINAL},
}


def reachable(state: str) -> set[str]:
    """The state, and those that it may lead to."""
    found, todo = {state}, [state]
    while todo:
        todo += (more := NEXT.get(todo.pop(), set()) - found)
        found |= more
    return found


def by_thread(rows: QuerySet[Any], names: list[str]) -> dict[str, list[Any]]:
    """The rows of each thread."""
    found: dict[str, list[Any]] = {name: [] for name in names}
    for row in rows.filter(thread_id__in=names):
        found[row.thread_id].append(row)
    return found


@dataclass
class Watch:
    """Looks at threads again and again."""

    seen: dict[UUID, str] = field(default_factory=dict)
    """The last state of each run."""

    def answered(self, run_id: UUID) -> None:
        """A client has answered the run's tool calls: it was queued again."""
        assert self.seen[run_id] == "requires_action"
        self.seen[run_id] = "queued"

    def look(self, said: dict[UUID, list[int]], answers: set[str]) -> None:
        """Check threads: the numbers of their users' messages are `said`; `answers` are whole texts of the model."""
        names = [str(thread_id) for thread_id in said]
        runs, steps, messages = (
            by_thread(rows, names)
            for rows in (
                Run.objects.order_by("created", "pk"),
                RunStep.objects.order_by("index"),
                Message.objects.order_by("sequence"),
            )
        )
        for thread in ChatThread.objects.filter(pk__in=said):
            name = str(thread.pk)
            check_sequence(thread, messages[name])
            check_said(messages[name], said[thread.pk], answers)
            check_calls(messages[name], {str(run.pk): run for run in runs[name]})
            assert sum(run.status in ACTIVE for run in runs[name]) <= 1
            for run in runs[name]:
                self._follow(run)
                mine = [step for step in steps[name] if step.run_id == run.pk]
                own = [message for message in messages[name] if message.run_id == str(run.pk)]
                check_run(run)
                check_steps(run, mine)
                check_output(run, mine, own)

    def _follow(self, run: Run) -> None:
        before = self.seen.get(run.pk, "queued")
        assert run.status in reachable(before), f"{before} -> {run.status}"
        self.seen[run.pk] = run.status


def check_sequence(thread: ChatThread, messages: list[Message]) -> None:
    """Messages are numbered without gaps, and the thread knows how many there are."""
    assert [message.sequence for message in messages] == list(range(1, len(messages) + 1))
    assert (thread.message_count, thread.last_sequence) == (len(messages), len(messages))


def check_said(messages: list[Message], said: list[int], answers: set[str]) -> None:
    """Nothing that was said is lost or doubled."""
    given = [message.message or {} for message in messages]
    assert [json.loads(each["content"])["number"] for each in given if each["role"] == "user"] == said
    texts = [each["content"] for each in given if each["role"] == "assistant" and each["content"]]
    assert len(set(texts)) == len(texts)
    assert all(each["content"] in answers for each in given if each["role"] == "assistant" and is_whole(each))


def is_whole(message: dict[str, Any]) -> bool:
    """Whether an assistant's message has text that was not cut off."""
    return bool(message["content"]) and message.get("status") != "incomplete"


def check_calls(messages: list[Message], runs: dict[str, Run]) -> None:
    """Calls are followed by their results, in the run that called; only an ended run may leave some open."""
    due: set[str] = set()
    owner: str | None = None
    for row in messages:
        message = row.message or {}
        if message["role"] == "tool":
            assert message["tool_call_id"] in due
            assert row.run_id == owner
            due.discard(message["tool_call_id"])
            continue
        if due:
            assert row.run_id != owner, f"the run went on without {due}"
            assert owner is not None
            assert runs[owner].status in FINAL
        owner, due = row.run_id, {call["id"] for call in tool_calls_of(message)}
    if due:
        assert owner is not None
        assert runs[owner].status == "requires_action" or runs[owner].status in FINAL


def check_run(run: Run) -> None:
    """The columns of a run say the same as its status."""
    assert (run.ended_at is not None) == (run.status in FINAL)
    assert bool(run.leased_by) == (run.lease_until is not None) == (run.status in HELD)
    assert (run.required_action is not None) == (run.status == "requires_action")
    assert bool(run.error_code) == bool(run.error_message) == (run.status == "failed")
    assert bool(run.incomplete_reason) == (run.status == "incomplete")
    assert not run.error_message.endswith("log."), "a failure of our own"


def calls_in(steps: Iterable[RunStep]) -> list[dict[str, Any]]:
    """The calls that the steps show."""
    return [call for step in steps for call in step.details.get("tool_calls") or []]


def check_steps(run: Run, steps: list[RunStep]) -> None:
    """Steps are numbered; none is open but the one whose calls a client has to answer."""
    assert [step.index for step in steps] == list(range(len(steps)))
    opened = [step for step in steps if step.status == "in_progress"]
    if run.status == "requires_action":
        action = run.required_action or {}
        waiting = [call["id"] for call in action["submit_tool_outputs"]["tool_calls"]]
        assert opened == steps[-1:]
        assert waiting
        assert waiting == [call["id"] for call in calls_in(opened) if call["function"]["output"] is None]
    else:
        assert not opened
    assert all((step.ended_at is None) == (step.status == "in_progress") for step in steps)
    given = [call["id"] for call in calls_in(steps)]
    assert len(set(given)) == len(given)


def check_output(run: Run, steps: list[RunStep], messages: list[Message]) -> None:
    """Every message has its step and every step its message, and the steps used what the run did."""
    texts = [row for row in messages if row.role == "assistant" and (row.message or {})["content"]]
    made = [step.details["message_creation"]["message_id"] for step in steps if step.type == "message_creation"]
    assert made == [ids.public("message", row.pk) for row in texts]
    called = [call["id"] for row in messages for call in tool_calls_of(row.message or {})]
    shown = [call["id"] for call in calls_in(steps)]
    assert called == shown
    if run.status == "completed":
        assert {step.status for step in steps} == {"completed"}
        assert steps[-1].type == "message_creation"
        assert is_whole(texts[-1].message or {})
        used = [(step.usage or {})["total_tokens"] for step in steps]
        assert sum(used) == run.total_tokens > 0
