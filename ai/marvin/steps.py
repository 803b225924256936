"""Run steps of Marvin's turns: from the rows that a turn wrote, and from what was seen of it while it went on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_ai.messages import ModelResponse

from ai import ids
from ai.events import snapshots
from ai.exceptions import ModelError
from ai.marvin.store import Written
from ai.models import Message, RunStep
from ai.models.run_steps import StepStatus, StepType
from ai.stores.content import text_of, tool_calls_of
from ai.stores.serialization import clean_text

Json = dict[str, Any]


@dataclass(slots=True)
class Seen:
    """A call of a real tool, as it happened."""

    id: str
    name: str
    arguments: str
    began: datetime
    output: str | None = None
    ended: datetime | None = None

    def json(self) -> Json:
        """The call in a step's details."""
        output = None if self.output is None else clean_text(self.output)
        function = {"name": self.name, "arguments": clean_text(self.arguments), "output": output}
        return {"id": self.id, "type": "function", "function": function}


@dataclass(slots=True)
class Steps:
    """Makes the steps of one run, in order; the caller writes them."""

    run_id: UUID
    tenant_id: UUID
    thread_id: str
    seen: dict[str, Seen] = field(default_factory=dict)
    """The calls that no turn has written yet, by their ids."""
    _count: int = 0

    def of_turn(
        self, rows: Sequence[Written], answers: Sequence[ModelResponse], *, began: datetime, ended: datetime
    ) -> list[RunStep]:
        """The steps of a turn that is over; one answer's usage is that of its last step."""
        outputs = {
            row.message["tool_call_id"]: text_of(row.message) for row, _ in rows if row.message and row.role == "tool"
        }
        shown = {id(message): row for row, message in rows}
        made: list[RunStep] = []
        used = (0, 0)
        for answer in answers:
            used = used[0] + answer.usage.input_tokens, used[1] + answer.usage.output_tokens
            if row := shown.get(id(answer)):
                since = made[-1].ended_at if made and made[-1].ended_at else began
                made += self._of_answer(row, outputs, since=since, until=ended)
                made[-1].usage, used = snapshots.usage(*used), (0, 0)
        if made and any(used):
            before = made[-1].usage or snapshots.usage(0, 0)
            made[-1].usage = snapshots.usage(before["prompt_tokens"] + used[0], before["completion_tokens"] + used[1])
        self.seen.clear()
        return made

    def _of_answer(
        self, row: Message, outputs: dict[str, str], *, since: datetime, until: datetime
    ) -> Iterator[RunStep]:
        calls = []
        for call in tool_calls_of(row.message):
            seen = self.seen.get(call["id"]) or Seen(call["id"], call["name"], call["arguments"], since)
            seen.output = outputs.get(seen.id, seen.output)
            calls.append(seen)
        acts = min((call.began for call in calls), default=until)
        if (row.message or {}).get("content"):
            details = {"message_id": ids.public("message", row.pk)}
            yield self._step(StepType.MESSAGE_CREATION, details, since, acts)
        if calls:
            yield self._of_calls(calls, until=until)

    def _of_calls(self, calls: Sequence[Seen], *, until: datetime) -> RunStep:
        began = min(call.began for call in calls)
        ended = max((call.ended for call in calls if call.ended), default=until)
        return self._step(StepType.TOOL_CALLS, [call.json() for call in calls], began, ended)

    def of_break(self, status: StepStatus, error: ModelError | None, *, at: datetime) -> list[RunStep]:
        """The steps of a turn that broke off: the calls that were seen of it."""
        made = []
        for calls in _rounds(list(self.seen.values())):
            step = self._of_calls(calls, until=at)
            if any(call.output is None for call in calls):
                step.status = status
                step.error = snapshots.step_error(error.code, error.message) if error else None
            made.append(step)
        self.seen.clear()
        return made

    def _step(self, kind: StepType, details: Any, began: datetime, ended: datetime) -> RunStep:
        self._count += 1
        return RunStep(
            run_id=self.run_id,
            tenant_id=self.tenant_id,
            thread_id=self.thread_id,
            index=self._count - 1,
            type=kind,
            status=StepStatus.COMPLETED,
            details={"type": str(kind), str(kind): details},
            started_at=began,
            ended_at=ended,
        )


def _rounds(calls: list[Seen]) -> Iterator[list[Seen]]:
    """The calls in the order in which they were made, those of one answer together."""
    group: list[Seen] = []
    for call in calls:
        if group and all(each.ended and each.ended <= call.began for each in group):
            yield group
            group = []
        group.append(call)
    if group:
        yield group
