"""Values in one file: a JSON document, the items of an array, one value a line, or the rows of a table.

Lines and items are read one at a time, so that memory does not grow with the file. What cannot be read is refused with
its place, and the rest goes on.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any

from ai.services.imports import arrays, cells
from ai.services.imports.drafts import Refusal, Refuse
from ai.stores.serialization import clean_text

#: How much of a file is looked at, and read at a time.
BUFFER = 64 * 1024

#: So many blank lines one after the other are no end of anything.
MOST_BLANK = 100_000

DOCUMENTS = (".json",)
LINES = (".jsonl", ".ndjson")
TABLES = (".csv", ".tsv")

_BYTE_ORDER = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON value or a table's row, where it stands (a file's name, with the number of the line or item), and the file's name alone."""

    place: str
    value: Any
    file: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """An open file: its name, what the name is without “.gz”, and its content."""

    name: str
    inner: str
    stream: Any
    refuse: Refuse
    most: int

    @property
    def suffix(self) -> str:
        """The ending of its name."""
        return PurePosixPath(self.inner).suffix.lower()

    def document(self, place: str, value: Any) -> Document:
        """A value found in it."""
        return Document(place, value, self.name)

    def refuse_all(self, reason: str) -> None:
        """Say why it cannot be used."""
        self.refuse(Refusal("file", self.name, reason))


def values(file: File) -> Iterator[Document]:
    """Everything in a file whose stream can `peek`."""
    if file.suffix in LINES:
        yield from _lines(file)
        return
    if file.suffix in TABLES or (file.suffix not in DOCUMENTS and cells.is_table(file.stream.peek(BUFFER))):
        yield from _rows(file)
        return
    head = _beginning(file.stream)
    if head.startswith("["):
        yield from _items(file)
    elif _is_lines(head, alone=file.suffix not in DOCUMENTS) or (head[:1] != "{" and file.suffix not in DOCUMENTS):
        yield from _lines(file)
    else:
        yield from _document(file)


def said(error: Exception) -> str:
    """What an error says, without its full stop."""
    return clean_text(str(error).rstrip(".")) or type(error).__name__


def _read(text: str | bytes) -> Any:
    if arrays.is_crowded(text):
        raise ValueError(arrays.CROWDED)
    return json.loads(text)


def encoding_of(head: bytes) -> str:
    """UTF-16 where a byte order mark says so, else UTF-8."""
    return _BYTE_ORDER.get(head[:2], "utf-8-sig")


def _beginning(stream: Any) -> str:
    head: bytes = stream.peek(BUFFER)
    return head.decode(encoding_of(head), errors="replace").lstrip()


def _is_lines(head: str, *, alone: bool) -> bool:
    """Whether the first line is a value by itself; unless it may stand `alone`, another line has to follow."""
    first, _, rest = head.partition("\n")
    if not (alone or rest.strip()):
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


# -- An array


def _items(file: File) -> Iterator[Document]:
    head = file.stream.peek(2)
    text = io.TextIOWrapper(file.stream, encoding=encoding_of(head), errors="replace")
    try:
        for number, item in enumerate(arrays.items(text, most=file.most)):
            place = f"{file.name} [{number}]"
            if not isinstance(item, arrays.Broken):
                yield file.document(place, item)
            elif item.is_end:
                file.refuse_all(item.reason)
            else:
                file.refuse(Refusal("object", place, item.reason))
    finally:
        text.detach()


# -- A table


def _rows(file: File) -> Iterator[Document]:
    for number, row in enumerate(cells.rows(file.stream, file.stream.peek(BUFFER)), start=2):
        place = f"{file.name}, row {number}"
        if isinstance(row, cells.Row):
            yield file.document(place, row)
        else:
            file.refuse(Refusal("object", place, str(row)))


# -- A document


def _document(file: File) -> Iterator[Document]:
    data = file.stream.read(file.most + 1)
    if len(data) > file.most:
        file.refuse_all(f"It is larger than {file.most:,} bytes; give one object a line (.jsonl).")
        return
    try:
        yield file.document(file.name, _read(data))
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            file.refuse_all(f"It is no JSON: {error}.")
            return
        whole: Any = io.BytesIO(data)
        yield from _lines(File(file.name, file.inner, io.BufferedReader(whole), file.refuse, file.most))
    except (ValueError, RecursionError) as error:
        file.refuse_all(f"It is no JSON that can be read: {said(error)}.")


# -- Lines


def _lines(file: File) -> Iterator[Document]:
    last = 0
    for number, line in enumerate(_read_lines(file.stream, file.most), start=1):
        if line is not None and line.isspace():
            if number - last > MOST_BLANK:
                file.refuse_all(f"From line {last + 1} on it holds blank lines, more than {MOST_BLANK:,} of them.")
                return
            continue
        last, place = number, f"{file.name}, line {number}"
        if line is None:
            file.refuse(Refusal("object", place, f"The line is longer than {file.most:,} bytes."))
        else:
            try:
                value = _read(line)
            except (ValueError, RecursionError) as error:
                reason = f"The line is no JSON that can be read: {said(error)}."
                file.refuse(Refusal("object", place, reason))
            else:
                yield file.document(place, value)


def _read_lines(stream: Any, most: int) -> Iterator[bytes | str | None]:
    """The lines; None for one that is too long."""
    if stream.peek(2)[:2] not in _BYTE_ORDER:
        yield from _bounded(stream, most)
        return
    decoded = io.TextIOWrapper(stream, encoding="utf-16", errors="replace")
    try:
        yield from _bounded(decoded, most)
    finally:
        decoded.detach()


def _bounded(source: IO[Any], most: int) -> Iterator[bytes | str | None]:
    while line := source.readline(most):
        if len(line) < most:
            yield line
            continue
        while line and line[-1:] not in {b"\n", "\n"}:
            line = source.readline(BUFFER)
        yield None
