"""A big JSON array, item by item: memory holds one item at a time, and a broken item does not end the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

#: So many characters are read at a time, and more while an item is longer.
CHUNK = 256 * 1024

#: A value of more lists and objects is not read: each takes some sixty bytes of memory and more, and may be three in a file.
MOST_NESTED = 1_000_000

_DECODER = json.JSONDecoder()
_BETWEEN = re.compile(r"[\s,]*")
_AFTER = re.compile(r"[\s,\]]")
_STRUCTURE = re.compile(r'["\[\]{},]')
_IN_TEXT = re.compile(r'["\\]')


@dataclass(frozen=True, slots=True)
class Broken:
    """An item that is no JSON, and why; with one that `is_end` the array breaks off."""

    reason: str
    is_end: bool = False


def is_crowded(text: str | bytes, start: int = 0) -> bool:
    """Whether the text, from a place on, may hold more lists and objects than are read."""
    marks: Any = (b"[", b"{") if isinstance(text, bytes) else ("[", "{")
    return sum(text.count(mark, start) for mark in marks) > MOST_NESTED


class Extent:
    """Finds where a JSON value ends, or something that should be one: by its brackets alone, in pieces of any size."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_text = False
        self._skip = 0

    def end(self, text: str) -> int | None:
        """The place in `text`, which goes on from what came before, where the value has ended; None where it goes on."""
        at = self._skip
        while found := (_IN_TEXT if self._in_text else _STRUCTURE).search(text, at):
            at = found.end()
            character = found.group()
            if character == "\\":
                at += 1
            elif character == '"':
                self._in_text = not self._in_text
            elif character in "[{":
                self._depth += 1
            elif character != "," and self._depth > 1:
                self._depth -= 1
            elif character != "," and self._depth == 1:
                return at
            elif self._depth == 0:
                return found.start()
        self._skip = max(at - len(text), 0)
        return None


def items(text: IO[str], *, most: int) -> Iterator[Any]:
    """Each item of the array that `text` holds, or a `Broken` in its place.

    Args:
        most: an item of more characters is broken.
    """
    return _Array(text, most).items()


class _Array:
    def __init__(self, text: IO[str], most: int) -> None:
        self._text, self._most = text, most
        self._buffer, self._at = "", 0
        self._is_over = False

    def items(self) -> Iterator[Any]:
        self._skip_to_item()
        self._at += 1  # the bracket that opens the array
        while True:
            self._skip_to_item()
            if self._at >= len(self._buffer):
                yield _ENDLESS
                return
            if self._buffer[self._at] == "]":
                return
            item = self._item()
            yield item
            if item is _ENDLESS:
                return

    def _skip_to_item(self) -> None:
        while True:
            found = _BETWEEN.match(self._buffer, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._buffer) or not self._more():
                return

    def _more(self) -> bool:
        """Read on, as much again as waits in memory."""
        waiting = self._buffer[self._at :]
        read = "" if self._is_over else self._text.read(max(CHUNK, len(waiting)))
        self._is_over = not read
        self._buffer, self._at = waiting + read, 0
        return bool(read)

    def _item(self) -> Any:
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError) as error:
                reason = str(error) or type(error).__name__
            else:
                # A number may go on behind what has been read so far.
                if isinstance(value, dict | list | str) or _AFTER.match(self._buffer, end) or not self._more():
                    self._at = end
                    return value
                continue
            end_of_broken = Extent().end(self._buffer[self._at :])
            if end_of_broken is not None:
                self._at += max(end_of_broken, 1)
                return Broken(f"It is no JSON that can be read: {reason.rstrip('.')}.")
            if too_much := self._too_much():
                return self._pass_over(too_much)
            if not self._more():
                return _ENDLESS

    def _too_much(self) -> str:
        """Why the item, which goes on behind what has been read so far, is left out; empty where it is not."""
        if len(self._buffer) - self._at > self._most:
            return f"It is longer than {self._most:,} characters."
        return CROWDED if is_crowded(self._buffer, self._at) else ""

    def _pass_over(self, reason: str) -> Any:
        """Leave out an item that is too much, without keeping it in memory."""
        extent = Extent()
        while (end := extent.end(self._buffer[self._at :])) is None:
            self._at = len(self._buffer)
            if not self._more():
                return _ENDLESS
        self._at += end
        return Broken(reason)


CROWDED = f"It holds more than {MOST_NESTED:,} lists and objects."
_ENDLESS = Broken("It breaks off before its end.", is_end=True)
