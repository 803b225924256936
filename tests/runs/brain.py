"""A scripted model whose every move is written in what the user said, and which looks closely at what it is sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any, Literal

from tests.fakes.vendors import Call, Failure, Recorded, Reply

ASK, LOOKUP = "ask", "machine_lookup"
"""A tool that the client answers, and one that runs on the server."""

MOST_SECONDS = 20.0


@dataclass(frozen=True)
class Move:
    """One answer of the model: text, calls of tools, a failure, text that is cut at a limit, text that breaks off."""

    kind: Literal["say", "call", "fail", "cut", "break"] = "say"
    asks: int = 0
    lookups: int = 0
    words: bool = False
    """Whether there is text before the calls."""


@dataclass
class Gate:
    """Holds back the model's answer number `at` until it is opened."""

    at: int
    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def pass_through(self) -> None:
        """Wait, in the server's thread."""
        self.reached.set()
        self.opened.wait(MOST_SECONDS)


@dataclass
class Brain:
    """What the server is scripted with."""

    said: dict[int, list[int]] = field(default_factory=dict)
    """By the number of each thread, the numbers of its user's messages so far."""
    problems: list[str] = field(default_factory=list)
    """What was wrong with requests."""
    answers: set[str] = field(default_factory=set)
    """Every whole text that was sent."""
    gate: Gate | None = None
    _numbers: Any = field(default_factory=lambda: count(1))
    _asked: int = 0

    def hold(self, at: int) -> Gate:
        """A gate before the answer number `at`, counted from now."""
        self._asked, self.gate = 0, Gate(at)
        return self.gate

    def answer(self, request: Recorded) -> Reply | Failure:
        """The next move."""
        messages = request.json["messages"]
        reply = self._move(messages, bool(request.json.get("tools")))
        gate, number = self.gate, self._asked
        self._asked += 1
        if gate is not None and gate.at == number:
            gate.pass_through()
        return reply

    def _move(self, messages: list[dict[str, Any]], has_tools: bool) -> Reply | Failure:
        self.problems += problems_of(messages)
        users = [index for index, message in enumerate(messages) if message["role"] == "user"]
        if not users:
            return self._text("say")
        told = [json.loads(text_of(messages[index])) for index in users]
        numbers, wanted = [each["number"] for each in told], self.said.get(told[-1]["thread"])
        if numbers != wanted:
            self.problems.append(f"The model was sent {numbers} of the user's messages {wanted}.")
        round_ = sum(message["role"] == "assistant" for message in messages[users[-1] :])
        moves = [Move(**each) for each in told[-1]["moves"]]
        move = moves[round_] if round_ < len(moves) else Move()
        if move.kind == "call" and not has_tools:
            move = Move()
        return self._made(move)

    def _made(self, move: Move) -> Reply | Failure:
        if move.kind == "fail":
            return Failure("server_error")
        if move.kind != "call":
            return self._text(move.kind)
        names = [ASK] * move.asks + [LOOKUP] * move.lookups or [ASK]
        calls = tuple(Call(name, "{}", id=f"call_{index}") for index, name in enumerate(names))
        return Reply(chunks=self._chunks() if move.words else (), calls=calls)

    def _text(self, kind: str) -> Reply:
        if kind == "cut":
            return Reply(chunks=self._chunks(), finish="length")
        if kind == "break":
            return Reply(chunks=self._chunks(), broken="disconnect")
        return Reply(chunks=self._chunks())

    def _chunks(self) -> tuple[str, ...]:
        """A text that no other answer begins with."""
        chunks = (f"answer {next(self._numbers)}", " is this", ".")
        self.answers.add("".join(chunks))
        return chunks


def said(thread: int, number: int, moves: Iterable[Move]) -> str:
    """What the user says."""
    return json.dumps({"thread": thread, "number": number, "moves": [asdict(move) for move in moves]})


def text_of(message: dict[str, Any]) -> str:
    """The text of a message as it is sent to a model."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def problems_of(messages: list[dict[str, Any]]) -> list[str]:
    """What a provider would refuse: a call without a result, a result without a call."""
    problems, due = [], set[str]()
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in due:
                problems.append(f"A result that nobody called for, {message['tool_call_id']}, in {messages}.")
            due.discard(message["tool_call_id"])
            continue
        if due:
            problems.append(f"Calls without results, {due}, in {messages}.")
        given = [call["id"] for call in message.get("tool_calls") or []]
        due = set(given)
        if len(due) != len(given):
            problems.append(f"Calls with one id, {given}.")
    return problems + ([f"Calls without results at the end, {due}."] if due else [])
