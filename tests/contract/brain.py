"""The scripted model: what it says depends on the conversation alone, so that scenarios can run side by side.

The beginning of the user's last message decides:

    weather in Paris and Rome       a call of `get_weather` for each city, then an answer with what it gave
    think, weather in Paris         the same, with some words before the call
    trip to Paris                   `get_weather`, then `pack` with its result, then an answer
    search blue suitcases           a call of the file search, then an answer that cites what it found
    slowly                          ten seconds of words
    too long                        an answer that is cut off at the model's limit
    fail / too many / break off     an error, a rate limit, a connection that is cut after some words
    recite                          the system prompt
    look                            how many images the user shows
    count                           how many messages there are, the system prompt aside
    anything else                   the same in its own words
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.fakes.vendors import Call, Failure, Recorded, Reply

_numbers = count(1)


@dataclass(frozen=True)
class Turn:
    """A conversation as the model sees it."""

    messages: list[dict[str, Any]]
    tools: list[str]
    """The names of the tools that it may call."""
    ask: str
    """The user's last message."""
    results: list[str]
    """Of the tools called since, in order."""

    @property
    def system(self) -> str:
        """The instructions, in order."""
        return "\n".join(_text(each) for each in self.messages if each["role"] in {"system", "developer"})


def answer(request: Recorded) -> Reply | Failure:
    """The model's next step."""
    messages = request.json["messages"]
    asked = max((index for index, each in enumerate(messages) if each["role"] == "user"), default=-1)
    turn = Turn(
        messages=messages,
        tools=_tools(request.json),
        ask=_text(messages[asked]) if asked >= 0 else "",
        results=[_text(each) for each in messages[asked + 1 :] if each["role"] == "tool"],
    )
    for beginning, decide in _DECISIONS.items():
        if turn.ask.startswith(beginning):
            return decide(turn)
    return _say(f"You said: {turn.ask}")


def _tools(asked: dict[str, Any]) -> list[str]:
    allowed = asked.get("tool_choice") != "none"
    return [tool["function"]["name"] for tool in asked.get("tools") or [] if allowed]


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def _say(text: str, **more: Any) -> Reply:
    """Word by word."""
    return Reply(chunks=tuple(re.findall(r"\S+\s*", text)), **more)


def _call(name: str, **arguments: str) -> Call:
    return Call(name, json.dumps(arguments), id=f"call_{next(_numbers)}")


def _weather(turn: Turn) -> Reply:
    cities = turn.ask.partition("weather in ")[2].split(" and ")
    if turn.results or "get_weather" not in turn.tools:
        told = [f"{city}: {result}." for city, result in zip(cities, turn.results, strict=False)]
        return _say(" ".join(told) or "I cannot know.")
    words = ("Let me ", "look.") if turn.ask.startswith("think") else ()
    return Reply(chunks=words, calls=tuple(_call("get_weather", city=city) for city in cities))


def _trip(turn: Turn) -> Reply:
    city = turn.ask.removeprefix("trip to ")
    if len(turn.results) == 0:
        return Reply(chunks=(), calls=(_call("get_weather", city=city),))
    if len(turn.results) == 1:
        return Reply(chunks=(), calls=(_call("pack", weather=turn.results[0]),))
    return _say(f"For {city} take {turn.results[1]}: it is {turn.results[0]}.")


def _search(turn: Turn) -> Reply:
    if not turn.results:
        return Reply(chunks=(), calls=(_call("file_search", query=turn.ask.removeprefix("search ")),))
    return _say(f"I have read: {turn.results[-1]}")


def _count(turn: Turn) -> Reply:
    return _say(f"There are {sum(each['role'] not in {'system', 'developer'} for each in turn.messages)} messages.")


def _look(turn: Turn) -> Reply:
    asked = [each["content"] for each in turn.messages if each["role"] == "user"][-1]
    return _say(f"There are {sum(part['type'] == 'image_url' for part in asked)} images.")


_DECISIONS: dict[str, Callable[[Turn], Reply | Failure]] = {
    "weather": _weather,
    "think": _weather,
    "trip": _trip,
    "search": _search,
    "slowly": lambda _: Reply(chunks=("slowly ",) * 200, chunk_delay=0.05),
    "too long": lambda _: _say("This never comes to its", finish="length"),
    "fail": lambda _: Failure("server_error"),
    "too many": lambda _: Failure("rate_limit", retry_after=0),
    "break off": lambda _: Reply(chunks=("These ", "are ", "all."), broken="disconnect", broken_after=2),
    "recite": lambda turn: _say(turn.system or "There are no instructions."),
    "look": _look,
    "count": _count,
}
