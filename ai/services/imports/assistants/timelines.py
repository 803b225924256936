"""The order of what was said: messages as they were written, and the tool calls of runs where they were made.

The API keeps calls and their results in run steps. A conversation that can be played again has them among its messages,
as runs of our own leave them: a call stands in the assistant's message, or in one of its own, and its results follow.
Searches in files and code that OpenAI ran itself stay in the steps: no other model can be told that it called these.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from typing import TypeVar

from ai.services.imports.drafts import Json, MessageDraft, Part, RunDraft, StepDraft, ThreadDraft

Dated = TypeVar("Dated", MessageDraft, RunDraft, StepDraft)


def in_order(items: Sequence[Dated]) -> list[Dated]:
    """The oldest first. Times are in seconds: within one, the dump's own order counts, which may be newest first."""
    given = list(reversed(items)) if _is_newest_first(items) else list(items)
    return sorted(given, key=lambda item: item.at)


def _is_newest_first(items: Sequence[Part]) -> bool:
    falls = sum(after.at < before.at for before, after in pairwise(items))
    rises = sum(after.at > before.at for before, after in pairwise(items))
    return falls > rises or (falls == rises and _is_answer_first(items))


def _is_answer_first(items: Sequence[Part]) -> bool:
    roles = [item.message["role"] for item in items if isinstance(item, MessageDraft)]
    return roles[:1] == ["assistant"] and roles[-1:] == ["user"]


def steps_in_order(steps: Iterable[StepDraft]) -> list[StepDraft]:
    """Each run's oldest step first, and the runs by these."""
    of_run: dict[str, list[StepDraft]] = defaultdict(list)
    for step in steps:
        of_run[step.run_id].append(step)
    ordered = sorted((in_order(mine) for mine in of_run.values()), key=lambda mine: mine[0].at)
    return [step for mine in ordered for step in mine]


def add_calls(thread: ThreadDraft) -> None:
    """Put the calls of the thread's steps, and their results, among its messages; all of these are in order already."""
    line = _Line(thread.messages)
    begun = {run.id: run.at for run in thread.runs}
    for run_id, steps in groupby(thread.steps, key=lambda step: step.run_id):
        line.add(run_id, list(steps), begun=begun.get(run_id))
    thread.messages = line.messages()


class _Line:
    """The messages of a thread, and what is to come between them."""

    def __init__(self, messages: Sequence[MessageDraft]) -> None:
        self._messages = messages
        self._times = [message.at for message in messages]
        self._places = {message.id: place for place, message in enumerate(messages)}
        self._first: dict[str, int] = {}
        for place, message in enumerate(messages):
            if message.run_id:
                self._first.setdefault(message.run_id, place)
        #: What comes before the message of a place; the last place is the end.
        self._before: dict[int, list[MessageDraft]] = defaultdict(list)

    def add(self, run_id: str, steps: Sequence[StepDraft], *, begun: datetime | None) -> None:
        """Place the calls of a run; `begun` is None for one that is not in this dump."""
        place = self._first.get(run_id)
        if place is None:
            place = bisect_right(self._times, begun or steps[0].at)
        answer: MessageDraft | None = None
        for step in steps:
            written = self._places.get(_message_id(step))
            if written is not None:
                answer, place = self._messages[written], written + 1
            elif calls := _calls(step):
                made, results = _messages(step, calls)
                if answer is not None and begun is not None and answer.message["role"] == "assistant":
                    answer.message["tool_calls"], answer.calls_of = made.message["tool_calls"], step.id
                else:
                    self._before[place].append(made)
                self._before[place] += results
                answer = None

    def messages(self) -> list[MessageDraft]:
        return list(self._all())

    def _all(self) -> Iterator[MessageDraft]:
        for place, message in enumerate(self._messages):
            yield from self._before.get(place, ())
            yield message
        yield from self._before.get(len(self._messages), ())


def _message_id(step: StepDraft) -> str:
    written = step.values["details"].get("message_creation")
    found = written.get("message_id") if isinstance(written, dict) else None
    return found if isinstance(found, str) else ""


def _calls(step: StepDraft) -> list[Json]:
    """The calls of functions; what is malformed stays in the step alone."""
    given = step.values["details"].get("tool_calls")
    calls = [call for call in given if isinstance(call, dict)] if isinstance(given, list) else []
    return [
        call
        for call in calls
        if isinstance(call.get("function"), dict)
        and isinstance(call["function"].get("name"), str)
        and isinstance(call.get("id"), str)
    ]


def _messages(step: StepDraft, calls: Sequence[Json]) -> tuple[MessageDraft, list[MessageDraft]]:
    """The message that makes the calls, and those with the results that are known."""
    written = [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["function"]["name"], "arguments": str(call["function"].get("arguments") or "{}")},
        }
        for call in calls
    ]
    made = _part_of(step, "calls", {"role": "assistant", "content": None, "tool_calls": written})
    results = [
        _part_of(step, str(number), _result(call), ended=True)
        for number, call in enumerate(calls)
        if call["function"].get("output") is not None
    ]
    return made, results


def _result(call: Json) -> Json:
    function = call["function"]
    return {"role": "tool", "tool_call_id": call["id"], "name": function["name"], "content": str(function["output"])}


def _part_of(step: StepDraft, name: str, message: Json, *, ended: bool = False) -> MessageDraft:
    """A message that a step implies. No id of a dump holds a slash, so this one is nothing else's."""
    return MessageDraft(
        id=f"{step.id}/{name}",
        place=step.place,
        at=step.values["ended_at"] if ended else step.at,
        message=message,
        run_id=step.run_id,
        belongs_to_step=step.id,
    )
