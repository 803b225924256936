"""Threads over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router

from ai.api import lookups, pages
from ai.api.answers import documented, reply
from ai.api.auth import caller
from ai.api.bodies import Json
from ai.api.pages import ListAnswer
from ai.api.wire import threads as wire
from ai.api.wire.base import Deleted, deleted, given
from ai.models import ChatThread
from ai.services import search, threads

router = Router(tags=["Threads"])


@router.get("", response=documented(ListAnswer[wire.ThreadAnswer]), operation_id="listThreads")
async def index(request: HttpRequest, query: Query[wire.ThreadQuery]) -> HttpResponse:
    """The tenant's threads, the newest first; with `q` those in which something was said. OpenAI never had this."""

    def work() -> dict[str, Any]:
        rows = ChatThread.objects.all()
        if query.user:
            rows = rows.filter(user_id=query.user)
        if query.q:
            rows = rows.filter(pk__in=list(search.threads(query.q)))
        return pages.read(rows, query, kind="thread").body(wire.threads)

    return await reply(work)


@router.post("", response=documented(wire.ThreadAnswer), operation_id="createThread")
async def create(request: HttpRequest, data: Json[wire.CreateThread]) -> HttpResponse:
    """A thread, with the messages it begins with."""

    def work() -> dict[str, Any]:
        who = caller(request)
        return wire.thread(threads.create(tenant_id=who.tenant_id, by=who.by, at=timezone.now(), **given(data)))

    return await reply(work)


@router.get("/{thread_id}", response=documented(wire.ThreadAnswer), operation_id="getThread")
async def read(request: HttpRequest, thread_id: str) -> HttpResponse:
    """The thread."""
    return await reply(lambda: wire.thread(lookups.row(ChatThread.objects, "thread", thread_id)))


@router.post("/{thread_id}", response=documented(wire.ThreadAnswer), operation_id="modifyThread")
async def modify(request: HttpRequest, thread_id: str, data: Json[wire.ModifyThread]) -> HttpResponse:
    """Change what is given, and leave the rest."""

    def work() -> dict[str, Any]:
        key = lookups.row(ChatThread.objects.only("pk"), "thread", thread_id).pk
        return wire.thread(threads.modify(thread_id=key, by=caller(request).by, at=timezone.now(), **given(data)))

    return await reply(work)


@router.delete("/{thread_id}", response=documented(Deleted), operation_id="deleteThread")
async def delete(request: HttpRequest, thread_id: str) -> HttpResponse:
    """Delete the thread with its messages and runs; files and vector stores stay."""

    def work() -> dict[str, Any]:
        row: ChatThread = lookups.row(ChatThread.objects, "thread", thread_id)
        shown = wire.thread(row)["id"]
        threads.delete(thread_ids=[row.pk], by=caller(request).by, at=timezone.now())
        return deleted(shown, "thread.deleted")

    return await reply(work)
