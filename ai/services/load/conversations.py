"""Who says what in a made-up conversation, and when."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ai.services.load import vocabulary
from ai.services.load.sizes import KINDS, LONG_MESSAGE_SHARE, Kind, Pool, long_message, pool
from ai.services.load.texts import Texts

Json = dict[str, Any]


@dataclass(slots=True)
class Said:
    """A message, and how many seconds after the one before it was said."""

    role: str
    message: Json
    seconds: float


@dataclass(slots=True)
class Turn:
    """What the user says, and everything up to the answer; `answers` may be empty where a conversation breaks off."""

    question: Said
    answers: list[Said] = field(default_factory=list)


@dataclass(frozen=True)
class _Sizes:
    user: Pool
    assistant: Pool
    result: Pool
    arguments: Pool
    system: Pool | None


class Conversations:
    """Makes conversations from one generator of random numbers."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.texts = Texts(rng)
        self._calls = 0
        self._sizes = {kind.name: _sizes(kind, rng) for kind in KINDS}
        longest = self._sizes["agent"].system
        self._prompt = self.texts.said(KINDS[0], longest() if longest else 0)

    def opening(self, kind: Kind) -> Said | None:
        """The system message, in the kinds that have one."""
        size = self._sizes[kind.name].system
        if size is None:
            return None
        text = self._prompt if kind.name == "agent" else self.texts.said(kind, size())
        return Said("system", {"role": "system", "content": text}, 0.0)

    def turns(self, kind: Kind, *, messages: int) -> Iterator[Turn]:
        """Turns of `messages` messages together."""
        left = messages
        while left > 0:
            turn = Turn(self._question(kind))
            left -= 1
            for _ in range(min(self._rounds(kind), (left - 1) // 2)):
                turn.answers += self._call(kind)
                left -= 2
            if left > 0:
                turn.answers.append(self._answer(kind))
                left -= 1
            yield turn

    def _rounds(self, kind: Kind) -> int:
        whole, rest = divmod(kind.calls_per_turn, 1)
        return int(whole) + (rest > 0 and self.rng.random() < rest)

    def _length(self, size: Pool) -> int:
        return long_message(self.rng) if self.rng.random() < LONG_MESSAGE_SHARE else size()

    def _question(self, kind: Kind) -> Said:
        text = self.texts.said(kind, self._length(self._sizes[kind.name].user))
        return Said("user", {"role": "user", "content": text}, 5 + 115 * self.rng.random())

    def _answer(self, kind: Kind) -> Said:
        text = self.texts.said(kind, self._length(self._sizes[kind.name].assistant))
        return Said("assistant", {"role": "assistant", "content": text}, 1 + len(text) / 200 + 2 * self.rng.random())

    def _call(self, kind: Kind) -> list[Said]:
        """A function call and its result."""
        self._calls += 1
        sizes = self._sizes[kind.name]
        name = vocabulary.TOOLS[int(self.rng.random() * len(vocabulary.TOOLS))]
        arguments = self.texts.arguments(kind, sizes.arguments())
        call = {
            "id": f"call_{self._calls:024d}",
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
        result = self.texts.result(kind, self._length(sizes.result))
        return [
            Said("assistant", {"role": "assistant", "content": None, "tool_calls": [call]}, 1 + self.rng.random()),
            Said("tool", {"role": "tool", "tool_call_id": call["id"], "content": result}, 0.1 + self.rng.random()),
        ]


def _sizes(kind: Kind, rng: random.Random) -> _Sizes:
    return _Sizes(
        user=pool(kind.user, rng),
        assistant=pool(kind.assistant, rng),
        result=pool(kind.result, rng),
        arguments=pool(kind.arguments, rng),
        system=pool(kind.system, rng) if kind.system else None,
    )
