"""What a path holds, as JSON: a folder, a zip, one document, or one value a line, each of them also compressed by gzip.

Lines are read one at a time, so that memory does not grow with the file. What cannot be read is refused with its place,
and the rest goes on.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ai.exceptions import InvalidInput, NotFound
from ai.services.imports.drafts import Refusal, Refuse
from ai.stores.serialization import clean_text

#: A document is read whole, and so is a line. A compressed file may hold far more than its size says.
MEGABYTE = 1024 * 1024
MOST_BYTES = 256 * MEGABYTE

DOCUMENTS = (".json",)
LINES = (".jsonl", ".ndjson")
KNOWN = "a folder, or a file ending in .zip, .json, .jsonl, .ndjson or .gz"

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UNREADABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON value, and where it stands: a file's name, with the number of the line."""

    place: str
    value: Any


def documents(path: Path, *, refuse: Refuse, most_bytes: int = MOST_BYTES) -> Iterator[Document]:
    """Everything at the path, in the order of names and lines; documents and lines of at most so many bytes.

    Raises:
        NotFound: there is nothing at this path.
        InvalidInput: it is nothing that can be read.
    """
    if not path.exists():
        raise NotFound(f"There is no file or folder “{path}”.")
    for name, opened in _files(path):
        label = clean_text(name)
        try:
            with opened as stream:
                yield from _values(label, stream, refuse, most_bytes)
        except _UNREADABLE as error:
            refuse(Refusal("file", label, f"It cannot be read to its end: {_said(error)}."))


def _said(error: Exception) -> str:
    return clean_text(str(error).rstrip(".")) or type(error).__name__


# -- Files


def _files(path: Path) -> Iterator[tuple[str, Any]]:
    """Names, and context managers that open the files behind them."""
    if path.is_dir():
        found = [file for file in sorted(path.rglob("*")) if file.is_file()]
        named = [(file.relative_to(path).as_posix(), file) for file in found]
        readable = [(name, file) for name, file in named if _is_readable(name)]
        _insist(path, readable)
        yield from ((name, _file(file)) for name, file in readable)
    elif path.suffix.lower() == ".zip":
        yield from _entries(path)
    elif _is_readable(path.name):
        yield path.name, _file(path)
    else:
        raise InvalidInput(f"“{path.name}” cannot be imported: give {KNOWN}.")


def _entries(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise InvalidInput(f"“{path.name}” is no zip file that can be read: {_said(error)}.") from error
    with archive:
        readable = [entry for entry in sorted(archive.namelist()) if _is_readable(entry)]
        _insist(path, readable)
        yield from ((name, _entry(archive, name)) for name in readable)


@contextmanager
def _file(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as stream:
        yield stream


@contextmanager
def _entry(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    with archive.open(name) as stream:
        yield stream


def _is_readable(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts if part not in {".", ".."})
    return not hidden and path.suffix.lower() in (*DOCUMENTS, *LINES, ".gz")


def _insist(path: Path, readable: list[Any]) -> None:
    if not readable:
        raise InvalidInput(f"There is nothing to import in “{path.name}”: no file ending in .json, .jsonl or .gz.")


# -- Values


def _values(name: str, stream: IO[bytes], refuse: Refuse, most: int) -> Iterator[Document]:
    inner = name
    if name.lower().endswith(".gz"):
        unpacked: Any = gzip.GzipFile(fileobj=stream)
        stream, inner = unpacked, name[:-3]
    if PurePosixPath(inner).suffix.lower() in DOCUMENTS:
        yield from _document(name, stream, refuse, most)
    else:
        yield from _lines(name, stream, refuse, most)


def _document(name: str, stream: IO[bytes], refuse: Refuse, most: int) -> Iterator[Document]:
    data = stream.read(most + 1)
    if len(data) > most:
        refuse(Refusal("file", name, f"It is larger than {most:,} bytes; give one object a line (.jsonl)."))
        return
    try:
        yield Document(name, json.loads(data))
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            refuse(Refusal("file", name, f"It is no JSON: {error}."))
            return
        whole: Any = io.BytesIO(data)
        yield from _lines(name, io.BufferedReader(whole), refuse, most)
    except (ValueError, RecursionError) as error:
        refuse(Refusal("file", name, f"It is no JSON that can be read: {_said(error)}."))


def _lines(name: str, stream: IO[bytes], refuse: Refuse, most: int) -> Iterator[Document]:
    for number, line in enumerate(_read_lines(stream, most), start=1):
        place = f"{name}, line {number}"
        if line is None:
            refuse(Refusal("object", place, f"The line is longer than {most:,} bytes."))
        elif line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                refuse(Refusal("object", place, f"The line is no JSON that can be read: {_said(error)}."))
            else:
                yield Document(place, value)


def _read_lines(stream: IO[bytes], most: int) -> Iterator[bytes | str | None]:
    """The lines; None for one that is too long."""
    source: Any = stream
    if source.peek(2)[:2] not in _UTF_16:
        yield from _bounded(source, most)
        return
    decoded = io.TextIOWrapper(source, encoding="utf-16", errors="replace")
    yield from _bounded(decoded, most)
    decoded.detach()


def _bounded(source: Any, most: int) -> Iterator[bytes | str | None]:
    while line := source.readline(most):
        if len(line) < most:
            yield line
            continue
        while line and line[-1:] not in {b"\n", "\n"}:
            line = source.readline(MEGABYTE)
        yield None
