"""A title from the tools that an assistant called: what was done, and with which name or place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ai.services.titling.text import MOST_CHARACTERS, MOST_WORDS, capital, count_words, plain, tidy, word_list

MOST_CALLS = 40
MOST_VALUE_WORDS = 4

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LOOKING = word_list("find search get lookup look fetch list show check query retrieve read load see describe view")
_DOING = word_list(
    "buy reserve book rent schedule transfer pay play share request send create make add order cancel update delete change "
    "open close refund track translate convert calculate submit start stop set write post call invite"
)
_FILLING = word_list(
    "all my the a an for of by to in with and or on at from up available info information details data"
)
_NAMED = re.compile(
    r"(?:^|_)(?:name|title|track|song|artist|movie|query|topic|subject|keyword|product|item|recipient|symbol)(?:_|$)"
)
_PLACED = re.compile(r"(?:^|_)(?:city|location|place|area|where|destination|address|country|region|town|venue)(?:_|$)")
_NUMBERED = re.compile(r"(?:^|_)(?:id|number|code|no)$")
_NO_VALUE = word_list("dontcare true false none null any all unknown yes no")


@dataclass(frozen=True)
class Done:
    """A call in words: “find”, “movies”, and the arguments worth naming."""

    verb: str
    thing: str
    name: str = ""
    place: str = ""


def title(calls: Sequence[dict[str, Any]], *, said: str, asked: str) -> tuple[str, bool]:
    """The title of a conversation with these calls (`name`, JSON `arguments`), and whether it says much.

    It is empty when the calls say too little, and says much with a name or a place in it, or where the user asked for most
    of its things.

    `said` is what people wrote: a tool that nobody's words are about is machinery, and names no conversation.
    """
    words = said.lower()
    done = [each for call in calls[:MOST_CALLS] if (each := _read(call, words)) and _is_about(each, words)]
    things = _things(done)
    if not done or not things:
        return "", False
    found = next((found for found in _candidates(done, things) if _fits(found)), "")
    values = {value for each in done for value in (each.name, each.place) if value}
    wanted = asked.lower()
    named = sum(_stem(thing.split()[-1]) in wanted for thing in things)
    much = any(value in found for value in values) or named * 2 > len(things)
    return capital(found), much and (len(things) > 1 or bool(values) or done[-1].verb in _DOING)


def _fits(found: str) -> bool:
    return count_words(found) <= MOST_WORDS and len(found) <= MOST_CHARACTERS


def _candidates(done: Sequence[Done], things: list[str]) -> Iterator[str]:
    """The best first; each is tried for its length."""
    place = next((each.place for each in done if each.place), "")
    if len(things) == 1:
        last = next((each for each in reversed(done) if each.verb in _DOING), done[0])
        name = next((each.name for each in (last, *reversed(done)) if each.name), "")
        act = f"{last.verb} {last.thing}".strip()
        for about in filter(None, (name and f": {name}", place and f" in {place}")):
            yield act + about
            yield things[0] + about
        yield act
    joined = f"{', '.join(things[:-1])} and {things[-1]}" if len(things) > 1 else things[0]
    if place:
        yield f"{joined} in {place}"
        yield f"{', '.join(things)} in {place}"
    yield joined
    yield ", ".join(things)
    heads = [thing.rsplit(" ", 1)[-1] for thing in things]
    yield f"{', '.join(heads[:-1])} and {heads[-1]}" if len(heads) > 1 else heads[0]
    yield ", ".join(heads[:MOST_WORDS])


def _read(call: dict[str, Any], said: str) -> Done | None:
    parts = [part.lower() for part in _PART.findall(plain(str(call.get("name") or ""))[:100])]
    verb = parts[0] if parts and parts[0] in _LOOKING | _DOING else ""
    rest = parts[1:] if verb else parts
    rest = rest[: rest.index("by")] if "by" in rest else rest
    while rest and rest[0] in _FILLING:
        rest = rest[1:]
    while rest and rest[-1] in _FILLING | {"tool", "api"}:
        rest = rest[:-1]
    thing = tidy(" ".join(rest))
    if not thing or not verb or count_words(thing) >= MOST_WORDS:
        return None
    values = [(key, value) for key, value in _values(call.get("arguments")) if value.lower() in said]
    name = next((value for key, value in values if _NAMED.search(key)), "")
    name = "" if _stem(thing.split()[-1]) in name.lower() else name  # “New alarm” says nothing of an alarm
    name = name or next((value for key, value in values if _NUMBERED.search(key) and len(value) <= 12), "")
    return Done(verb, thing, name, next((value for key, value in values if _PLACED.search(key)), ""))


def _values(arguments: Any) -> Iterator[tuple[str, str]]:
    """The arguments that can stand in a title."""
    try:
        found = json.loads(arguments) if isinstance(arguments, str) else arguments
    except (ValueError, RecursionError):
        return
    for key, value in found.items() if isinstance(found, dict) else ():
        text = tidy(str(value).split(",", 1)[0]) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if text and text.lower() not in _NO_VALUE and count_words(text) <= MOST_VALUE_WORDS and text[0].isalnum():
            yield key.lower(), text


def _stem(word: str) -> str:
    return word.removesuffix("s")[:6]


def _is_about(done: Done, said: str) -> bool:
    """Whether people's words are about it: its thing, or what it was asked for."""
    wanted = [_stem(word) for word in done.thing.split() if len(word) > 2]
    return any(word in said for word in wanted) or any(
        value and value.lower() in said for value in (done.name, done.place)
    )


def _things(done: Sequence[Done]) -> list[str]:
    """What the calls were about, each once: “times for movie” is about the movies found before."""
    found: list[str] = []
    for each in done:
        known = {_stem(thing.rsplit(" ", 1)[-1]) for thing in found}
        if not known & {_stem(word) for word in each.thing.split()}:
            found.append(each.thing)
    return found
