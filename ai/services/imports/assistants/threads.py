"""Threads of the Assistants API, put together from all that a dump holds of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

from ai.services.imports import fields
from ai.services.imports.assistants import messages, runs, steps, timelines
from ai.services.imports.assistants.messages import Files
from ai.services.imports.assistants.settings import tool_resources
from ai.services.imports.drafts import (
    MessageDraft,
    Part,
    Refusal,
    Refuse,
    RunDraft,
    StepDraft,
    ThreadDraft,
    Unusable,
)
from ai.services.imports.stages import Staged

Made = TypeVar("Made", MessageDraft, RunDraft, StepDraft)


def draft(thread_id: str, staged: Sequence[Staged], *, files: Files, refuse: Refuse) -> ThreadDraft | None:
    """The thread with its messages, runs and steps in order. What cannot be used is refused, and the rest stays.

    None where the thread itself cannot be used: what it holds is refused with it. A thread that nothing but its messages
    and runs name is as old as the first of them.
    """
    of_kind: dict[str, list[Staged]] = defaultdict(list)
    for each in staged:
        of_kind[each.kind].append(each)
    made_runs = _drafts(of_kind["run"], runs.draft, refuse)
    ended = {run.id: str(run.values["status"]) for run in made_runs}
    made_messages = _drafts(of_kind["message"], lambda each: messages.draft(each, files=files, ended=ended), refuse)
    made_steps = _drafts(of_kind["step"], lambda each: steps.draft(each, ended=ended), refuse)
    parts: list[Part] = [*made_messages, *made_runs, *made_steps]
    own = of_kind["thread"][0] if of_kind["thread"] else None
    try:
        thread = _from_parts(thread_id, parts) if own is None else _own(own, parts)
    except Unusable as error:
        _refuse_all(own or staged[0], parts, str(error), refuse)
        return None
    if thread is None:
        return None
    thread.messages = timelines.in_order(made_messages)
    thread.runs = timelines.in_order(made_runs)
    thread.steps = timelines.steps_in_order(made_steps)
    timelines.add_calls(thread)
    return thread


def _own(staged: Staged, parts: Sequence[Part]) -> ThreadDraft:
    value = staged.value
    at = fields.time(value, "created_at") or min((part.at for part in parts), default=None)
    if at is None:
        raise Unusable("It has no “created_at”.")
    metadata = fields.metadata(value)
    data = {"metadata": metadata, "tool_resources": tool_resources(value)}
    return ThreadDraft(
        id=staged.id, external_id=staged.id, place=staged.place, at=at, title=metadata.get("title", ""), data=data
    )


def _from_parts(thread_id: str, parts: Sequence[Part]) -> ThreadDraft | None:
    if not parts:
        return None
    at = min(part.at for part in parts)
    return ThreadDraft(id=thread_id, external_id=thread_id, place=parts[0].place, at=at, is_implied=True)


def _drafts(staged: Sequence[Staged], make: Callable[[Staged], Made], refuse: Refuse) -> list[Made]:
    made = []
    for each in staged:
        try:
            made.append(make(each))
        except Unusable as error:
            refuse(Refusal(each.kind, each.place, str(error), each.id))
    return made


_KINDS = {MessageDraft: "message", RunDraft: "run", StepDraft: "step"}


def _refuse_all(thread: Staged, parts: Sequence[Part], reason: str, refuse: Refuse) -> None:
    refuse(Refusal("thread", thread.place, reason, thread.id))
    for part in parts:
        refuse(Refusal(_KINDS[type(part)], part.place, f"Its thread {thread.id} was refused.", part.id))
