"""Models over HTTP."""

from __future__ import annotations

import pytest
from django.test import override_settings

from ai.models import ModelRoute, Tenant
from tests import factories
from tests.api.calling import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _models(tenant: Tenant) -> None:
    factories.language_model(alias="fast")
    factories.language_model(alias="old", is_enabled=False)
    ModelRoute.objects.set(tenant_id=tenant.pk, pattern="gpt-4o", alias="fast")
    ModelRoute.objects.set(tenant_id=tenant.pk, pattern="gpt-3*", alias="fast")


def test_lists_what_a_client_can_ask_for(caller: Caller) -> None:
    with override_settings(AI_AGENTS={"support": "shop.agents.support"}):
        found = caller.get("/models").data

    assert found["object"] == "list"
    owners = {model["id"]: model["owned_by"] for model in found["data"]}
    assert owners == {"fast": "openai-compatible", "gpt-4o": "fast", "local:smollm2": "local", "support": "agent"}
    assert {model["object"] for model in found["data"]} == {"model"}


@pytest.mark.parametrize("name", ["fast", "gpt-4o", "gpt-3.5-turbo", "local:smollm2", "openai:gpt-5"])
def test_knows_each(caller: Caller, name: str) -> None:
    assert caller.get(f"/models/{name}").data["id"] == name


@pytest.mark.parametrize("name", ["old", "gpt-5", "openai/scripted", "%00", "a/b/c"])
def test_and_no_other(caller: Caller, name: str) -> None:
    answer = caller.get(f"/models/{name}")

    assert answer.status_code == 404
    assert answer.data["error"]["code"] == "model_not_found"


def test_another_tenants_map_is_another(stranger: Caller) -> None:
    assert [model["id"] for model in stranger.get("/models").data["data"]] == ["fast", "local:smollm2"]
    assert stranger.get("/models/gpt-4o").status_code == 404
