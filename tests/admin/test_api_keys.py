"""API keys in the admin: a key's text is on one answer, and nowhere else."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from ai import tenancy
from ai.models import ApiKey, AuditEntry, Tenant
from tests import factories
from tests.admin.conversations import operator

pytestmark = pytest.mark.django_db

ADD = "/admin/ai/apikey/add/"
ALL = ("view_apikey", "add_apikey", "revoke_apikey")


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", "", "x"))
    return client


def form(**values: Any) -> dict[str, Any]:
    return {"name": "Web shop", "scopes": ["read", "write"], "requests_per_minute": "", "expires_on": "", **values}


def plain_of(html: str) -> str:
    found = re.search(r"mc-[A-Za-z0-9_-]{40,}", html)
    return found[0] if found else ""


def made(tenant: Tenant, **values: Any) -> ApiKey:
    with tenancy.scope(tenant.pk):
        return ApiKey.objects.make(tenant_id=tenant.pk, created=timezone.now(), name="Shop", **values)[0]


class TestMaking:
    def test_shows_the_key_once_with_what_a_client_needs(self, tenant: Tenant) -> None:
        response = operator(tenant, *ALL).post(ADD, form(requests_per_minute="60"))
        html = response.content.decode()

        key = ApiKey.objects.valid(plain_of(html), at=timezone.now())
        assert key is not None
        assert (key.name, key.scopes, key.requests_per_minute, key.tenant_id) == (
            "Web shop",
            ["read", "write"],
            60,
            tenant.pk,
        )
        assert "http://testserver/v1" in html
        assert "no-store" in response.headers["Cache-Control"]

    def test_keeps_the_key_nowhere(self, root: Client, caplog: pytest.LogCaptureFixture) -> None:
        tenant = factories.tenant()
        plain = plain_of(root.post(ADD, form(tenant=str(tenant.pk))).content.decode())
        key = ApiKey._base_manager.get()

        pages = ["/admin/ai/apikey/", f"/admin/ai/apikey/{key.pk}/change/", "/admin/ai/auditentry/", "/admin/"]
        html = "".join(root.get(url).content.decode() for url in pages)

        assert key.prefix in html
        assert plain not in html
        assert key.digest not in html
        assert plain not in str(list(ApiKey._base_manager.values())) + str(list(AuditEntry._base_manager.values()))
        assert plain not in str([session.get_decoded() for session in Session.objects.all()]) + caplog.text
        assert plain not in str(root.cookies)

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"expires_on": "2020-01-01"}, "This day is over"),
            ({"scopes": []}, "This field is required"),
            ({"requests_per_minute": "0"}, "greater than or equal to 1"),
            ({"tenant": ""}, "This field is required"),
        ],
    )
    def test_says_what_is_wrong(self, root: Client, values: dict[str, Any], words: str) -> None:
        given = form(**{"tenant": str(factories.tenant().pk), **values})
        factories.tenant()

        html = root.post(ADD, given).content.decode()

        assert words in html
        assert not ApiKey._base_manager.exists()

    def test_gives_what_is_beside_the_assistants_api_only_when_asked_to(self, tenant: Tenant) -> None:
        client = operator(tenant, *ALL)

        html = client.get(ADD).content.decode()
        client.post(ADD, form(scopes=["reviews", "feedback"]))

        ticked = re.findall(r'name="scopes" value="(\w+)"[^>]*\schecked[\s>]', html)
        assert ticked == ["read", "write", "admin"]
        assert ApiKey._base_manager.get().scopes == ["feedback", "reviews"]
        assert "Not for keys that reviewers have" in html

    def test_is_for_tenants_that_the_person_works_for(self, tenant: Tenant) -> None:
        other = factories.tenant("Kestrel")

        operator(tenant, *ALL).post(ADD, form(tenant=str(other.pk)))

        assert {key.tenant_id for key in ApiKey._base_manager.all()} == {tenant.pk}

    def test_needs_the_permission(self, tenant: Tenant) -> None:
        client = operator(tenant, "view_apikey", "revoke_apikey")

        assert client.get(ADD).status_code == 403
        assert client.post(ADD, form()).status_code == 403
        assert not ApiKey._base_manager.exists()


class TestRevoking:
    def test_asks_first_and_then_makes_the_key_useless(self, tenant: Tenant) -> None:
        key = made(tenant)
        client, url = operator(tenant, *ALL), f"/admin/ai/apikey/{key.pk}/revoke/"

        assert "Revoke this key?" in client.get(url).content.decode()
        assert ApiKey.objects.filter(revoked_at__isnull=True).count() == 1
        html = client.post(url, follow=True).content.decode()

        assert ApiKey.objects.filter(revoked_at__isnull=False).count() == 1
        assert "Revoked" in html
        assert "Revoke…" not in html
        assert AuditEntry.objects.filter(action="api_key.revoked").count() == 1

    def test_needs_the_permission(self, tenant: Tenant) -> None:
        key = made(tenant)
        client = operator(tenant, "view_apikey", "add_apikey")

        assert client.post(f"/admin/ai/apikey/{key.pk}/revoke/").status_code == 403
        assert "Revoke…" not in client.get(f"/admin/ai/apikey/{key.pk}/change/").content.decode()

    def test_does_not_reach_another_tenants_key(self, tenant: Tenant) -> None:
        theirs = made(factories.tenant("Kestrel"))

        assert operator(tenant, *ALL).post(f"/admin/ai/apikey/{theirs.pk}/revoke/").status_code == 404


class TestList:
    def test_finds_keys_by_their_state(self, tenant: Tenant) -> None:
        now = timezone.now()
        made(tenant)
        ApiKey.objects.revoke(made(tenant).pk, at=now)
        made(tenant, expires_at=now)
        client = operator(tenant, *ALL)

        found = {state: _states(client, f"?state={state}") for state in ("active", "expired", "revoked", "nonsense")}

        assert found["active"] == ["Active"]
        assert found["expired"] == ["Expired"]
        assert found["revoked"] == ["Revoked"]
        assert sorted(found["nonsense"]) == ["Active", "Expired", "Revoked"]

    def test_edits_no_key(self, tenant: Tenant) -> None:
        key = made(tenant)

        assert operator(tenant, *ALL).post(f"/admin/ai/apikey/{key.pk}/change/", form()).status_code == 403


def _states(client: Client, query: str) -> list[str]:
    html = client.get(f"/admin/ai/apikey/{query}").content.decode()
    return re.findall(r'<span class="ai-badge ai-\w+" title="">(Active|Expired|Revoked)</span>', html)
