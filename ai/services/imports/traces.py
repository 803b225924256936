"""Traces of other systems as conversations: each call of an application is a turn, and turns that belong together a thread.

A turn often repeats what was said before it; of that only what is new is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from ai.models.runs import RunStatus
from ai.services.imports import fields
from ai.services.imports.drafts import (
    Draft,
    FeedbackDraft,
    Json,
    MessageDraft,
    Refusal,
    RunDraft,
    ThreadDraft,
    Unusable,
)
from ai.services.imports.identities import MessageNames, digest
from ai.services.imports.reports import Report
from ai.services.imports.stages import Stage, Staged
from ai.services.imports.values import Document
from ai.stores.serialization import to_serializable

MOST_COST = Decimal(100_000)


@dataclass(slots=True)
class Turn:
    """One call of an application: what it was given, what it answered, and what is known about it. Times are ISO texts.

    Turns with the same `thread_id` are one conversation, which is called `session` where they came from.
    """

    id: str
    thread_id: str
    at: str
    ended_at: str
    given: list[Json]
    answered: list[Json]
    model: str = ""
    title: str = ""
    user_id: str = ""
    tags: list[str] = field(default_factory=list)
    metadata: Json = field(default_factory=dict)
    usage: Json = field(default_factory=dict)
    cost: str = ""
    error: str = ""
    scores: list[Json] = field(default_factory=list)
    session: str = ""


#: Finds the objects in a document: kind, id, the trace it belongs to, and the object.
Sort = Callable[[Any], Iterator[tuple[str, str, str, Json]]]
Gather = Callable[[str, Sequence[Staged]], Turn | None]


def read(documents: Iterable[Document], report: Report, *, sort: Sort, gather: Gather) -> Iterator[Draft]:
    """A thread for the turns that belong together, and what people thought of answers.

    The objects of a trace may be anywhere in the dump, and so may the traces of a thread.
    """
    with Stage() as objects, Stage() as turns:
        for document in documents:
            report.count()
            _put(objects, document, report, sort)
        for trace_id, staged in objects.threads():
            try:
                turn = gather(trace_id, staged)
                if turn is not None:
                    turns.put(Staged("turn", turn.id, staged[0].place, asdict(turn)), thread=turn.thread_id)
            except Unusable as error:
                report.refuse(Refusal("thread", staged[0].place, str(error), trace_id))
        for thread_id, staged in turns.threads():
            yield from _Thread(thread_id, staged).drafts()


def _put(objects: Stage, document: Document, report: Report, sort: Sort) -> None:
    try:
        fields.require_shallow(document.value if isinstance(document.value, dict) else {"value": document.value})
        for kind, key, trace_id, value in sort(document.value):
            objects.put(Staged(kind, key, document.place, to_serializable(value)), thread=trace_id)
    except Unusable as error:
        report.refuse(Refusal("object", document.place, str(error)))


class _Thread:
    """The turns of one thread on their way to drafts."""

    def __init__(self, thread_id: str, staged: Sequence[Staged]) -> None:
        self.id = thread_id
        found = [(Turn(**each.value), each.place) for each in staged]
        self.turns = sorted(found, key=lambda turn: (turn[0].at, turn[0].id))
        self.messages: list[MessageDraft] = []
        self._said: list[str] = []
        self._names = MessageNames()

    def drafts(self) -> Iterator[Draft]:
        """The thread, then the feedback."""
        runs: list[RunDraft] = []
        feedback: list[FeedbackDraft] = []
        for turn, place in self.turns:
            self._add(self._new(turn.given), datetime.fromisoformat(turn.at), place)
            self._add(turn.answered, datetime.fromisoformat(turn.ended_at), place, turn=turn)
            runs += [_run(turn, place)] if turn.answered or turn.error else []
            feedback += self._feedback(turn, place)
        first, place = self.turns[0]
        last = self.turns[-1][0]
        yield ThreadDraft(
            id=self.id,
            place=place,
            at=datetime.fromisoformat(first.at),
            title=next((turn.title for turn, _ in self.turns if turn.title), ""),
            data={"metadata": fields.metadata({"metadata": first.metadata})},
            external_id=first.session or self.id,
            user_id=next((turn.user_id for turn, _ in self.turns if turn.user_id), None),
            tags=list(dict.fromkeys(tag for turn, _ in self.turns for tag in turn.tags)) or None,
            model=last.model[:255],
            messages=self.messages,
            runs=runs,
        )
        yield from feedback

    def _new(self, given: list[Json]) -> list[Json]:
        """What was given beyond what had been said: from the first message on that had not."""
        place = 0
        for number, message in enumerate(given):
            key = digest(message)
            if key not in self._said[place:]:
                return given[number:]
            place = self._said.index(key, place) + 1
        return []

    def _add(self, messages: list[Json], at: datetime, place: str, *, turn: Turn | None = None) -> None:
        for message in messages:
            self._said.append(digest(message))
            by_model = turn is not None and message["role"] == "assistant"
            self.messages.append(
                MessageDraft(
                    id=f"{self.id}/{self._names.of(message)}",
                    place=place,
                    at=at,
                    message=message,
                    run_id=turn.id if turn else None,
                    data={"model": turn.model} if turn and turn.model and by_model else None,
                )
            )

    def _feedback(self, turn: Turn, place: str) -> list[FeedbackDraft]:
        """Scores are about the turn's last answer; where it has none, about the last message."""
        if not self.messages:
            return []
        name = self.messages[-1].id.rpartition("/")[2]
        return [
            FeedbackDraft(
                id=score["id"],
                place=place,
                at=datetime.fromisoformat(score["at"]),
                thread_id=self.id,
                message_id=name,
                user_id=score["user_id"],
                values=score["values"],
            )
            for score in turn.scores
        ]


def _run(turn: Turn, place: str) -> RunDraft:
    begun, ended = datetime.fromisoformat(turn.at), datetime.fromisoformat(turn.ended_at)
    lasted = int((ended - begun).total_seconds() * 1000)
    outcome: Json = {"status": RunStatus.COMPLETED}
    if turn.error:
        outcome = {"status": RunStatus.FAILED, "error_code": "server_error", "error_message": turn.error}
    values = {
        "model": turn.model,
        "response_model": turn.model,
        "attempt": 1,
        "started_at": begun,
        "ended_at": ended,
        "duration_ms": min(max(0, lasted), fields.MOST_TOKENS),
        "cost": _cost(turn.cost),
        **outcome,
        **turn.usage,
    }
    return RunDraft(id=turn.id, place=place, at=begun, values=values)


def _cost(text: str) -> Decimal | None:
    try:
        cost = Decimal(text).quantize(Decimal("0.00000001")) if text else None
    except InvalidOperation:
        return None
    return cost if cost is not None and cost.is_finite() and 0 <= cost < MOST_COST else None
