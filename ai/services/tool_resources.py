"""What the tools of an assistant or a thread work on: files for code, vector stores for search."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from ai import ids, tenancy
from ai.exceptions import NotFound
from ai.models import DataSource, VectorStore


def merged(before: dict[str, Any], given: dict[str, Any], *, by: Any, at: datetime) -> dict[str, Any]:
    """The resources after a client gave new ones: a tool that it names gets what it says, the others keep theirs.

    Args:
        before: what was kept, with ids that may lead nowhere any more.
        given: the Assistants API's `tool_resources`; `file_search.vector_stores` are made.

    Raises:
        Forbidden: `by` may not make vector stores.
        NotFound: a file or vector store does not exist in scope.
    """
    kept = dict(before)
    code, search = given.get("code_interpreter"), given.get("file_search")
    if code is not None:
        files = list(dict.fromkeys(code.get("file_ids") or []))
        _require_files(files, known=_known(before, "code_interpreter", "file_ids"))
        kept["code_interpreter"] = {"file_ids": files}
    if search is not None:
        stores = list(dict.fromkeys(search.get("vector_store_ids") or []))
        _require_stores(stores, known=_known(before, "file_search", "vector_store_ids"))
        made = [_make(new, by=by, at=at) for new in search.get("vector_stores") or []]
        kept["file_search"] = {"vector_store_ids": [*stores, *made]}
    return kept


def _known(resources: dict[str, Any], tool: str, name: str) -> frozenset[str]:
    return frozenset((resources.get(tool) or {}).get(name) or ())


def _make(new: dict[str, Any], *, by: Any, at: datetime) -> str:
    from ai.services import vector_stores

    more = {name: new[name] for name in ("file_ids", "chunking_strategy", "metadata") if new.get(name) is not None}
    store = vector_stores.create(by=by, at=at, **more)
    return ids.public("vector_store", store.pk)


def _require_files(file_ids: Iterable[str], *, known: frozenset[str]) -> None:
    wanted = [file_id for file_id in file_ids if file_id not in known]
    found = DataSource.objects.existing(wanted)
    for file_id in wanted:
        if file_id not in found:
            raise NotFound(f"No file found with id '{file_id[:100]}'.")


def _require_stores(store_ids: Iterable[str], *, known: frozenset[str]) -> None:
    for text in store_ids:
        if text not in known and not _stores(text).exists():
            raise NotFound(f"No vector store found with id '{text[:100]}'.")


def _stores(text: str) -> Any:
    keys: list[UUID] = ids.keys(tenancy.get_current_tenant_id(), text)
    return VectorStore.objects.filter(pk__in=keys)
