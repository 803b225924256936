"""The files of one vector store: a page of them, adding and removing, and passages that a search found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ai import tenancy
from ai.admin.parts import badges, facts, tools
from ai.exceptions import NotFound
from ai.models import DataSource, VectorStore, VectorStoreFile
from ai.models.passages import Passage
from ai.services import files, rendering, vector_store_files

PAGE_SIZE = 50
MOST_PAGES = 200
EXCERPT_CHARACTERS = 600


def page(row: VectorStore, number: str, *, may_change: bool) -> dict[str, Any]:
    """One page of the store's files, the newest first: two queries."""
    at = min(max(int(number), 1), MOST_PAGES) if number.isascii() and number.isdigit() else 1
    start = (at - 1) * PAGE_SIZE
    rows = VectorStoreFile.objects.filter(vector_store_id=row.pk).order_by("-created", "-pk")
    found = list(rows[start : start + PAGE_SIZE + 1])
    named = tools.files([file.file_id for file in found], tenant_id=row.tenant_id)
    known = {each["key"]: each for each in named}
    shown = [_file(file, known[file.file_id], row, may_change=may_change) for file in found[:PAGE_SIZE]]
    return {"files": shown, "page_number": at, "has_next": len(found) > PAGE_SIZE and at < MOST_PAGES}


def _file(file: VectorStoreFile, named: dict[str, Any], store: VectorStore, *, may_change: bool) -> dict[str, Any]:
    error = file.last_error if isinstance(file.last_error, dict) else {}
    chunks = (file.chunking_strategy or {}).get("static") or {}
    return {
        **named,
        "pk": file.pk,
        "status": badges.status(file.status, file.get_status_display()),
        "size": badges.size(file.usage_bytes) if file.usage_bytes else badges.NONE,
        "error": rendering.visible(str(error.get("message") or "")),
        "attributes": facts.pairs(file.attributes),
        "chunks": chunks.get("max_chunk_size_tokens"),
        "added": badges.when(file.created),
        "remove_url": badges.url("ai_vectorstore_remove", store.pk, file=file.file_id) if may_change else "",
    }


def add(row: VectorStore, *, file: Any, file_ids: Sequence[str], by: Any, at: datetime) -> int:
    """Upload a file and put it, and those named, into the store; how many.

    Raises:
        Forbidden, NotFound, InvalidInput, Conflict.
    """
    wanted = list(file_ids)
    with _scope(row):
        missing = set(wanted) - DataSource.objects.existing(wanted)
        if missing:  # asked before anything is uploaded
            raise NotFound(f"No file found with id '{min(missing)[:100]}'.")
        if file:
            wanted.append(files.add(file=file, purpose="assistants", tenant_id=row.tenant_id, by=by, at=at).file_id)
        if len(wanted) == 1:
            vector_store_files.add(store_id=row.pk, file_id=wanted[0], by=by, at=at)
        else:
            vector_store_files.add_batch(store_id=row.pk, file_ids=wanted, by=by, at=at)
    return len(wanted)


def remove(row: VectorStore, file_id: str, *, by: Any, at: datetime) -> None:
    """Take a file out of the store.

    Raises:
        Forbidden, NotFound.
    """
    with _scope(row):
        vector_store_files.remove(store_id=row.pk, file_id=file_id, by=by, at=at)


def _scope(row: VectorStore) -> Any:
    """The store's tenant alone: files of another that the person also sees do not get in."""
    return tenancy.scope(row.tenant_id) if row.tenant_id else tenancy.scope()


def found(passages: Sequence[Passage], *, tenant_id: UUID | None) -> list[dict[str, Any]]:
    """Passages as `parts/found.html` shows them: one query."""
    known = {each["key"]: each for each in tools.files([p.file_id for p in passages], tenant_id=tenant_id)}
    return [
        {
            "name": rendering.visible(passage.file_name),
            "url": known[passage.file_id]["url"],
            "is_gone": known[passage.file_id]["is_gone"],
            "score": f"{passage.score:.2f}",
            "percent": round(min(max(passage.score, 0.0), 1.0) * 100),
            "text": rendering.visible(passage.text[:EXCERPT_CHARACTERS]),
            "is_cut": len(passage.text) > EXCERPT_CHARACTERS,
        }
        for passage in passages
    ]
