"""Messages over HTTP."""

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
from ai.api.wire import messages as wire
from ai.api.wire.base import Deleted, deleted, given
from ai.models import ChatThread, Message
from ai.services import messages

router = Router(tags=["Messages"])

BY_SEQUENCE = ("sequence",)


@router.get("/{thread_id}/messages", response=documented(ListAnswer[wire.MessageAnswer]), operation_id="listMessages")
async def index(request: HttpRequest, thread_id: str, query: Query[wire.MessageQuery]) -> HttpResponse:
    """What was said in the thread, the newest first."""

    def work() -> dict[str, Any]:
        rows = _of_thread(thread_id)
        if query.run_id:
            rows = rows.filter(run_id__in=[str(key) for key in lookups.keys(query.run_id)])
        return pages.read(rows, query, kind="message", by=BY_SEQUENCE).body(wire.messages)

    return await reply(work)


@router.post("/{thread_id}/messages", response=documented(wire.MessageAnswer), operation_id="createMessage")
async def create(request: HttpRequest, thread_id: str, data: Json[wire.CreateMessage]) -> HttpResponse:
    """Say something in the thread; not while a run is active, which would not hear it."""

    def work() -> dict[str, Any]:
        key = lookups.row(ChatThread.objects.only("pk"), "thread", thread_id).pk
        return wire.message(messages.create(thread_id=key, by=caller(request).by, at=timezone.now(), **given(data)))

    return await reply(work)


@router.get("/{thread_id}/messages/{message_id}", response=documented(wire.MessageAnswer), operation_id="getMessage")
async def read(request: HttpRequest, thread_id: str, message_id: str) -> HttpResponse:
    """The message."""
    return await reply(lambda: wire.message(_row(thread_id, message_id)))


@router.post(
    "/{thread_id}/messages/{message_id}", response=documented(wire.MessageAnswer), operation_id="modifyMessage"
)
async def modify(request: HttpRequest, thread_id: str, message_id: str, data: Json[wire.ModifyMessage]) -> HttpResponse:
    """Give the message other metadata."""

    def work() -> dict[str, Any]:
        row = _row(thread_id, message_id)
        if data.metadata is not None:
            row = messages.modify(message=row, metadata=data.metadata, by=caller(request).by, at=timezone.now())
        return wire.message(row)

    return await reply(work)


@router.delete("/{thread_id}/messages/{message_id}", response=documented(Deleted), operation_id="deleteMessage")
async def delete(request: HttpRequest, thread_id: str, message_id: str) -> HttpResponse:
    """Delete the message."""

    def work() -> dict[str, Any]:
        row = _row(thread_id, message_id)
        shown = wire.message(row)["id"]
        messages.delete(message=row, by=caller(request).by, at=timezone.now())
        return deleted(shown, "thread.message.deleted")

    return await reply(work)


def _of_thread(thread_id: str) -> Any:
    key = lookups.row(ChatThread.objects.only("pk"), "thread", thread_id).pk
    return Message.objects.filter(thread_id=str(key), is_listed=True)


def _row(thread_id: str, message_id: str) -> Message:
    row: Message = lookups.row(_of_thread(thread_id), "message", message_id)
    return row
