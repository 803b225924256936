"""CSV files row by row: any of the usual encodings and separators, cells of any length, one row in memory."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import Any

from ai.stores.serialization import clean_text

#: What a cell may hold at most, in characters.
MOST_CHARACTERS = 64 * 1024 * 1024
SEPARATORS = ",;\t"

_BYTE_ORDER = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


class Row(dict[str, str]):
    """The cells of a row, by the names in the header; where others were chosen for them, `given` is the row as the file has it."""

    given: Row | None = None


def heading(text: str) -> str:
    """The name of a column as every form and database brings it back: browsers and PostgreSQL change line ends and NUL."""
    return " ".join(clean_text(text).split())


class Malformed(ValueError):
    """A row does not fit its header; the text says why."""


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are no UTF-8 are what Windows wrote before it wrote UTF-8."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("windows-1252", errors="replace"), error.end


codecs.register_error("ai.windows_1252", _as_windows_1252)


def encoding_of(head: bytes) -> str:
    """UTF-16 where a byte order mark or many zeros say so, else UTF-8."""
    if head[:2] in _BYTE_ORDER:
        return _BYTE_ORDER[head[:2]]
    if head and head[1::2].count(0) > len(head) // 4:
        return "utf-16-le"
    if head and head[::2].count(0) > len(head) // 4:
        return "utf-16-be"
    return "utf-8-sig"


def is_table(head: bytes) -> bool:
    """Whether a file that begins so may be a CSV file: its first line is no JSON, and has several names in it."""
    line = _first_line(head)
    return line[:1] not in {"{", "[", '"{', ""} and any(separator in line for separator in SEPARATORS)


def rows(stream: Any, head: bytes) -> Iterator[Row | Malformed]:
    """The rows below the header; a `Malformed` in the place of one that does not fit it."""
    line = _first_line(head)
    separator = max(SEPARATORS, key=line.count)
    text = io.TextIOWrapper(stream, encoding=encoding_of(head), errors="ai.windows_1252", newline="")
    csv.field_size_limit(MOST_CHARACTERS)
    try:
        yield from _rows(csv.reader(text, delimiter=separator))
    finally:
        text.detach()


def _rows(reader: Any) -> Iterator[Row | Malformed]:
    header = [heading(name) for name in next(reader, [])]
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Malformed(f"It is no CSV that can be read: {error}.")
            continue
        if cells is None:
            return
        if len(cells) > len(header):
            yield Malformed(f"It has {len(cells)} cells, and the header {len(header)}.")
        elif cells:
            cells += [""] * (len(header) - len(cells))
            yield Row(zip(header, cells, strict=True))


def _first_line(head: bytes) -> str:
    text = head.decode(encoding_of(head), errors="ai.windows_1252" if encoding_of(head) == "utf-8-sig" else "replace")
    return text.lstrip("\ufeff\r\n ").partition("\n")[0]
