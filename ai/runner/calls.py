"""Tool calls: as the model wrote them, as a run step shows them, and as messages keep them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from ai.stores.serialization import clean_text

Json = dict[str, Any]

FILE_SEARCH = "file_search"


@dataclass(frozen=True, slots=True)
class Answer:
    """A tool's result as the model gets it; `recorded` says whether it is the one of the original run.

    `found` is what a search in files found, for the run step.
    """

    output: str
    recorded: bool | None = None
    failed: bool = False
    found: tuple[Json, ...] | None = None


@dataclass(slots=True)
class Call:
    """A tool call of the model, whole."""

    id: str
    name: str
    arguments: str
    #: `file_search` where the run searches files itself; what a client answers is a `function`.
    kind: str = "function"

    def as_step(self, answer: Answer | None = None) -> Json:
        """The call in a run step's details."""
        if self.kind == FILE_SEARCH:
            found = list(answer.found or ()) if answer else []
            return {"id": self.id, "type": FILE_SEARCH, FILE_SEARCH: {"ranking_options": None, "results": found}}
        output = clean_text(answer.output) if answer else None
        function = {"name": self.name, "arguments": clean_text(self.arguments), "output": output}
        shown = {"id": self.id, "type": "function", "function": function}
        return shown if answer is None or answer.recorded is None else {**shown, "recorded": answer.recorded}

    def as_delta(self, index: int) -> Json:
        """The first fragment that a stream shows of the call."""
        if self.kind == FILE_SEARCH:
            return {"index": index, "id": self.id, "type": FILE_SEARCH, FILE_SEARCH: {}}
        function = {"name": self.name, "arguments": self.arguments, "output": None}
        return {"index": index, "id": self.id, "type": "function", "function": function}

    def as_required(self) -> Json:
        """The call as a client is asked to answer it."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}

    def as_message(self) -> Json:
        """The call in an assistant's message."""
        function = {"name": self.name, "arguments": clean_text(self.arguments)}
        return {"id": self.id, "type": "function", "function": function}


def tool_message(call: Call, answer: Answer) -> Json:
    """The result of a call as a message."""
    said = {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": clean_text(answer.output)}
    return said if answer.recorded is None else {**said, "recorded": answer.recorded}


@dataclass(slots=True)
class CallIds:
    """Gives every call of a run an id that no other call of it has: some providers begin to count anew each time."""

    used: set[str] = field(default_factory=set)

    def remember(self, ids: Iterable[str]) -> None:
        """Ids that earlier rounds of the run used."""
        self.used.update(ids)

    def unique(self, wanted: str) -> str:
        """`wanted`, or a new id where the run has used it."""
        given = wanted if wanted and wanted not in self.used else f"call_{uuid4().hex[:24]}"
        self.used.add(given)
        return given


def code_interpreter(call_id: str, code: str, outputs: list[Json]) -> Json:
    """Code that the provider ran, in a run step's details."""
    return {"id": call_id, "type": "code_interpreter", "code_interpreter": {"input": code, "outputs": outputs}}
