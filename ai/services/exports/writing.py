"""Putting a selection into a file in one go: for selections that take no time, and for the shell."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO, Any

from ai.services.exports.formats import Format, join
from ai.services.exports.rows import Written
from ai.services.selections import Selection

BLOCK_BYTES = 256 * 1024


def write(selection: Selection, format_: Format, out: IO[bytes]) -> Written:
    """Write the selection's rows, in the order of their keys, to a binary file; how many there were."""
    rows = [selection.queryset().order_by("pk")]
    if format_.assemble is join:
        return format_.write(selection.noun, rows, out)
    with TemporaryFile() as part:
        written = format_.write(selection.noun, rows, part)
        part.seek(0)
        format_.assemble([part], out)
    return written


def digest(file: IO[bytes], *, beat: Callable[[], Any] = lambda: None) -> tuple[int, str]:
    """How many bytes a file has, and their SHA-256; `beat` is called now and then. The file is at its beginning again."""
    found, size = hashlib.sha256(), 0
    file.seek(0)
    while block := file.read(BLOCK_BYTES):
        found.update(block)
        size += len(block)
        beat()
    file.seek(0)
    return size, found.hexdigest()


def name_of(selection: Selection, format_: Format, *, at: datetime) -> str:
    """What the file is called: “threads-2026-11-26-1210.csv”."""
    return f"{selection.noun}-{at:%Y-%m-%d-%H%M}.{format_.suffix}"
