"""Searching vector stores: from questions to passages of files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import TextField
from django.db.models.functions import Cast
from pydantic_core import from_json

from ai.models.chunks import Chunk, Hit
from ai.models.data_sources import DataSource
from ai.models.vector_stores import StoreFileStatus, VectorStoreFile
from ai.stores.filters import Matches


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a file that answers a question, and how well: `score` is from 0 to 1."""

    file_id: str
    file_name: str
    attributes: Mapping[str, Any]
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and its embedding where there is one."""

    text: str
    vector: Sequence[float] | None = None


def find(
    store_ids: Sequence[UUID],
    questions: Iterable[Question],
    *,
    most: int,
    matches: Matches | None = None,
    threshold: float = 0.0,
) -> list[Passage]:
    """The passages in these stores that answer any of the questions best, the best first; each passage once.

    Args:
        matches: whether files with such attributes may be shown.
        threshold: passages with a lower score are left out.
    """
    wanted = _Passing(store_ids, matches) if matches else None
    best: dict[int, Hit] = {}
    for question in questions:
        for hit in Chunk.objects.search(store_ids, question.text, most=most, wanted=wanted, vector=question.vector):
            known = best.get(hit.chunk_id)
            best[hit.chunk_id] = hit if known is None or hit.score > known.score else known
    hits = sorted(best.values(), key=lambda hit: (-hit.score, hit.chunk_id))
    return _passages([hit for hit in hits if hit.score >= threshold][:most])


class _Passing:
    """The files of stores whose attributes pass."""

    def __init__(self, store_ids: Sequence[UUID], matches: Matches) -> None:
        files = VectorStoreFile.objects.filter(vector_store_id__in=store_ids).order_by()
        # As texts: many files have the same attributes, and turning rows into objects is most of the work.
        self._files = files.annotate(key=Cast("pk", TextField()), said=Cast("attributes", TextField()))
        self._matches = matches
        self._known: dict[str, bool] = {}

    def among(self, keys: Collection[UUID]) -> set[UUID]:
        """Which of these pass."""
        return set(self._passing(self._files.filter(pk__in=list(keys))))

    def first(self, most: int) -> list[UUID]:
        """So many that pass."""
        return list(islice(self._passing(self._files), most))

    def _passing(self, files: Any) -> Iterator[UUID]:
        for key, said in files.values_list("key", "said").iterator():
            if said not in self._known:
                self._known[said] = self._matches(from_json(said) or {})
            if self._known[said]:
                yield UUID(key)


def _passages(hits: list[Hit]) -> list[Passage]:
    rows = VectorStoreFile.objects.filter(pk__in={hit.store_file_id for hit in hits}, status=StoreFileStatus.COMPLETED)
    files = {
        key: (file_id, attributes)
        for key, file_id, attributes in rows.order_by().values_list("pk", "file_id", "attributes")
    }
    known = DataSource.objects.filter(file_id__in={file_id for file_id, _ in files.values()})
    names = dict(known.order_by().values_list("file_id", "name"))
    passages = []
    for hit in hits:
        if hit.store_file_id in files:
            file_id, attributes = files[hit.store_file_id]
            passages.append(Passage(file_id, names.get(file_id, file_id), attributes or {}, hit.text, hit.score))
    return passages
