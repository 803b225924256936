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

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        """Keep it, block by block."""
        return super().save(name, _Slow(content, lambda: self._meanwhile(str(name))), max_length)


class _Slow(File):  # type: ignore[type-arg]
    def __init__(self, content: Any, meanwhile: Callable[[], Any]) -> None:
        super().__init__(content)
        self._content, self._meanwhile = content, meanwhile

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """The content's blocks."""
        for block in self._content.chunks(SlowStorage.BLOCK):
            yield block
            self._meanwhile()
