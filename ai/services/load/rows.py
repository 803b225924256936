"""The rows of made-up conversations, as the managers would have written them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from json.encoder import encode_basestring_ascii as quoted
from typing import Any
from uuid import UUID

from ai.models import ChatThread
from ai.models.search import INDEXED_CHARACTERS
from ai.models.words import grams
from ai.services.load import people, vocabulary
from ai.services.load.batches import Batch
from ai.services.load.conversations import Conversations, Json, Said, Turn
from ai.services.load.sizes import Kind
from ai.stores.content import preview, searchable

#: Threads answered by this console, with runs and steps; the others were imported.
ANSWERED_HERE = 0.25
TITLED = 0.70
CHARACTERS_PER_TOKEN = 4
TOOLS = json.dumps([{"type": "function", "function": {"name": name}} for name in vocabulary.TOOLS[:3]])
_MILLION = Decimal(1_000_000)


@dataclass(slots=True)
class _Thread:
    """A thread while it is being made."""

    key: str
    text_key: str
    tenant: str
    user: str
    model: int
    answered_here: bool
    at: datetime
    sequence: int = 0
    characters: int = 0
    ratings: set[str] = field(default_factory=set)


class Rows:
    """Makes threads from one generator of random numbers and adds their rows to a batch."""

    def __init__(
        self,
        rng: random.Random,
        *,
        tenants: Sequence[tuple[UUID, float]],
        users: int,
        until: datetime,
        stamp: Callable[[datetime], str],
    ) -> None:
        """Make rows that end before `until`; `stamp` writes a time as the database takes it."""
        self.rng = rng
        self.stamp = stamp
        self.conversations = Conversations(rng)
        self.tenants = [tenant.hex for tenant, _ in tenants]
        self.shares = [share for _, share in tenants]
        self.users = users
        self.until = until
        self.batch = Batch()

    def add(self, kind: Kind, *, messages: int, at: datetime) -> None:
        """Add a thread that begins at `at`, or earlier where it would not be over by now."""
        opening = self.conversations.opening(kind) if messages > 1 else None
        turns = list(self.conversations.turns(kind, messages=messages - (opening is not None)))
        lasts = sum(said.seconds for turn in turns for said in (turn.question, *turn.answers))
        begin = min(at, self.until - timedelta(seconds=lasts + 1))
        thread = self._thread(begin)
        place = len(self.batch.documents)
        if opening:
            self._message(thread, opening, None)
        for turn in turns:
            self._turn(thread, turn)
        self._finish(thread, kind, turns, begin, place)

    def _thread(self, at: datetime) -> _Thread:
        share, tenant = self.rng.random() * sum(self.shares), 0
        while tenant < len(self.shares) - 1 and share >= self.shares[tenant]:
            share -= self.shares[tenant]
            tenant += 1
        key = self._key(at)
        model = self.rng.choices(range(len(people.MODELS)), cum_weights=people.MODEL_WEIGHTS)[0]
        return _Thread(
            key=key,
            text_key=_dashed(key),
            tenant=self.tenants[tenant],
            user=f"user-{people.user_number(self.rng, users=self.users)}",
            model=model,
            answered_here=self.rng.random() < ANSWERED_HERE,
            at=at,
        )

    def _key(self, at: datetime) -> str:
        """A time-ordered UUID in version 7's layout, as 32 hex digits, that the seed decides."""
        milliseconds = int(at.timestamp() * 1000)
        bits = self.rng.getrandbits(74)
        return f"{milliseconds << 80 | 0x7 << 76 | (bits >> 62) << 64 | 0x2 << 62 | bits & (1 << 62) - 1:032x}"

    def _turn(self, thread: _Thread, turn: Turn) -> None:
        self._message(thread, turn.question, None)
        if not turn.answers:
            return
        if not thread.answered_here:
            for said in turn.answers:
                self._message(thread, said, None)
            return
        if self.rng.random() < people.FAILED:
            self._failed_run(thread)
        self._run(thread, turn.answers)

    def _message(self, thread: _Thread, said: Said, run: str | None) -> str:
        """Add a message; its id."""
        thread.at = at = thread.at + timedelta(seconds=said.seconds)
        thread.sequence += 1
        message = said.message
        key = self._key(at)
        text: str = searchable(message) if "tool_calls" in message else message["content"]
        thread.characters += len(text)
        said_at = self.stamp(at)
        data, modified = None, said_at
        if said.role == "assistant" and message["content"] and self.rng.random() < people.RATED:
            data, modified = self._feedback(thread, key, at)
        self.batch.messages.append(
            (key, said_at, modified, data, _json(message), run, thread.tenant, thread.text_key, thread.sequence,
             said.role, preview({"content": text}))
        )  # fmt: skip
        if text:
            indexed = text[:INDEXED_CHARACTERS]
            self.batch.documents.append((thread.tenant, thread.key, key, indexed, grams(indexed)))
        return key

    def _feedback(self, thread: _Thread, message: str, at: datetime) -> tuple[str, str]:
        """Add a thumb; the message's metadata, and when it was given."""
        given_at = min(at + timedelta(seconds=10 + 600 * self.rng.random()), self.until)
        given = self.stamp(given_at)
        rating = people.rating(self.rng)
        comment = ""
        if self.rng.random() < people.COMMENTED[rating]:
            comment = self.conversations.texts.comment(round(self.rng.lognormvariate(*people.COMMENT_LOG_CHARACTERS)))
        state = "open" if self.rng.random() < 0.6 else self.rng.choice(("triaged", "resolved", "dismissed"))
        self.batch.feedback.append(
            (self._key(given_at), given, given, thread.tenant, thread.key, message, thread.user, rating, comment, state,
             given)
        )  # fmt: skip
        thread.ratings.add(rating)
        value = {"rating": rating, "comment": comment} if comment else rating
        return json.dumps({"feedback": {"user_id": thread.user, "feedback": value}}), given

    def _run(self, thread: _Thread, answers: list[Said]) -> None:
        """Add a run that gave these answers, with its steps."""
        begin, history, key = thread.at, thread.sequence, self._key(thread.at)
        prompt = thread.characters // CHARACTERS_PER_TOKEN + 8
        text_key = _dashed(key)
        for index, pair in enumerate(_steps(answers)):
            started = thread.at
            messages = [self._message(thread, said, text_key) for said in pair]
            self._step(thread, key, index, pair, messages, started)
        completion = thread.characters // CHARACTERS_PER_TOKEN + 8 - prompt + 1
        self._run_row(thread, key, begin, history, "completed", (prompt, completion), ("", ""))

    def _failed_run(self, thread: _Thread) -> None:
        begin = thread.at
        thread.at += timedelta(seconds=1 + self.rng.random())
        error = self.rng.choice(people.ERRORS)
        self._run_row(thread, self._key(begin), begin, thread.sequence, "failed", (0, 0), error)

    def _run_row(
        self, thread: _Thread, key: str, begin: datetime, history: int, status: str, tokens: tuple[int, int], error: Any
    ) -> None:
        alias, input_price, output_price, _ = people.MODELS[thread.model]
        duration = int((thread.at - begin).total_seconds() * 1000)
        cost = (tokens[0] * input_price + tokens[1] * output_price) / _MILLION if status == "completed" else None
        started, ended = self.stamp(begin), self.stamp(thread.at)
        first = min(200 + int(800 * self.rng.random()), duration) if status == "completed" else None
        self.batch.runs.append(
            (key, started, ended, thread.tenant, thread.text_key, thread.user, alias, alias.partition(":")[2], TOOLS,
             history, status, *error, *tokens, sum(tokens), None if cost is None else str(round(cost, 8)), first,
             duration, 1, started, ended, self.stamp(begin + timedelta(seconds=600)))
        )  # fmt: skip

    def _step(
        self, thread: _Thread, run: str, index: int, pair: list[Said], messages: list[str], started: datetime
    ) -> None:
        kind, details = _details(pair, messages)
        usage = {"prompt_tokens": thread.characters // CHARACTERS_PER_TOKEN, "completion_tokens": 8}
        usage["total_tokens"] = sum(usage.values())
        begun, ended = self.stamp(started), self.stamp(thread.at)
        self.batch.steps.append(
            (self._key(started), begun, ended, thread.tenant, run, thread.text_key, index, kind, "completed",
             json.dumps(details), json.dumps(usage), begun, ended)
        )  # fmt: skip

    def _finish(self, thread: _Thread, kind: Kind, turns: list[Turn], begin: datetime, place: int) -> None:
        """Add the thread's own row, its tags, and its title before its messages' documents."""
        first = str(turns[0].question.message["content"]) if turns else ""
        name = self._name(kind, first)
        tags = ["chat", "agent"] if kind.name in {"agent", "code"} else ["chat"]
        tags += self.rng.sample(vocabulary.TAGS, k=int(self.rng.random() * 3))
        data = json.dumps({"snippet": first[:500], "tagged": True})
        ratings = "mixed" if len(thread.ratings) > 1 else next(iter(thread.ratings), "")
        alias = people.MODELS[thread.model][0]
        active = self.stamp(thread.at)
        source = "console" if thread.answered_here else "import"
        self.batch.threads.append(
            (thread.key, self.stamp(begin), active, name, json.dumps(tags), thread.tenant, thread.user, data, source, alias,
             ratings, thread.sequence, thread.sequence, active)
        )  # fmt: skip
        self.batch.tags += [(thread.tenant, thread.key, tag) for tag in sorted(tags)]
        self.batch.documents.insert(place, (thread.tenant, thread.key, None, name, grams(name)))

    def _name(self, kind: Kind, first: str) -> str:
        if self.rng.random() < TITLED:
            return self.conversations.texts.title(kind)
        trimmed: str = ChatThread.objects.trim_message(first)
        return trimmed or "New Chat"


def _json(message: Json) -> str:
    """What `json.dumps` makes of it, which takes three times as long over the plain messages that most are."""
    if len(message) > 2:
        return json.dumps(message)
    return f'{{"role": "{message["role"]}", "content": {quoted(message["content"])}}}'


def _dashed(key: str) -> str:
    return f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"


def _steps(answers: list[Said]) -> list[list[Said]]:
    """Calls with their results, and the messages between them, in order."""
    steps: list[list[Said]] = []
    for said in answers:
        if said.role == "tool":
            steps[-1].append(said)
        else:
            steps.append([said])
    return steps


def _details(pair: list[Said], messages: list[str]) -> tuple[str, Json]:
    calls = pair[0].message.get("tool_calls")
    if not calls:
        return "message_creation", {
            "type": "message_creation",
            "message_creation": {"message_id": f"msg_{messages[0]}"},
        }
    function = {**calls[0]["function"], "output": pair[1].message["content"] if len(pair) > 1 else None}
    call = {"id": calls[0]["id"], "type": "function", "function": function}
    return "tool_calls", {"type": "tool_calls", "tool_calls": [call]}
