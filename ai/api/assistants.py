"""Assistants over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router

from ai.api import lookups, pages
from ai.api.answers import documented, reply
from ai.api.auth import caller
from ai.api.bodies import Json
from ai.api.pages import ListAnswer, PageQuery
from ai.api.wire import assistants as wire
from ai.api.wire.base import Deleted, deleted, given
from ai.models import Assistant
from ai.services import assistants

router = Router(tags=["Assistants"])


@router.get("", response=documented(ListAnswer[wire.AssistantAnswer]), operation_id="listAssistants")
async def index(request: HttpRequest, query: Query[PageQuery]) -> HttpResponse:
    """The tenant's assistants, the newest first."""
    return await reply(lambda: pages.read(Assistant.objects.all(), query, kind="assistant").body(wire.assistants))


@router.post("", response=documented(wire.AssistantAnswer), operation_id="createAssistant")
async def create(request: HttpRequest, data: Json[wire.CreateAssistant]) -> HttpResponse:
    """A model with instructions and tools, under a name."""

    def work() -> dict[str, Any]:
        who = caller(request)
        row = assistants.create(tenant_id=who.tenant_id, by=who.by, at=timezone.now(), **given(data))
        return wire.assistant(row)

    return await reply(work)


@router.get("/{assistant_id}", response=documented(wire.AssistantAnswer), operation_id="getAssistant")
async def read(request: HttpRequest, assistant_id: str) -> HttpResponse:
    """The assistant."""
    return await reply(lambda: wire.assistant(lookups.row(Assistant.objects, "assistant", assistant_id)))


@router.post("/{assistant_id}", response=documented(wire.AssistantAnswer), operation_id="modifyAssistant")
async def modify(request: HttpRequest, assistant_id: str, data: Json[wire.ModifyAssistant]) -> HttpResponse:
    """Change what is given, and leave the rest."""

    def work() -> dict[str, Any]:
        key = lookups.row(Assistant.objects, "assistant", assistant_id).pk
        row = assistants.modify(assistant_id=key, by=caller(request).by, at=timezone.now(), **given(data))
        return wire.assistant(row)

    return await reply(work)


@router.delete("/{assistant_id}", response=documented(Deleted), operation_id="deleteAssistant")
async def delete(request: HttpRequest, assistant_id: str) -> HttpResponse:
    """Delete the assistant; its threads and runs stay."""

    def work() -> dict[str, Any]:
        row: Assistant = lookups.row(Assistant.objects, "assistant", assistant_id)
        shown = wire.assistant(row)["id"]
        assistants.delete(assistant=row, by=caller(request).by, at=timezone.now())
        return deleted(shown, "assistant.deleted")

    return await reply(work)
