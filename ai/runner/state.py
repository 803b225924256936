"""What has happened in a run so far; each thing that happens gives the events that tell of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ai import ids
from ai.events import StreamEvent, snapshots
from ai.runner.order import Order
from ai.runner.tools import Answer
from ai.runner.usage import Meter
from ai.stores.serialization import clean_text

Json = dict[str, Any]
Events = list[StreamEvent]

FINAL = ("completed", "failed", "cancelled", "incomplete", "expired")

_FINAL_STEP = {"cancelled": "cancelled", "failed": "failed", "expired": "expired", "incomplete": "completed"}
_MESSAGE_REASON = {"cancelled": "run_cancelled", "failed": "run_failed", "expired": "run_expired"}
_STAMPS = {"in_progress": "started_at", "expired": ""}


@dataclass(slots=True)
class Step:
    """One step: its snapshot, and what the database wants of it."""

    key: UUID
    index: int
    json: Json
    started: datetime
    ended: datetime | None = None


@dataclass(slots=True)
class Call:
    """A tool call of the model, whole."""

    id: str
    name: str
    arguments: str


class RunState:
    """The growing result of one run. Every method returns the events to send, in order."""

    def __init__(self, order: Order, *, now: Callable[[], datetime]) -> None:
        self.order = order
        self.meter = Meter(order.spec)
        self.output: list[Json] = []
        self.steps: list[Step] = []
        self.required_action: Json | None = None
        self.error_code = self.error_message = self.incomplete_reason = self.response_model = ""
        self._now = now
        self._pieces: list[str] = []
        self._message: Json | None = None
        self._step: Step | None = None
        self._calls: dict[int, Json] = {}
        self.run = self._snapshot(order)

    def _snapshot(self, order: Order) -> Json:
        created = order.created or self._now()
        return snapshots.run(
            run_id=ids.public("run", order.run_id),
            thread_id=ids.public("thread", order.thread_id) if order.thread_id else "",
            assistant_id=ids.public("assistant", order.assistant_id) if order.assistant_id else None,
            model=order.alias,
            instructions=order.instructions,
            tools=list(order.tools),
            settings=dict(order.settings),
            metadata=dict(order.metadata),
            created_at=int(created.timestamp()),
            expires_at=int(order.expires.timestamp()) if order.expires else None,
        )

    @property
    def status(self) -> str:
        """The run's present state."""
        return str(self.run["status"])

    @property
    def has_ended(self) -> bool:
        """Whether the run is in a final state."""
        return self.status in FINAL

    @property
    def open_text(self) -> str:
        """The text of the message being written."""
        return "".join(self._pieces)

    @property
    def size(self) -> int:
        """Grows with whatever is said."""
        return len(self._pieces) + 1000 * len(self.output)

    def live_output(self) -> list[Json]:
        """The messages so far, the unfinished one included."""
        return [*self.output, {"role": "assistant", "content": self.open_text}] if self._pieces else list(self.output)

    # -- The run

    def begin(self) -> Events:
        """The run is being executed."""
        events = [StreamEvent("thread.run.created", dict(self.run)), StreamEvent("thread.run.queued", dict(self.run))]
        return [*events, self._become("in_progress")]

    def _become(self, status: str) -> StreamEvent:
        self.run = {**self.run, "status": status}
        stamp = _STAMPS.get(status, f"{status}_at")
        if stamp in self.run:
            self.run[stamp] = int(self._now().timestamp())
        return StreamEvent(f"thread.run.{status}", dict(self.run))

    def end(self, status: str, *, code: str = "", message: str = "", reason: str = "") -> Events:
        """The run reached its final state; what was open is closed with it."""
        self.error_code, self.error_message, self.incomplete_reason = code, clean_text(message), reason
        events = [self._become("cancelling")] if status == "cancelled" else []
        if status != "completed":
            events += self._interrupt(status, reason)
        self.run["usage"] = snapshots.usage(self.meter.prompt, self.meter.completion)
        if code:
            self.run["last_error"] = {"code": code, "message": self.error_message}
        if reason:
            self.run["incomplete_details"] = {"reason": reason}
        return [*events, self._become(status)]

    def _interrupt(self, status: str, reason: str) -> Events:
        events: Events = []
        if self._message is not None:
            why = _MESSAGE_REASON.get(status) or ("content_filter" if reason == "content_filter" else "max_tokens")
            events.append(self._close_message("incomplete", why))
        if self._step is not None:
            events.append(self._close_step(_FINAL_STEP[status]))
        return events

    def values(self) -> dict[str, Any]:
        """The columns of a run that has ended now, apart from its status."""
        return {
            "error_code": self.error_code[:32],
            "error_message": self.error_message,
            "incomplete_reason": self.incomplete_reason,
            "required_action": self.required_action,
            "response_model": self.response_model[:255],
            **self.meter.values(),
        }

    # -- Messages

    def text(self, piece: str) -> Events:
        """The model wrote more text."""
        self.meter.token()
        events: Events = []
        if self._message is None:
            events = self._open_message()
        self._pieces.append(piece)
        assert self._message is not None  # noqa: S101 - opened above
        delta = snapshots.message_delta(self._message["id"], piece)
        return [*events, StreamEvent("thread.message.delta", delta)]

    def _open_message(self) -> Events:
        message_id = ids.public("message", ids.new())
        events = self._open_step("message_creation", {"message_id": message_id})
        stamp = int(self._now().timestamp())
        self._message = snapshots.message(message_id=message_id, of_run=self.run, created_at=stamp)
        events.append(StreamEvent("thread.message.created", dict(self._message)))
        return [*events, StreamEvent("thread.message.in_progress", dict(self._message))]

    def _close_message(self, status: str, reason: str = "") -> StreamEvent:
        assert self._message is not None  # noqa: S101 - callers look first
        text = clean_text(self.open_text)
        message = {**self._message, "status": status, "content": [snapshots.text_part(text)] if text else []}
        message[f"{status}_at"] = int(self._now().timestamp())
        if reason:
            message["incomplete_details"] = {"reason": reason}
        said = {"id": message["id"], "role": "assistant", "content": text}
        self.output.append(said if status == "completed" else {**said, "status": status})
        self._message, self._pieces = None, []
        return StreamEvent(f"thread.message.{status}", message)

    def message_over(self) -> Events:
        """The model finished its text, if it wrote any."""
        if self._message is None:
            return []
        return [self._close_message("completed"), self._close_step("completed")]

    # -- Tool calls

    def call_begun(self, index: int, call: Call) -> Events:
        """The model began a tool call; `index` is the provider's, `call.arguments` the first of its text."""
        self.meter.token()
        events = self.message_over()
        if self._step is None:
            events += self._open_step("tool_calls", [])
        function = {"name": call.name, "arguments": call.arguments, "output": None}
        self._calls[index] = {"index": len(self._calls), "id": call.id, "type": "function", "function": function}
        return [*events, self._call_delta(self._calls[index])]

    def call_more(self, index: int, arguments: str) -> Events:
        """The model wrote more of a call's arguments."""
        known = self._calls.get(index)
        if known is None or not arguments:
            return []
        more = {"index": known["index"], "type": "function", "function": {"arguments": arguments}}
        return [self._call_delta(more)]

    def _call_delta(self, call: Json) -> StreamEvent:
        assert self._step is not None  # noqa: S101 - opened with the first call
        return StreamEvent("thread.run.step.delta", snapshots.step_delta(self._step.json["id"], call))

    def calls_over(self, calls: list[Call]) -> None:
        """The model finished its calls: keep them as it wrote them."""
        written: list[Json] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": clean_text(c.arguments)}}
            for c in calls
        ]
        if self.output and self.output[-1]["role"] == "assistant" and "tool_calls" not in self.output[-1]:
            self.output[-1]["tool_calls"] = written  # text and calls of one answer are one message
        else:
            self.output.append({"role": "assistant", "content": None, "tool_calls": written})
        self._set_calls([{**call, "function": {**call["function"], "output": None}} for call in written])
        self._calls = {}

    def _set_calls(self, calls: list[Json]) -> None:
        assert self._step is not None  # noqa: S101 - opened with the first call
        self._step.json["step_details"] = {"type": "tool_calls", "tool_calls": calls}

    def answered(self, calls: list[Call], answers: list[Answer | None]) -> Events:
        """Tools gave their results; what has none, the client must answer."""
        assert self._step is not None  # noqa: S101 - opened with the first call
        known = self._step.json["step_details"]["tool_calls"]
        self._set_calls([_with_output(json, answer) for json, answer in zip(known, answers, strict=True)])
        for call, answer in zip(calls, answers, strict=True):
            if answer is not None:
                self.output.append(_tool_message(call, answer))
        if all(answers):
            return [self._close_step("completed")]
        waiting = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c, answer in zip(calls, answers, strict=True)
            if answer is None
        ]
        self.required_action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": waiting}}
        self.run["required_action"] = self.required_action
        return [self._become("requires_action")]

    # -- Steps

    def _open_step(self, kind: str, details: Any) -> Events:
        key, started = ids.new(), self._now()
        json = snapshots.step(
            step_id=ids.public("step", key),
            of_run=self.run,
            kind=kind,
            details=details,
            created_at=int(started.timestamp()),
        )
        self._step = Step(key=key, index=len(self.steps), json=json, started=started)
        self.steps.append(self._step)
        names = ("thread.run.step.created", "thread.run.step.in_progress")
        return [StreamEvent(name, dict(json)) for name in names]

    def _close_step(self, status: str) -> StreamEvent:
        assert self._step is not None  # noqa: S101 - callers look first
        step, self._step = self._step, None
        step.ended = self._now()
        json = step.json
        json["status"] = status
        json[f"{status}_at"] = int(step.ended.timestamp())
        json["usage"] = snapshots.usage(*self.meter.uncharged)
        self.meter.uncharged = (0, 0)
        if status == "failed":
            json["last_error"] = {"code": self.error_code, "message": self.error_message}
        return StreamEvent(f"thread.run.step.{status}", dict(json))


def _with_output(call: Json, answer: Answer | None) -> Json:
    if answer is None:
        return call
    output = clean_text(answer.output)
    told = {**call, "function": {**call["function"], "output": output}}
    return told if answer.recorded is None else {**told, "recorded": answer.recorded}


def _tool_message(call: Call, answer: Answer) -> Json:
    said = {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": clean_text(answer.output)}
    return said if answer.recorded is None else {**said, "recorded": answer.recorded}
