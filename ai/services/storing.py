"""Files that carriers of jobs put into storage: the lease is kept meanwhile, and nobody replaces another worker's file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from threading import get_ident
from typing import IO, Any

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import connections

from ai import ids
from ai.exceptions import LeaseLost

Beat = Callable[[], Any]


class Beating(File):  # type: ignore[type-arg]
    """A file that calls `beat` whenever some of it is read."""

    def __init__(self, file: IO[bytes], beat: Beat) -> None:
        super().__init__(file)
        self._content, self._beat = file, beat
        self._context, self._thread = copy_context(), get_ident()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        if get_ident() == self._thread:
            self._beat()
        else:
            self._context.copy().run(self._beat_elsewhere)
        return self._content.read(size)

    def _beat_elsewhere(self) -> None:
        """Beat in a thread of the storage's own, as S3's has: it neither knows the tenant nor hangs up by itself."""
        try:
            self._beat()
        finally:
            connections.close_all()


@contextmanager
def stored(folder: str, name: str, file: IO[bytes], *, beat: Beat) -> Iterator[str]:
    """Put a file into a folder of the storage, under a name that no other attempt has; its path.

    The block says in the database where the file is. Where it finds that the job is lost, the file goes again.

    Raises:
        LeaseLost: `beat`, or the block, found that the job was cancelled or is another worker's.
    """
    path = f"{folder}/{ids.new().hex}-{name}"
    file.seek(0)
    try:
        path = default_storage.save(path, Beating(file, beat))
        yield path
    except LeaseLost:
        default_storage.delete(path)
        raise
