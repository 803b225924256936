"""Server-sent events: the frames that a stream is sent in.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ai.events.types import StreamEvent

#: A comment that clients ignore; sent while a model is silent, it keeps proxies from hanging up. It has one newline and so
#: becomes the first line of the next frame: Azure's client takes a frame of its own for an event without a type.
PING = ": ping\n"


def encode(event: StreamEvent) -> str:
    """The event's frame. Its JSON is on one line, so that clients which read line by line understand it too."""
    data = event.data
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"event: {event.name}\ndata: {text}\n\n"


def decode(chunks: Iterable[str]) -> Iterator[StreamEvent]:
    """The events in text that arrives in pieces cut anywhere; comments are skipped, as is a last unfinished frame."""
    name, data = "", list[str]()
    for line in _lines(chunks):
        if not line:
            if data:
                yield StreamEvent(name or "message", _value("\n".join(data)))
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)


def _lines(chunks: Iterable[str]) -> Iterator[str]:
    rest = ""
    for chunk in chunks:
        rest += chunk
        # A carriage return at the very end may be the first half of a line end.
        held = "\r" if rest.endswith("\r") else ""
        *lines, rest = rest[: len(rest) - len(held)].replace("\r\n", "\n").replace("\r", "\n").split("\n")
        rest += held
        yield from lines
    if rest.endswith("\r"):
        yield rest[:-1]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
