"""What a path holds, as JSON: a folder, a zip, or one file, each of them also compressed by gzip.

Nothing is ever unpacked to disk. A file that cannot be read to its end is refused, and the rest goes on.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ai.exceptions import InvalidInput, NotFound
from ai.services.imports import values
from ai.services.imports.drafts import Refusal, Refuse
from ai.services.imports.values import BUFFER, DOCUMENTS, LINES, TABLES, Document, said
from ai.stores.serialization import clean_text

#: A document is read whole, and so is a line or an item. A compressed file may hold far more than its size says.
MEGABYTE = 1024 * 1024
MOST_BYTES = 32 * MEGABYTE

#: What unpacks to more than this many times its size is no export of anything; a few megabytes may always.
MOST_RATIO = 200
ALWAYS_UNPACKED = 64 * MEGABYTE
MOST_ENTRIES = 100_000

_GZIP = b"\x1f\x8b"
_UNREADABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError)


class Progress:
    """How many of a file's bytes have been read; looked up when somebody asks, since that is a call of the system."""

    def __init__(self) -> None:
        self.total = 0
        self._position: Callable[[], int] = lambda: 0

    @property
    def read(self) -> int:
        """So many by now."""
        return self._position()

    def follow(self, position: Callable[[], int]) -> None:
        """From now on a file is read that knows its position."""
        self._position = position

    def rest(self) -> None:
        """The file is closed after this."""
        reached = self.read
        self._position = lambda: reached


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file's content, and how many of the bytes on disk have been read for it."""

    stream: Any
    position: Callable[[], int]


Opening = Any


def documents(
    path: Path, *, refuse: Refuse, most_bytes: int = MOST_BYTES, progress: Progress | None = None, name: str = ""
) -> Generator[Document, None, None]:
    """Everything at the path, in the order of names and lines; documents, lines and items of at most so many bytes.

    Args:
        name: what to call a single file; its own name where none is given.

    Raises:
        NotFound: there is nothing at this path.
        InvalidInput: it is nothing that can be read.
    """
    if not path.exists():
        raise NotFound(f"There is no file or folder “{path}”.")
    told = progress or Progress()
    told.total = path.stat().st_size
    for own, opening in _files(path, name or path.name):
        label = clean_text(own)
        try:
            with opening as opened:
                told.follow(opened.position)
                try:
                    yield from _values(label, opened, refuse, most_bytes)
                finally:
                    told.rest()
        except _UNREADABLE as error:
            refuse(Refusal("file", label, f"It cannot be read to its end: {said(error)}."))


def is_zip(path: Path) -> bool:
    """Whether the file is, or says that it is, a zip archive."""
    if path.suffix.lower() == ".zip":
        return True
    with path.open("rb") as opened:
        return opened.read(4) == b"PK\x03\x04"


# -- Files


def _files(path: Path, name: str) -> Iterator[tuple[str, Opening]]:
    """Names, and context managers that open the files behind them."""
    if path.is_dir():
        found = [file for file in sorted(path.rglob("*")) if file.is_file()]
        named = [(file.relative_to(path).as_posix(), file) for file in found]
        readable = [(own, file) for own, file in named if _is_readable(own)]
        _insist(name, readable)
        yield from ((own, _file(file)) for own, file in readable)
    elif is_zip(path):
        yield from _entries(path, name)
    else:
        yield name, _file(path)


def _entries(path: Path, name: str) -> Iterator[tuple[str, Opening]]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise InvalidInput(f"“{name}” is no zip file that can be read: {said(error)}.") from error
    with archive:
        readable = [entry for entry in sorted(archive.namelist()) if _is_readable(entry)]
        _insist(name, readable)
        yield from ((entry, _entry(archive, entry)) for entry in readable)


@contextmanager
def _file(path: Path) -> Iterator[_Opened]:
    with path.open("rb", buffering=BUFFER) as stream:
        yield _Opened(stream, stream.tell)


@contextmanager
def _entry(archive: zipfile.ZipFile, name: str) -> Iterator[_Opened]:
    packed = archive.getinfo(name).compress_size
    file: Any = archive.fp
    with archive.open(name) as stream:
        raw: Any = _Unpacked(stream, packed=lambda: packed)
        yield _Opened(io.BufferedReader(raw, BUFFER), file.tell)


class _Unpacked(io.RawIOBase):
    """What a compressed stream unpacks to; its bombs end in an OSError."""

    def __init__(self, stream: Any, *, packed: Callable[[], int]) -> None:
        self._stream, self._packed = stream, packed
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        read: bytes = self._stream.read1(len(buffer))
        buffer[: len(read)] = read
        self._count += len(read)
        if self._count > ALWAYS_UNPACKED and self._count > MOST_RATIO * self._packed():
            raise OSError(f"It unpacks to more than {MOST_RATIO} times its size")
        return len(read)


def _is_readable(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts if part not in {".", ".."})
    return not hidden and path.suffix.lower() in (*DOCUMENTS, *LINES, *TABLES, ".gz")


def _insist(name: str, readable: list[Any]) -> None:
    if not readable:
        raise InvalidInput(f"There is nothing to import in “{name}”: no file ending in .json, .jsonl, .csv or .gz.")
    if len(readable) > MOST_ENTRIES:
        raise InvalidInput(f"“{name}” holds more than {MOST_ENTRIES:,} files.")


# -- Values


def _values(name: str, opened: _Opened, refuse: Refuse, most: int) -> Iterator[Document]:
    stream, inner = opened.stream, name
    if name.lower().endswith(".gz") or stream.peek(2)[:2] == _GZIP:
        unpacked: Any = _Unpacked(gzip.GzipFile(fileobj=stream), packed=opened.position)
        stream, inner = io.BufferedReader(unpacked, BUFFER), name.removesuffix(".gz").removesuffix(".GZ")
    yield from values.values(values.File(name, inner, stream, refuse, most))
