"""The map of models in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from ai import tenancy
from ai.models import AuditEntry, ModelRoute, Tenant
from tests import factories
from tests.admin.conversations import operator

pytestmark = pytest.mark.django_db

ADD = "/admin/ai/modelroute/add/"
ALL = ("view_modelroute", "add_modelroute", "change_modelroute", "delete_modelroute")


def line(tenant: Tenant, pattern: str = "gpt-4o") -> ModelRoute:
    with tenancy.scope(tenant.pk):
        return ModelRoute.objects.set(tenant_id=tenant.pk, pattern=pattern, alias="local:smollm2")


def patterns(tenant: Tenant) -> dict[str, str]:
    with tenancy.scope(tenant.pk):
        return dict(ModelRoute.objects.values_list("pattern", "alias"))


class TestAdding:
    def test_sends_a_name_to_a_model(self, tenant: Tenant) -> None:
        factories.language_model(alias="fast")

        response = operator(tenant, *ALL).post(ADD, {"pattern": "gpt-4*", "alias": "fast"})

        assert response.status_code == 302
        assert patterns(tenant) == {"gpt-4*": "fast"}
        assert AuditEntry.objects.filter(action="model_route.set").count() == 1

    def test_offers_the_models_that_there_are(self, tenant: Tenant) -> None:
        factories.language_model(alias="fast")
        factories.language_model(alias="switched-off", is_enabled=False)

        html = operator(tenant, *ALL).get(ADD).content.decode()

        assert '<option value="fast">' in html
        assert '<option value="local:smollm2">' in html
        assert "switched-off" not in html

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"alias": "nobody-knows-it"}, "nobody-knows-it"),
            ({"alias": ""}, "This field is required"),
            ({"pattern": "a*b"}, "A model&#x27;s name; a * at the end"),
            ({"pattern": "there"}, "The map has a line for this name already"),
        ],
    )
    def test_says_what_is_wrong(self, tenant: Tenant, values: dict[str, Any], words: str) -> None:
        line(tenant, "there")

        response = operator(tenant, *ALL).post(ADD, {"pattern": "gpt-4o", "alias": "openai:gpt-4o-mini", **values})

        assert response.status_code == 200
        assert words in response.content.decode()
        assert patterns(tenant) == {"there": "local:smollm2"}

    def test_is_for_the_chosen_tenant(self) -> None:
        first, second = factories.tenant(), factories.tenant()
        root = Client()
        root.force_login(get_user_model().objects.create_superuser("root", "", "x"))
        line(first)

        given = {"pattern": "gpt-4o", "alias": "openai:gpt-4o-mini", "tenant": str(second.pk)}
        response = root.post(ADD, given, follow=True)

        assert response.status_code == 200
        assert patterns(second) == {"gpt-4o": "openai:gpt-4o-mini"}
        assert patterns(first) == {"gpt-4o": "local:smollm2"}

    def test_needs_the_permission_to_change_the_map(self, tenant: Tenant) -> None:
        client = operator(tenant, "view_modelroute", "add_modelroute")

        assert client.post(ADD, {"pattern": "gpt-4o", "alias": "local:smollm2"}).status_code == 403


class TestChanging:
    def test_changes_what_answers_and_never_the_name(self, tenant: Tenant) -> None:
        row = line(tenant)

        operator(tenant, *ALL).post(
            f"/admin/ai/modelroute/{row.pk}/change/", {"pattern": "other", "alias": "openai:gpt-4o-mini"}
        )

        assert patterns(tenant) == {"gpt-4o": "openai:gpt-4o-mini"}

    def test_deletes_after_asking(self, tenant: Tenant) -> None:
        row = line(tenant)
        client, url = operator(tenant, *ALL), f"/admin/ai/modelroute/{row.pk}/delete/"

        client.get(url)
        assert patterns(tenant)
        client.post(url, {"post": "yes"})

        assert not patterns(tenant)
        assert AuditEntry.objects.filter(action="model_route.deleted").count() == 1

    def test_finds_no_line_of_another_tenant(self, tenant: Tenant) -> None:
        theirs = line(factories.tenant("Kestrel"))

        assert operator(tenant, *ALL).get(f"/admin/ai/modelroute/{theirs.pk}/change/").status_code == 404


def test_a_tenants_page_leads_to_what_it_has(tenant: Tenant) -> None:
    client = operator(tenant, "view_tenant", "view_modelroute", "view_apikey")

    html = client.get(f"/admin/ai/tenant/{tenant.pk}/change/").content.decode()

    assert f"/admin/ai/modelroute/?tenant={tenant.pk}" in html
    assert f"/admin/ai/apikey/?tenant={tenant.pk}" in html
    assert "/admin/ai/vectorstore/?tenant" not in html
