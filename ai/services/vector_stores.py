"""What a person can do with vector stores: make, change, search and delete them. Their files are in `vector_store_files`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ai import ids
from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import ChatThread, VectorStore, VectorStoreFile
from ai.models.passages import Passage, find
from ai.services import audit, embeddings, permissions, vector_store_files
from ai.stores.filters import compiled

#: A store that was made for a thread's attachments lives so long after it was last used, as in the Assistants API.
THREAD_STORE_EXPIRES: dict[str, Any] = {"anchor": "last_active_at", "days": 7}

USUAL_RESULTS = 10

#: The limits of the API.
MOST_PAIRS = 16
MOST_NAME = 64
MOST_VALUE = 512
MOST_DAYS = 365
COLUMNS = ("name", "description", "metadata", "expires_after")


def of_id(store_id: UUID, *, at: datetime | None = None) -> VectorStore:
    """The store in scope.

    Args:
        at: with it, the store must not have expired by then.

    Raises:
        NotFound.
        Conflict: it has expired.
    """
    store: VectorStore | None = VectorStore.objects.filter(pk=store_id).first()
    if store is None:
        raise NotFound(f"No vector store found with id '{ids.public('vector_store', store_id)}'.")
    if at is not None and store.has_expired(at):
        raise Conflict(
            f"The vector store '{ids.public('vector_store', store_id)}' has expired; make a new one for its files.",
            code="vector_store_expired",
        )
    return store


def check(store: VectorStore) -> None:
    """Raise `InvalidInput` when a store's metadata or its expiry is not as the API has them, saying what to change."""
    pairs = store.metadata if isinstance(store.metadata, dict) else None
    if pairs is None or len(pairs) > MOST_PAIRS or not all(map(_is_pair, pairs.items())):
        raise InvalidInput(
            f"Metadata are at most {MOST_PAIRS} pairs of texts, of up to {MOST_NAME} and {MOST_VALUE} characters.",
            param="metadata",
        )
    if store.expires_after is not None and not _is_expiry(store.expires_after):
        raise InvalidInput(
            'An expiry is written {"anchor": "last_active_at", "days": 7}, with 1 to 365 days.', param="expires_after"
        )


def _is_pair(pair: tuple[Any, Any]) -> bool:
    name, value = pair
    return isinstance(value, str) and len(name) <= MOST_NAME and len(value) <= MOST_VALUE


def _is_expiry(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() != {"anchor", "days"} or value["anchor"] != "last_active_at":
        return False
    return type(value["days"]) is int and 1 <= value["days"] <= MOST_DAYS


@transaction.atomic
def create(
    *,
    by: Any,
    at: datetime,
    tenant_id: UUID | None = None,
    store_id: UUID | None = None,
    file_ids: Sequence[str] = (),
    chunking_strategy: Any = None,
    **values: Any,
) -> VectorStore:
    """A new vector store; workers read its files when the transaction commits.

    Args:
        store_id: the id that it had elsewhere; without it, it gets one.
        file_ids: files to begin with, cut as `chunking_strategy` says.
        values: any of `name`, `description`, `metadata` and `expires_after`, as the API has them.

    Raises:
        Forbidden, InvalidInput.
        NotFound: a file does not exist.
    """
    permissions.require(by, "ai.add_vectorstore")
    known = {"id": store_id} if store_id else {}
    store = VectorStore(tenant_id=VectorStore.objects.tenant_for_new_row(tenant_id), **known)
    for name in COLUMNS:
        setattr(store, name, values.get(name, getattr(store, name)))
    VectorStore.objects.make(store, at=at)
    audit.record("vector_store.added", target=store, by=by, at=at, name=store.name)
    if file_ids:
        vector_store_files.insert(store, file_ids, by=by, at=at, chunking_strategy=chunking_strategy)
    return store


@transaction.atomic
def modify(*, store_id: UUID, by: Any, at: datetime, **values: Any) -> VectorStore:
    """Change those of `create`'s values that are given; `expires_after=None` makes the store stay.

    Raises:
        Forbidden, NotFound.
        Conflict: it has expired.
    """
    permissions.require(by, "ai.change_vectorstore")
    store = of_id(store_id, at=at)
    VectorStore.objects.change(store, at=at, **{name: values[name] for name in COLUMNS if name in values})
    audit.record("vector_store.changed", target=store, by=by, at=at, values=sorted(values))
    return store


def delete(*, store_id: UUID, by: Any, at: datetime) -> None:
    """Delete a vector store; its files stay. A big one goes in slices, so that nobody has to wait for it long.

    Raises:
        Forbidden, NotFound.
    """
    permissions.require(by, "ai.delete_vectorstore")
    store = of_id(store_id)
    VectorStore.objects.empty(store.pk, at=at)
    with transaction.atomic():
        VectorStore.objects.delete_store(store.pk, at=at)
        audit.record("vector_store.deleted", target=store, by=by, at=at, name=store.name)


def search(
    *,
    store_id: UUID,
    query: str | Sequence[str],
    by: Any,
    at: datetime,
    most: int = USUAL_RESULTS,
    filters: Any = None,
    ranking_options: Mapping[str, Any] | None = None,
    is_use: bool = True,
) -> list[Passage]:
    """The passages of a store's files that answer a query, or any of several, best; the best first.

    Args:
        most: at most so many, from 1 to 50.
        filters: over the attributes of files, see `ai.stores.filters`.
        ranking_options: of them, `score_threshold` (0 to 1) counts, and the `ranker` "none", which leaves out embeddings.
        is_use: whether it puts off the store's expiry; a look at what it would find changes nothing.

    Raises:
        Forbidden, NotFound, InvalidInput.
        Conflict: the store has expired.
    """
    permissions.require(by, "ai.view_vectorstore")
    store = of_id(store_id, at=at)
    asked = [query] if isinstance(query, str) else list(query)
    if not any(text.strip() for text in asked):
        raise InvalidInput("The query says nothing.", param="query")
    options = ranking_options or {}
    questions = embeddings.questions(asked, words_only=options.get("ranker") == "none")
    if is_use:
        VectorStore.objects.touch([store], at=at)
    return find(
        [store.pk],
        questions,
        most=most,
        matches=compiled(filters) if filters else None,
        threshold=float(options.get("score_threshold") or 0.0),
    )


@transaction.atomic
def attach_to_thread(*, thread: ChatThread, file_ids: Sequence[str], by: Any, at: datetime) -> VectorStore:
    """Let runs of a thread search files that were attached to it.

    They go to the thread's vector store; where it has none, or one that is gone or has expired, one is made, which expires
    when the thread was silent for a week.

    Raises:
        Forbidden.
        NotFound: a file does not exist.
    """
    permissions.require(by, "ai.change_vectorstore")
    resources = dict((thread.data or {}).get("tool_resources") or {})
    store = _store_of(resources, thread.tenant_id, at)
    if store is None:
        store = create(by=by, at=at, tenant_id=thread.tenant_id, expires_after=THREAD_STORE_EXPIRES)
        resources["file_search"] = {"vector_store_ids": [ids.public("vector_store", store.pk)]}
        changed = ChatThread.objects.change_data(thread.pk, at=at, tool_resources=resources)
        thread.data = changed.data if changed else thread.data
    # What is there already has been read: an attachment sent twice is not read twice.
    known = VectorStoreFile.objects.filter(vector_store_id=store.pk, file_id__in=list(file_ids))
    there = set(known.values_list("file_id", flat=True))
    if fresh := [file_id for file_id in file_ids if file_id not in there]:
        vector_store_files.insert(store, fresh, by=by, at=at)
    return store


def _store_of(resources: Mapping[str, Any], tenant_id: UUID | None, at: datetime) -> VectorStore | None:
    """The living vector store among a thread's resources."""
    texts = (resources.get("file_search") or {}).get("vector_store_ids") or []
    keys = [key for text in texts for key in ids.keys(tenant_id or "", text)]
    found: VectorStore | None = VectorStore.objects.alive(at).filter(pk__in=keys).order_by("pk").first()
    return found
