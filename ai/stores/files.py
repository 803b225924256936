"""What a file is, found by reading it once: its size, its digest, its type by content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from ai import conf
from ai.exceptions import TooLarge
from ai.stores.serialization import clean_text

NAME_CHARACTERS = 255

#: Types told apart by name where the content is plain text.
TEXT_TYPES = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".htm": "text/html",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}


@dataclass(frozen=True)
class Facts:
    """`size` in bytes, `sha256` in hex."""

    size: int
    sha256: str
    mime_type: str


def chunks_of(file: Any) -> Iterator[bytes]:
    """The bytes of a path-less file object, a Django file, or bytes, `first_chunk_bytes` at a time."""
    size = conf.current().first_chunk_bytes
    if isinstance(file, bytes | bytearray):
        for start in range(0, len(file), size):
            yield bytes(file[start : start + size])
        return
    if hasattr(file, "chunks"):
        yield from file.chunks(size)
        return
    while block := file.read(size):
        yield block.encode() if isinstance(block, str) else block


def guess_type(head: bytes, name: str) -> str:
    """The MIME type by content; a name's ending is believed only to tell texts apart."""
    import puremagic

    text = _as_text(head)
    if text is not None and not head.startswith(b"%PDF"):
        return TEXT_TYPES.get(PurePosixPath(name.lower()).suffix, "text/plain")
    try:
        return puremagic.from_string(head, mime=True) or "application/octet-stream"
    except (puremagic.PureError, ValueError):
        return "application/octet-stream"


def _as_text(head: bytes) -> str | None:
    if b"\x00" in head:
        return None
    for cut in range(4):  # a character may be cut at the end of the chunk
        try:
            return head[: len(head) - cut].decode()
        except UnicodeDecodeError:
            continue
    return None


def clean_name(name: str | None) -> str:
    """A file's name without folders, control characters, or more than 255 characters."""
    base = PureWindowsPath(PurePosixPath(name or "").name).name
    base = "".join(c for c in clean_text(base) if c.isprintable()).strip(". ")
    return base[-NAME_CHARACTERS:] or "file"


class Inspector:
    """Passes chunks on and learns the file's facts on the way, so that a file is read once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._digest = hashlib.sha256()
        self._head = b""
        self._size = 0

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same chunks. Raises `TooLarge` as soon as the limit is passed."""
        limit = conf.current().max_file_bytes
        for chunk in chunks:
            self._size += len(chunk)
            if self._size > limit:
                raise TooLarge(f"The file is larger than {limit:,} bytes, the most this installation accepts.")
            if not self._head:
                self._head = chunk[:4096]
            self._digest.update(chunk)
            yield chunk

    def facts(self) -> Facts:
        """What was learnt."""
        return Facts(self._size, self._digest.hexdigest(), guess_type(self._head, self._name))
