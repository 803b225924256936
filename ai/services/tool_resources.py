"""What the tools of an assistant or a thread work on: files for code, vector stores for search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ai import ids, tenancy
from ai.exceptions import NotFound
from ai.models import ChatThread, DataSource, VectorStore
from ai.services import vector_stores


def merged(
    before: dict[str, Any],
    given: dict[str, Any],
    *,
    by: Any,
    at: datetime,
    expires_after: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The resources after a client gave new ones: a tool that it names gets what it says, the others keep theirs.

    Args:
        before: what was kept, with ids that may lead nowhere any more.
        given: the Assistants API's `tool_resources`; `file_search.vector_stores` are made.
        expires_after: when stores that are made expire.

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
        made = [_make(new, by=by, at=at, expires_after=expires_after) for new in search.get("vector_stores") or []]
        kept["file_search"] = {"vector_store_ids": [*stores, *made]}
    return kept


def add_attachments(*, thread_id: UUID, messages: Sequence[Mapping[str, Any]], by: Any, at: datetime) -> None:
    """Give the files attached to a locked thread's new messages to the tools that they were attached for.

    Raises:
        Forbidden: `by` may not change vector stores.
    """
    thread: ChatThread = ChatThread.objects.get(pk=thread_id)
    for_code = _attached(messages, "code_interpreter")
    if for_code:
        resources = dict((thread.data or {}).get("tool_resources") or {})
        before = (resources.get("code_interpreter") or {}).get("file_ids") or []
        resources["code_interpreter"] = {"file_ids": list(dict.fromkeys([*before, *for_code]))}
        thread = ChatThread.objects.change_data(thread_id, at=at, tool_resources=resources) or thread
    if for_search := _attached(messages, "file_search"):
        vector_stores.attach_to_thread(thread=thread, file_ids=for_search, by=by, at=at)


def _attached(messages: Sequence[Mapping[str, Any]], tool: str) -> list[str]:
    """The files that are attached for a tool, each once."""
    attachments = [attachment for message in messages for attachment in message.get("attachments") or []]
    files = [a["file_id"] for a in attachments if any(t.get("type") == tool for t in a.get("tools") or [])]
    return list(dict.fromkeys(files))


def _known(resources: dict[str, Any], tool: str, name: str) -> frozenset[str]:
    return frozenset((resources.get(tool) or {}).get(name) or ())


def _make(new: dict[str, Any], *, by: Any, at: datetime, expires_after: dict[str, Any] | None) -> str:
    more = {name: new[name] for name in ("file_ids", "chunking_strategy", "metadata") if new.get(name) is not None}
    store = vector_stores.create(by=by, at=at, expires_after=expires_after, **more)
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
