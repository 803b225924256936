"""Rows to be, as the readers of all formats give them: ids are the dump's own, times are aware, texts can be stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

Json = dict[str, Any]


class Unusable(ValueError):
    """An object of a dump cannot be imported; the text says why."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something in a dump that was left out: what it is, where it is (file, line or path), and why."""

    kind: str
    place: str
    reason: str
    id: str = ""

    def __str__(self) -> str:
        named = f"{self.kind} {self.id}" if self.id else self.kind
        return f"{self.place}: {named}: {self.reason}"


Refuse = Callable[[Refusal], None]


@dataclass(slots=True)
class AssistantDraft:
    """An assistant; `values` are its columns."""

    id: str
    place: str
    at: datetime | None
    values: Json


@dataclass(slots=True)
class MessageDraft:
    """A message in chat format.

    Its key comes from `id`; `external_id` is what the dump calls it, and may be the same. One that `belongs_to_step` is a
    call or a result, which the dump has in that step; `calls_of` names the step whose calls are in a message of the dump's
    own. `data` is what is known about the message and was not said. With a `key` it was a row of such a console as this one, and keeps that key, and
    in a thread without messages its number in `sequence`; `values` are columns that are as they were there.
    """

    id: str
    place: str
    at: datetime
    message: Json
    run_id: str | None = None
    belongs_to_step: str = ""
    calls_of: str = ""
    external_id: str | None = None
    data: Json | None = None
    key: UUID | None = None
    sequence: int | None = None
    values: Json = field(default_factory=dict)

    @property
    def is_unnamed(self) -> bool:
        """Whether nobody but us has an id for it."""
        return self.external_id is None and self.key is None and not self.belongs_to_step


@dataclass(slots=True)
class RunDraft:
    """A run that has ended; `values` are its columns."""

    id: str
    place: str
    at: datetime
    values: Json
    assistant_id: str | None = None


@dataclass(slots=True)
class StepDraft:
    """A step of a run; `values` are its columns."""

    id: str
    place: str
    at: datetime
    run_id: str
    values: Json


@dataclass(slots=True)
class ThreadDraft:
    """A thread with what a dump knows of it: messages in their order, runs and steps in theirs.

    Its key comes from `id`; `external_id` is what the dump calls it. One that `is_implied` is only named by its messages
    and runs: nothing is known of the thread itself. `forked_from` is the id of the thread whose other branch it is.
    With a `key` it was a row of such a console as this one, and keeps that key; `values` are columns that are as they were.
    """

    id: str
    place: str
    at: datetime
    title: str = ""
    data: Json = field(default_factory=dict)
    is_implied: bool = False
    external_id: str | None = None
    forked_from: str | None = None
    user_id: str | None = None
    tags: list[str] | None = None
    model: str = ""
    last_at: datetime | None = None
    key: UUID | None = None
    values: Json = field(default_factory=dict)
    messages: list[MessageDraft] = field(default_factory=list)
    runs: list[RunDraft] = field(default_factory=list)
    steps: list[StepDraft] = field(default_factory=list)


@dataclass(slots=True)
class FeedbackDraft:
    """What somebody thought of a message; `values` are its columns.

    The message is the one called `message_id`, or the one at `message_index`, counted from 0, of the thread `thread_id`.
    """

    id: str
    place: str
    at: datetime
    thread_id: str
    values: Json
    message_id: str | None = None
    message_index: int | None = None
    user_id: str = ""
    key: UUID | None = None


Part = MessageDraft | RunDraft | StepDraft
Draft = AssistantDraft | ThreadDraft | FeedbackDraft
