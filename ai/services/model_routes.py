"""What a person can do with a tenant's map of models, and what a model's name means to a tenant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from ai import conf, llm
from ai.exceptions import InvalidInput, NotFound
from ai.models import LanguageModel, ModelRoute
from ai.services import audit, permissions

#: The model that comes with the installation.
EMBEDDED = "local:smollm2"


def check(route: ModelRoute) -> None:
    """Raise `InvalidInput` when the line's pattern is none, or there is no model of that alias."""
    try:
        route.clean_fields()
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages)) from error
    try:
        llm.spec(route.alias)
    except NotFound as error:
        raise InvalidInput(error.message, param="alias") from error


@transaction.atomic
def save(*, tenant_id: UUID, pattern: str, alias: str, by: Any, at: datetime) -> ModelRoute:
    """Answer whoever asks for `pattern` with the model `alias` from now on; `gpt-4*` stands for any ending.

    Raises:
        Forbidden.
        InvalidInput: the pattern is none, or there is no such model.
        OutsideTenant: the tenant is not in scope.
    """
    permissions.require(by, "ai.change_modelroute")
    check(ModelRoute(tenant_id=tenant_id, pattern=pattern, alias=alias))
    route = ModelRoute.objects.set(tenant_id=tenant_id, pattern=pattern, alias=alias)
    audit.record("model_route.set", target=route, by=by, at=at, pattern=pattern, alias=alias)
    return route


@transaction.atomic
def delete(*, route_id: UUID, by: Any, at: datetime) -> None:
    """Forget a line of the map.

    Raises:
        Forbidden, NotFound.
    """
    permissions.require(by, "ai.delete_modelroute")
    route = ModelRoute.objects.filter(pk=route_id).first()
    if route is None:
        raise NotFound("There is no such line in the map of models.")
    audit.record("model_route.deleted", target=route, by=by, at=at, pattern=route.pattern, alias=route.alias)
    route.delete()


@dataclass(frozen=True)
class Offer:
    """A model that a client can ask for by `name`; `owner` says who or what answers."""

    name: str
    owner: str
    since: datetime | None = None


def offers(*, tenant_id: UUID) -> list[Offer]:
    """What the tenant's clients can choose from by name: aliases, agents, exact lines of the map; sorted, each once."""
    rows = LanguageModel.objects.all().only("alias", "provider", "created", "is_enabled")
    routes = ModelRoute.objects.filter(tenant_id=tenant_id).exclude(pattern__endswith="*")
    found = {EMBEDDED: Offer(EMBEDDED, "local")}
    found |= {alias: Offer(alias, "agent") for alias in conf.current().agents}
    for row in rows:
        if row.is_enabled:
            found[row.alias] = Offer(row.alias, row.provider, row.created)
        else:
            found.pop(row.alias, None)
    found |= {route.pattern: Offer(route.pattern, route.alias, route.created) for route in routes}
    return [found[name] for name in sorted(found)]


def offer(name: str, *, tenant_id: UUID) -> Offer:
    """The model of this name; besides `offers` also what a `beginning*` of the map or provider:model stands for.

    Raises:
        NotFound: there is none (`model_not_found`).
    """
    for each in offers(tenant_id=tenant_id):
        if each.name == name:
            return each
    try:
        alias = alias_of(name, tenant_id=tenant_id)
    except InvalidInput as error:
        raise NotFound(f"The model '{name[:100]}' does not exist.", param="model", code="model_not_found") from error
    return Offer(name, alias if alias != name else alias.partition(":")[0])


def alias_of(name: str, *, tenant_id: UUID) -> str:
    """The alias that answers when a client of the tenant asks for the model `name`.

    Raises:
        InvalidInput: there is none (`model_not_found`).
    """
    routed = ModelRoute.objects.alias_for(name, tenant_id=tenant_id)
    alias = routed or name
    try:
        llm.spec(alias)
    except NotFound as error:
        raise InvalidInput(
            f"The requested model '{name[:100]}' does not exist. GET /v1/models lists the models; the operator of this "
            f"server can send this name to one of them: manage.py map_model '{name[:100]}' ALIAS --tenant NAME.",
            param="model",
            code="model_not_found",
        ) from error
    return alias
