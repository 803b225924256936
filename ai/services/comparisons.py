"""An original answer and its replays, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Subquery
from django.db.models.functions import Coalesce

from ai.exceptions import NotFound
from ai.models import ChatThread, Message, Run, RunStep
from ai.models.runs import RunStatus
from ai.runner import live
from ai.runner.loading import overrides_of
from ai.stores.content import text_of, tool_calls_of

Json = dict[str, Any]
MOST_REPLAYS = 50


@dataclass(frozen=True)
class Answer:
    """One model's answer; of an active run, what it has said so far."""

    run_id: UUID | None
    model: str
    status: str
    is_active: bool
    text: str
    steps: list[Json] = field(default_factory=list)
    """{"kind": "message", "text"} or {"kind": "tool_call", "name", "arguments", "output", "recorded"}"""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost: Decimal | None = None
    first_token_ms: int | None = None
    duration_ms: int | None = None
    error_code: str = ""
    error_message: str = ""
    promoted_to: UUID | None = None
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """What was asked, what was answered, and what other models answer."""

    thread: ChatThread
    question: str
    original: Answer
    replays: list[Answer]
    instructions: str
    history_count: int


def comparison(*, run_id: UUID) -> Comparison:
    """The group of a replay: every replay of the same answer, the oldest first. At most 6 queries.

    `run_id` may also be the original run of replays.

    Raises:
        NotFound: there is no such run, or nothing was replayed.
    """
    replays, original = _group(run_id)
    one = replays[0]
    thread = ChatThread.objects.get_thread(str(one.replay_of_thread))
    question, said = _original_messages(one)
    so_far = live.look([run.pk for run in replays if run.is_active])
    return Comparison(
        thread=thread,
        question=text_of(question),
        original=_original(original, said, thread),
        replays=[_answer(run, so_far.get(run.pk) or run.output) for run in replays],
        instructions=original.instructions if original else "",
        history_count=one.history_until or 0,
    )


def _group(run_id: UUID) -> tuple[list[Run], Run | None]:
    asked: Run | None = Run.objects.filter(pk=run_id).first()
    if asked is not None and not asked.is_replay:
        asked = Run.objects.filter(replay_of=run_id, replay_of_thread__isnull=False).order_by("-created", "-pk").first()
    if asked is None:
        raise NotFound(f"No replay found with id '{run_id}'.")
    group = Run.objects.filter(replay_of_thread=asked.replay_of_thread, replay_from=asked.replay_from)
    replays = list(group.order_by("-created", "-pk")[:MOST_REPLAYS])
    if asked not in replays:
        replays = [*replays[: MOST_REPLAYS - 1], asked]
    original = Run.objects.filter(pk=asked.replay_of).first() if asked.replay_of else None
    return replays[::-1], original


def _original_messages(replay: Run) -> tuple[Json, list[Json]]:
    """The question, and the messages that answered it."""
    rows = Message.objects.list_thread_messages(UUID(str(replay.replay_of_thread)))
    asked = (
        rows.filter(sequence__lte=replay.history_until or 0, role="user").order_by("-sequence").values("sequence")[:1]
    )
    since = rows.filter(sequence__gte=Coalesce(Subquery(asked), replay.replay_from))
    last = max(replay.replay_to or 0, replay.history_until or 0)
    found = list(since.filter(sequence__lte=last).values_list("sequence", "message"))
    said = [message or {} for sequence, message in found if sequence >= (replay.replay_from or 0)]
    question = found[0][1] if found and found[0][0] <= (replay.history_until or 0) else None
    return question or {}, said


def _original(run: Run | None, said: Sequence[Json], thread: ChatThread) -> Answer:
    if run is None:
        model = thread.model or ""
        return Answer(None, model, RunStatus.COMPLETED, False, text_of_answer(said), steps_of(said))
    if run.tools and not any(message.get("role") == "tool" for message in said):
        # The Assistants API keeps tool calls in steps, not in messages.
        details = RunStep.objects.of_run(run.pk).values_list("details", flat=True)
        recorded = [step for detail in details for step in _steps_of_details(detail or {})]
        return _answer(run, said, before=recorded)
    return _answer(run, said)


def _answer(run: Run, said: Sequence[Json], *, before: Sequence[Json] = ()) -> Answer:
    return Answer(
        run_id=run.pk,
        model=run.model,
        status=run.status,
        is_active=run.is_active,
        text=text_of_answer(said),
        steps=[*before, *steps_of(said)],
        prompt_tokens=run.prompt_tokens,
        completion_tokens=run.completion_tokens,
        cached_tokens=run.cached_tokens,
        cost=run.cost,
        first_token_ms=run.first_token_ms,
        duration_ms=run.duration_ms,
        error_code=run.error_code,
        error_message=run.error_message,
        promoted_to=run.promoted_to,
        overrides=tuple(overrides_of(run)),
    )


def text_of_answer(messages: Sequence[Json]) -> str:
    """What the model said in an answer, its messages joined by a blank line."""
    return "\n\n".join(filter(None, (text_of(m) for m in messages if m.get("role") == "assistant")))


def steps_of(messages: Sequence[Json]) -> list[Json]:
    """An answer's messages as the steps that a page shows, each tool call with its result."""
    results = {str(m.get("tool_call_id")): m for m in messages if m.get("role") == "tool"}
    steps: list[Json] = []
    for message in messages:
        if message.get("role") != "assistant":
            continue
        if text := text_of(message):
            steps.append({"kind": "message", "text": text})
        steps += [_tool_step(call, results.get(call["id"])) for call in tool_calls_of(message)]
    return steps


def _tool_step(call: Json, result: Json | None) -> Json:
    return {
        "kind": "tool_call",
        "name": call["name"],
        "arguments": call["arguments"],
        "output": None if result is None else text_of(result),
        "recorded": bool(result and result.get("recorded", True)),
    }


def _steps_of_details(details: Json) -> list[Json]:
    steps = []
    for call in details.get("tool_calls") or []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            output = function.get("output")
            known = {"name": function.get("name") or "", "arguments": function.get("arguments") or "{}"}
            steps.append({"kind": "tool_call", **known, "output": output, "recorded": output is not None})
    return steps
