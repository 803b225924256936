"""Models over HTTP."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import BaseModel

from ai.api.answers import documented, reply
from ai.api.auth import caller
from ai.api.wire.base import seconds
from ai.services import model_routes
from ai.stores.serialization import clean_text

router = Router(tags=["Models"])


class ModelAnswer(BaseModel):
    """A model that can be asked for."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    """All of them."""

    object: Literal["list"]
    data: list[ModelAnswer]


@router.get("", response=documented(ModelList), operation_id="listModels")
async def index(request: HttpRequest) -> HttpResponse:
    """The models that this key's tenant can ask for."""

    def work() -> dict[str, Any]:
        found = model_routes.offers(tenant_id=caller(request).tenant_id)
        return {"object": "list", "data": [_model(each) for each in found]}

    return await reply(work)


@router.get("/{path:model_id}", response=documented(ModelAnswer), operation_id="getModel")
async def read(request: HttpRequest, model_id: str) -> HttpResponse:
    """The model."""
    name = clean_text(model_id)
    return await reply(lambda: _model(model_routes.offer(name, tenant_id=caller(request).tenant_id)))


def _model(offer: model_routes.Offer) -> dict[str, Any]:
    return {"id": offer.name, "object": "model", "created": seconds(offer.since) or 0, "owned_by": offer.owner}
