"""Vector stores, their files and batches of files on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from ai.api.pages import PageQuery
from ai.api.wire.base import AS_IT_CAME, BY_TYPE, Metadata, Request, seconds
from ai.api.wire.names import PublicIds
from ai.models import VectorStore, VectorStoreBatch, VectorStoreFile
from ai.models.passages import Passage

MOST_FILES_AT_FIRST = 500
MOST_FILES_IN_A_BATCH = 2000
MOST_QUERIES = 32
MOST_QUERY_CHARACTERS = 4096

MOST_ATTRIBUTE_CHARACTERS = 512

FileId = Annotated[str, StringConstraints(max_length=255)]


def _attribute(value: Any) -> Any:
    if isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= MOST_ATTRIBUTE_CHARACTERS):
        return value
    raise PydanticCustomError("attribute", "expected a string of at most 512 characters, a number or a boolean")


_ATTRIBUTE = {"anyOf": [{"type": "string", "maxLength": 512}, {"type": "number"}, {"type": "boolean"}]}

#: At most 16 pairs, of texts, numbers or booleans.
Attributes = Annotated[
    dict[
        Annotated[str, StringConstraints(max_length=64)],
        Annotated[Any, BeforeValidator(_attribute), WithJsonSchema(_ATTRIBUTE)],
    ],
    Field(max_length=16),
    AS_IT_CAME,
]

Status = Literal["in_progress", "completed", "cancelled", "failed"]


class ExpiresAfter(BaseModel):
    """A store expires when it was not used for so many days."""

    anchor: Literal["last_active_at"]
    days: int = Field(ge=1, le=365, strict=True)


class ModifyStore(Request):
    """Changes to a store; what is absent stays as it is. With `expires_after` null it does not expire."""

    name: str | None = Field(None, max_length=256)
    description: str | None = Field(None, max_length=512)
    metadata: Metadata | None = None
    expires_after: ExpiresAfter | None = None


class CreateStore(ModifyStore):
    """A new store, with the files that it begins with."""

    file_ids: list[FileId] | None = Field(None, max_length=MOST_FILES_AT_FIRST)
    chunking_strategy: dict[str, Any] | None = None


class CreateFile(Request):
    """A file for a store."""

    file_id: FileId
    attributes: Attributes | None = None
    chunking_strategy: dict[str, Any] | None = None


class ModifyFile(Request):
    """Other attributes for a file; null takes them away."""

    attributes: Attributes | None = Field(...)


class CreateBatch(Request):
    """Many files for a store: `file_ids` that share what is said of them, or `files` that say it each for itself."""

    file_ids: list[FileId] | None = Field(None, min_length=1, max_length=MOST_FILES_IN_A_BATCH)
    files: list[CreateFile] | None = Field(None, min_length=1, max_length=MOST_FILES_IN_A_BATCH)
    attributes: Attributes | None = None
    chunking_strategy: dict[str, Any] | None = None


class RankingOptions(BaseModel):
    """How passages are ranked. The ranker "none" leaves embeddings out; all others are the same."""

    ranker: str | None = Field(None, max_length=64)
    score_threshold: float | None = Field(None, ge=0, le=1)


Query = Annotated[str, StringConstraints(min_length=1, max_length=MOST_QUERY_CHARACTERS)]
Queries = Annotated[list[Query], Field(min_length=1, max_length=MOST_QUERIES)]


class Search(Request):
    """A search. `rewrite_query` is taken and does nothing: words are looked for as they stand."""

    query: Annotated[Annotated[Query, Tag("#string")] | Annotated[Queries, Tag("#array")], BY_TYPE]
    max_num_results: int | None = Field(None, ge=1, le=50, strict=True)
    filters: dict[str, Any] | None = None
    ranking_options: RankingOptions | None = None
    rewrite_query: bool | None = None


class FilesQuery(PageQuery):
    """Which files of a store, and the page of them."""

    filter: Status | None = None


class FileCounts(BaseModel):
    """How many files are in which state."""

    in_progress: int
    completed: int
    failed: int
    cancelled: int
    total: int


class StoreAnswer(BaseModel):
    """A vector store."""

    id: str
    object: Literal["vector_store"]
    created_at: int
    name: str
    description: str | None
    usage_bytes: int
    file_counts: FileCounts
    status: Literal["expired", "in_progress", "completed"]
    expires_after: dict[str, Any] | None
    expires_at: int | None
    last_active_at: int | None
    metadata: dict[str, str]


class FileAnswer(BaseModel):
    """A file in a vector store."""

    id: str
    object: Literal["vector_store.file"]
    usage_bytes: int
    created_at: int
    vector_store_id: str
    status: Status
    last_error: dict[str, str] | None
    chunking_strategy: dict[str, Any]
    attributes: dict[str, Any]


class BatchAnswer(BaseModel):
    """Files that were added together."""

    id: str
    object: Literal["vector_store.files_batch"]
    created_at: int
    vector_store_id: str
    status: Status
    file_counts: FileCounts


class Content(BaseModel):
    """A piece of text."""

    type: Literal["text"]
    text: str


class ContentAnswer(BaseModel):
    """What was read of a file."""

    object: Literal["vector_store.file_content.page"]
    data: list[Content]
    has_more: bool
    next_page: str | None


class FoundAnswer(BaseModel):
    """A passage that was found."""

    file_id: str
    filename: str
    score: float
    attributes: dict[str, Any]
    content: list[Content]


class SearchAnswer(BaseModel):
    """What was found, the best first."""

    object: Literal["vector_store.search_results.page"]
    search_query: list[str]
    data: list[FoundAnswer]
    has_more: bool
    next_page: str | None


def _counts(found: Mapping[str, int]) -> dict[str, int]:
    counts = {status: found.get(status, 0) for status in ("in_progress", "completed", "failed", "cancelled")}
    return {**counts, "total": sum(counts.values())}


def stores(rows: Sequence[VectorStore], *, at: datetime) -> list[dict[str, Any]]:
    """The stores as JSON: two queries at most, whatever their number."""
    ids = PublicIds(*(row.pk for row in rows))
    counts = VectorStoreFile.objects.counts(row.pk for row in rows)
    return [
        {
            "id": ids.of("vector_store", row.pk),
            "object": "vector_store",
            "created_at": seconds(row.created),
            # Clients' types want a text.
            "name": row.name or "",
            "description": row.description,
            "usage_bytes": row.usage_bytes,
            "file_counts": _counts(counts.get(row.pk, {})),
            "status": _status(row, counts.get(row.pk, {}), at),
            "expires_after": row.expires_after,
            "expires_at": seconds(row.expires_at),
            "last_active_at": seconds(row.last_active_at),
            "metadata": row.metadata or {},
        }
        for row in rows
    ]


def _status(row: VectorStore, counts: Mapping[str, int], at: datetime) -> str:
    if row.has_expired(at):
        return "expired"
    return "in_progress" if counts.get("in_progress") else "completed"


def store(row: VectorStore, *, at: datetime) -> dict[str, Any]:
    """One of them."""
    return stores([row], at=at)[0]


def files(rows: Sequence[VectorStoreFile]) -> list[dict[str, Any]]:
    """The files of stores as JSON: one query at most."""
    ids = PublicIds(*(row.vector_store_id for row in rows))
    return [
        {
            "id": row.file_id,
            "object": "vector_store.file",
            "usage_bytes": row.usage_bytes,
            "created_at": seconds(row.created),
            "vector_store_id": ids.of("vector_store", row.vector_store_id),
            "status": row.status,
            "last_error": row.last_error,
            "chunking_strategy": row.chunking_strategy or {"type": "other"},
            "attributes": row.attributes or {},
        }
        for row in rows
    ]


def file(row: VectorStoreFile) -> dict[str, Any]:
    """One of them."""
    return files([row])[0]


def batch(row: VectorStoreBatch) -> dict[str, Any]:
    """A batch as JSON: two queries at most."""
    ids = PublicIds(row.pk, row.vector_store_id)
    counts = VectorStoreFile.objects.batch_counts([row.pk]).get(row.pk, {})
    return {
        "id": ids.of("batch", row.pk),
        "object": "vector_store.files_batch",
        "created_at": seconds(row.created),
        "vector_store_id": ids.of("vector_store", row.vector_store_id),
        "status": _ended(row.status, counts),
        "file_counts": _counts(counts),
    }


def _ended(status: str, counts: Mapping[str, int]) -> str:
    """The batch's status. It ends a moment after its last file, and clients stop waiting as soon as no file is in progress."""
    is_over = status == "in_progress" and counts and not counts.get("in_progress")
    return "completed" if is_over else status


def content(texts: Sequence[str]) -> dict[str, Any]:
    """What was read of a file."""
    data = [{"type": "text", "text": text} for text in texts]
    return {"object": "vector_store.file_content.page", "data": data, "has_more": False, "next_page": None}


def found(queries: Sequence[str], passages: Sequence[Passage]) -> dict[str, Any]:
    """What was found."""
    data = [
        {
            "file_id": passage.file_id,
            "filename": passage.file_name,
            "score": round(passage.score, 6),
            "attributes": dict(passage.attributes),
            "content": [{"type": "text", "text": passage.text}],
        }
        for passage in passages
    ]
    return {
        "object": "vector_store.search_results.page",
        "search_query": list(queries),
        "data": data,
        "has_more": False,
        "next_page": None,
    }
