"""Vector stores over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router

from ai import conf
from ai.api import lookups, pages
from ai.api.answers import documented, reply
from ai.api.auth import caller
from ai.api.bodies import Json
from ai.api.pages import ListAnswer, PageQuery
from ai.api.wire import vector_stores as wire
from ai.api.wire.base import Deleted, deleted, given
from ai.models import VectorStore
from ai.services import vector_stores

router = Router(tags=["Vector stores"])


@router.get("", response=documented(ListAnswer[wire.StoreAnswer]), operation_id="listVectorStores")
async def index(request: HttpRequest, query: Query[PageQuery]) -> HttpResponse:
    """The tenant's vector stores, the newest first."""

    def work() -> dict[str, Any]:
        page = pages.read(VectorStore.objects.all(), query, kind="vector_store")
        return page.body(lambda rows: wire.stores(rows, at=timezone.now()))

    return await reply(work)


@router.post("", response=documented(wire.StoreAnswer), operation_id="createVectorStore")
async def create(request: HttpRequest, data: Json[wire.CreateStore]) -> HttpResponse:
    """A set of files to search. Workers read them."""

    def work() -> dict[str, Any]:
        who, at = caller(request), timezone.now()
        row = vector_stores.create(tenant_id=who.tenant_id, by=who.by, at=at, **_values(data))
        return wire.store(row, at=at)

    return to_poll(await reply(work))


@router.get("/{vector_store_id}", response=documented(wire.StoreAnswer), operation_id="getVectorStore")
async def read(request: HttpRequest, vector_store_id: str) -> HttpResponse:
    """The vector store."""
    return to_poll(await reply(lambda: wire.store(store_of(vector_store_id), at=timezone.now())))


@router.post("/{vector_store_id}", response=documented(wire.StoreAnswer), operation_id="modifyVectorStore")
async def modify(request: HttpRequest, vector_store_id: str, data: Json[wire.ModifyStore]) -> HttpResponse:
    """Change what is given, and leave the rest."""

    def work() -> dict[str, Any]:
        key, at, values = store_of(vector_store_id).pk, timezone.now(), _values(data)
        if "expires_after" in data.model_fields_set:
            values.setdefault("expires_after", None)
        return wire.store(vector_stores.modify(store_id=key, by=caller(request).by, at=at, **values), at=at)

    return await reply(work)


@router.delete("/{vector_store_id}", response=documented(Deleted), operation_id="deleteVectorStore")
async def delete(request: HttpRequest, vector_store_id: str) -> HttpResponse:
    """Delete the vector store; its files stay."""

    def work() -> dict[str, Any]:
        row, at = store_of(vector_store_id), timezone.now()
        shown = wire.store(row, at=at)["id"]
        vector_stores.delete(store_id=row.pk, by=caller(request).by, at=at)
        return deleted(shown, "vector_store.deleted")

    return await reply(work)


@router.post("/{vector_store_id}/search", response=documented(wire.SearchAnswer), operation_id="searchVectorStore")
async def search(request: HttpRequest, vector_store_id: str, data: Json[wire.Search]) -> HttpResponse:
    """The passages of the files that answer a query best."""

    def work() -> dict[str, Any]:
        passages = vector_stores.search(
            store_id=store_of(vector_store_id).pk,
            query=data.query,
            most=data.max_num_results or vector_stores.USUAL_RESULTS,
            filters=data.filters,
            ranking_options=given(data.ranking_options) if data.ranking_options else None,
            by=caller(request).by,
            at=timezone.now(),
        )
        return wire.found([data.query] if isinstance(data.query, str) else data.query, passages)

    return await reply(work)


def store_of(vector_store_id: str) -> VectorStore:
    """The store in scope."""
    row: VectorStore = lookups.row(VectorStore.objects, "vector_store", vector_store_id)
    return row


def to_poll(response: HttpResponse) -> HttpResponse:
    """Tell clients that poll how soon to ask again: without it they wait for a second."""
    response.headers["openai-poll-after-ms"] = str(conf.current().poll_after_ms)
    return response


def _values(data: wire.ModifyStore) -> dict[str, Any]:
    values = given(data)
    if data.expires_after is not None:
        values["expires_after"] = data.expires_after.model_dump()
    return values
