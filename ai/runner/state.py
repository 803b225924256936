"""What has happened in a run so far; each thing that happens gives the events that tell of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ai import ids
from ai.events import StreamEvent, snapshots
from ai.runner.calls import Answer, Call, CallIds, code_interpreter, tool_message
from ai.runner.order import Order
from ai.runner.usage import Meter
from ai.stores.serialization import clean_text

Json = dict[str, Any]
Events = list[StreamEvent]

FINAL = ("completed", "failed", "cancelled", "incomplete", "expired")

#: Keys of an output message that are the message's own, and no part of what a replay compares.
OWN_KEYS = frozenset({"id", "created_at", "completed_at"})

_FINAL_STEP = {"cancelled": "cancelled", "failed": "failed", "expired": "expired", "incomplete": "completed"}
_MESSAGE_REASON = {"cancelled": "run_cancelled", "failed": "run_failed", "expired": "run_expired"}
_STAMPS = {"in_progress": "started_at", "expired": ""}

#: Finds what a text refers to: annotations for it.
Citing = Callable[[str], list[Json]]


@dataclass(slots=True)
class Step:
    """One step: its snapshot, and what the database wants of it."""

    key: UUID
    index: int
    json: Json
    started: datetime
    ended: datetime | None = None


class RunState:
    """The growing result of one run. Every method returns the events to send, in order."""

    def __init__(self, order: Order, *, now: Callable[[], datetime], citing: Citing = lambda _: []) -> None:
        self.order = order
        self.meter = Meter.after(order.done, spec=order.spec)
        self.output: list[Json] = []
        self.steps: list[Step] = []
        self.required_action: Json | None = None
        self.ended: datetime | None = None
        self.error_code = self.error_message = self.incomplete_reason = self.response_model = ""
        self._now, self._citing = now, citing
        self._pieces: list[str] = []
        self._message: Json | None = None
        self._step: Step | None = None
        self._calls: dict[int, Call] = {}
        self._late: list[str] = []
        self._code: list[Json] = []
        self._saved = (0, 0)
        self._ids = CallIds()
        self._ids.remember(order.done.call_ids)
        self.run = self._snapshot(order)

    def _snapshot(self, order: Order) -> Json:
        created = order.created or self._now()
        return snapshots.run(
            run_id=order.shown_id("run", order.run_id),
            thread_id=order.shown_id("thread", order.thread_id) if order.thread_id else "",
            assistant_id=order.shown_id("assistant", order.assistant_id) if order.assistant_id else None,
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

    def unsaved(self) -> tuple[list[Json], list[Step]]:
        """The messages and steps that are not stored yet."""
        return self.output[self._saved[0] :], self.steps[self._saved[1] :]

    def saved(self, *, messages: int, steps: int) -> None:
        """So many more are stored now, and stay as they are."""
        self._saved = self._saved[0] + messages, self._saved[1] + steps

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
        """The run is being executed; one that goes on after its client's answer was created before."""
        created = [] if self.order.done.steps else [StreamEvent("thread.run.created", dict(self.run))]
        return [*created, StreamEvent("thread.run.queued", dict(self.run)), self._become("in_progress")]

    def _become(self, status: str) -> StreamEvent:
        self.run = {**self.run, "status": status}
        at = self._now()
        if status == "in_progress":
            at = self.order.started or at
        if status in FINAL:
            self.ended, self.run["expires_at"] = at, None
        stamp = _STAMPS.get(status, f"{status}_at")
        if stamp in self.run:
            self.run[stamp] = int(at.timestamp())
        return StreamEvent(f"thread.run.{status}", dict(self.run))

    def end(self, status: str, *, code: str = "", message: str = "", reason: str = "") -> Events:
        """The run reached its final state; what was open is closed with it."""
        self.error_code, self.error_message, self.incomplete_reason = code, clean_text(message), reason
        events = [self._become("cancelling")] if status == "cancelled" else []
        if status != "completed":
            events += self._interrupt(status, reason)
        self.run["usage"] = snapshots.usage(self.meter.prompt, self.meter.completion)
        self.run["last_error"] = snapshots.last_error(code, self.error_message)
        self.run["incomplete_details"] = snapshots.incomplete_details(reason)
        return [*events, self._become(status)]

    def _interrupt(self, status: str, reason: str) -> Events:
        events: Events = []
        if self._message is not None:
            why = _MESSAGE_REASON.get(status) or ("content_filter" if reason == "content_filter" else "max_tokens")
            events += self._close_message("incomplete", why)
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
            **({"ended_at": self.ended} if self.ended else {}),
            **self.meter.values(),
        }

    # -- Messages

    def text(self, piece: str) -> Events:
        """The model wrote more text."""
        self.meter.token()
        if self._calls:  # text after calls belongs to their message, which nobody streams
            self._late.append(piece)
            return []
        events: Events = []
        if self._message is None:
            events = [*self.code_over(), *self._open_message()]
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

    def _close_message(self, status: str, reason: str = "") -> Events:
        assert self._message is not None  # noqa: S101 - callers look first
        text = clean_text(self.open_text)
        annotations = self._citing(text)
        stamp = int(self._now().timestamp())
        content = [snapshots.text_part(text, annotations)] if text else []
        message = {**self._message, "status": status, "content": content, f"{status}_at": stamp}
        said = {"id": message["id"], "role": "assistant", "content": text, "created_at": message["created_at"]}
        said["completed_at"] = stamp
        if annotations:
            said["annotations"] = annotations
        if reason:
            message["incomplete_details"] = said["incomplete_details"] = {"reason": reason}
        self.output.append(said if status == "completed" else {**said, "status": status})
        self._message, self._pieces = None, []
        events = [StreamEvent(f"thread.message.{status}", message)]
        if annotations:
            cited = snapshots.message_delta(message["id"], "", annotations)
            events.insert(0, StreamEvent("thread.message.delta", cited))
        return events

    def message_over(self) -> Events:
        """The model finished its text, if it wrote any."""
        if self._message is None:
            return []
        return [*self._close_message("completed"), self._close_step("completed")]

    # -- Tool calls

    def call_begun(self, index: int, call: Call) -> Events:
        """The model began a tool call; `index` is the provider's, `call.arguments` the first of its text."""
        self.meter.token()
        events = [*self.message_over(), *self.code_over()]
        if self._step is None:
            events += self._open_step("tool_calls", [])
        call.id = self._ids.unique(call.id)
        self._calls[index] = call
        return [*events, self._call_delta(call.as_delta(self._place(index)))]

    def _place(self, index: int) -> int:
        return list(self._calls).index(index)

    def call_more(self, index: int, arguments: str) -> Events:
        """The model wrote more of a call's arguments."""
        known = self._calls.get(index)
        if known is None or not arguments or known.kind != "function":
            return []
        more = {"index": self._place(index), "type": "function", "function": {"arguments": arguments}}
        return [self._call_delta(more)]

    def _call_delta(self, call: Json) -> StreamEvent:
        assert self._step is not None  # noqa: S101 - opened with the first call
        return StreamEvent("thread.run.step.delta", snapshots.step_delta(self._step.json["id"], call))

    def call_id(self, index: int, given: str) -> str:
        """The id of the provider's part `index`: the one that it gave, or ours where that was used before."""
        known = self._calls.get(index)
        return known.id if known else given

    def calls_over(self, calls: Sequence[Call]) -> None:
        """The model finished its calls: keep them as it wrote them."""
        written = [call.as_message() for call in calls]
        late, self._late, self._calls = "".join(self._late), [], {}
        last = self.output[-1] if len(self.output) > self._saved[0] else {}
        if last.get("role") == "assistant" and "tool_calls" not in last:
            last["tool_calls"] = written  # text and calls of one answer are one message
        else:
            self.output.append({"role": "assistant", "content": clean_text(late) or None, "tool_calls": written})
        self._set_calls([call.as_step() for call in calls])

    def _set_calls(self, calls: list[Json]) -> None:
        assert self._step is not None  # noqa: S101 - opened with the first call
        self._step.json["step_details"] = {"type": "tool_calls", "tool_calls": calls}

    def answered(self, calls: Sequence[Call], answers: Sequence[Answer | None]) -> Events:
        """Tools gave their results; what has none, the client must answer."""
        pairs = list(zip(calls, answers, strict=True))
        self._set_calls([call.as_step(answer) for call, answer in pairs])
        self.output += [tool_message(call, answer) for call, answer in pairs if answer is not None]
        if all(answers):
            return [self._close_step("completed")]
        if self._step is not None:  # charged now: this process does not see the step's end
            self._step.json["usage"] = snapshots.usage(*self.meter.uncharged)
        waiting = [call.as_required() for call, answer in pairs if answer is None]
        self.required_action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": waiting}}
        self.run["required_action"] = self.required_action
        return [self._become("requires_action")]

    # -- What the provider runs itself: code, and the tools of an agent

    def code(self, call_id: str, code: str) -> Events:
        """The provider's model wants this code run."""
        return self._runs(code_interpreter(self._ids.unique(call_id), clean_text(code), []))

    def own_call(self, call: Call) -> Events:
        """The provider calls a tool of its own."""
        return self._runs(call.as_step())

    def _runs(self, shown: Json) -> Events:
        self.meter.token()
        events = self.message_over()
        if self._step is None:
            events += self._open_step("tool_calls", [])
        self._code.append(shown)
        self._set_calls([*self._code])
        return [*events, self._call_delta({"index": len(self._code) - 1, **shown})]

    def own_result(self, call_id: str, output: str) -> Events:
        """A tool of the provider's own returned."""
        index = next((index for index, call in enumerate(self._code) if call["id"] == call_id), None)
        if index is None or self._step is None:
            return []
        told, call = {"output": clean_text(output)}, self._code[index]
        self._code[index] = {**call, "function": {**call["function"], **told}}
        self._set_calls([*self._code])
        return [self._call_delta({"index": index, "type": "function", "function": told})]

    def code_result(self, outputs: list[Json]) -> Events:
        """The provider ran the code that was shown last."""
        if not self._code or self._step is None:
            return []
        last = self._code[-1]["code_interpreter"]
        self._code[-1] = {**self._code[-1], "code_interpreter": {**last, "outputs": outputs}}
        self._set_calls([*self._code])
        more = {"outputs": [{"index": index, **output} for index, output in enumerate(outputs)]}
        index = len(self._code) - 1
        return [self._call_delta({"index": index, "type": "code_interpreter", "code_interpreter": more})]

    def code_over(self) -> Events:
        """The model goes on after the code."""
        if not self._code:
            return []
        self._code = []
        return [self._close_step("completed")]

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
        self._step = Step(key=key, index=self.order.done.steps + len(self.steps), json=json, started=started)
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
            json["last_error"] = snapshots.step_error(self.error_code, self.error_message)
        return StreamEvent(f"thread.run.step.{status}", dict(json))
