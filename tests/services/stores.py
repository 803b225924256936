"""Vector stores with files in them, for tests of what people do with them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from ai.models import DataSource, VectorStore, VectorStoreFile
from ai.services import actors, vector_store_reading, vector_stores

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
SYSTEM = actors.SYSTEM

REFUNDS = "A refund is paid within fourteen days after the parcel has come back."
HOURS = "The shop opens at nine and closes at six."


def uploaded(text: str | bytes, name: str = "a.txt") -> str:
    """The id of a new file."""
    content = text.encode() if isinstance(text, str) else text
    return str(DataSource.objects.add_file(content, name).file_id)


def store_of(*texts: str, **values: Any) -> VectorStore:
    """A store whose files say this, read."""
    file_ids = [uploaded(text, f"{number}.txt") for number, text in enumerate(texts)]
    store = vector_stores.create(by=SYSTEM, at=AT, file_ids=file_ids, **values)
    read_all()
    return store


def read_all(at: datetime = AT) -> int:
    """Do what a worker does."""
    return vector_store_reading.read_waiting(now=lambda: at)


def states(store: VectorStore) -> dict[str, str]:
    """The state of each of a store's files."""
    rows: Iterable[tuple[str, str]] = VectorStoreFile.objects.filter(vector_store_id=store.pk).values_list(
        "file_id", "status"
    )
    return dict(rows)
