"""A storage that takes its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage


class SlowStorage(FileSystemStorage):
    """Reads what it keeps in small blocks; `meanwhile` is what happens after each of them."""

    BLOCK = 100

    def __init__(self, *, meanwhile: Callable[[str], Any] = lambda _: None, **options: Any) -> None:
        super().__init__(**options)
        self._meanwhile = meanwhile

    def _save(self, name: str, content: Any) -> str:
        return str(super()._save(name, _Slow(content, lambda: self._meanwhile(name))))


class _Slow(File):
    def __init__(self, content: Any, meanwhile: Callable[[], Any]) -> None:
        super().__init__(content)
        self._meanwhile = meanwhile

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """The content's blocks."""
        for block in self.file.chunks(SlowStorage.BLOCK):
            yield block
            self._meanwhile()
