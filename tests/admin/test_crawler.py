"""Every address of every page: reading changes nothing, and nobody reads what is not theirs."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.test import Client

from ai.models import LanguageModel, Tenant
from tests import factories
from tests.admin import world

pytestmark = pytest.mark.django_db

#: What a page may answer to a superuser: it is there, it leads on, or it is a door that only a POST opens.
FINE = {200, 302, 403, 404, 405}


@pytest.fixture
def rows(db: None) -> dict[Any, Any]:
    """A world with a row of everything, models, users and groups included."""
    made = world.build(Tenant.objects.create(name="Crawled"))
    user = factories.user()
    return {**made.rows, LanguageModel: world.model_named(), User: user, Group: Group.objects.create(name="Readers")}


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def status(client: Client, url: str) -> int:
    response: Any = client.get(url)
    if response.streaming:  # reading to the end closes the file
        assert b"".join(response.streaming_content)
    return int(response.status_code)


class TestReadingChangesNothing:
    def test_every_page_as_superuser(self, rows: dict[Any, Any]) -> None:
        client = signed_in(get_user_model().objects.create_superuser("root", "", "x"))
        addresses = ["/admin/", "/admin/?days=90", *world.urls_of(rows)]
        before = world.fingerprint()

        answers = {url: status(client, url) for url in addresses}

        assert world.fingerprint() == before
        assert len(addresses) > 60
        assert {url: code for url, code in answers.items() if code not in FINE} == {}
        assert sum(code == 200 for code in answers.values()) > 40

    def test_every_list_with_words_and_filters(self, rows: dict[Any, Any]) -> None:
        client = signed_in(get_user_model().objects.create_superuser("root", "", "x"))
        queries = [
            "q=zanzibar",
            "q=%00",
            "q=" + "x" * 500,
            "status=failed&model=m&tenant=zzz",
            "created_from=2020-01-01&created_to=bad",
        ]
        before = world.fingerprint()

        for model in world.ai_pages():
            for query in queries:
                response = client.get(f"/admin/ai/{model._meta.model_name}/?{query}")

                assert response.status_code in {200, 302, 400}, (model, query)

        assert world.fingerprint() == before


class TestStaffWithoutPermissions:
    def test_see_no_page_of_the_app(self, rows: dict[Any, Any]) -> None:
        tenant = rows[Tenant]
        client = signed_in(factories.staff(tenants=(tenant,)))
        addresses = [url for url in world.urls_of(rows) if url.startswith("/admin/ai/")]

        answers = {url: status(client, url) for url in addresses}

        assert {url: code for url, code in answers.items() if code not in {302, 403, 404}} == {}
        assert sum(code in {302, 403} for code in answers.values()) > 40

    def test_cannot_post_to_any_page_of_the_app(self, rows: dict[Any, Any]) -> None:
        client = signed_in(factories.staff(tenants=(rows[Tenant],)))
        before = world.fingerprint()

        for url in world.urls_of(rows):
            if url.startswith("/admin/ai/"):
                assert client.post(url, {"post": "yes"}).status_code in {302, 403, 404, 405}, url

        assert world.fingerprint() == before

    def test_see_an_empty_dashboard_and_palette(self, rows: dict[Any, Any]) -> None:
        client = signed_in(factories.staff(tenants=(rows[Tenant],)))

        assert world.SECRET not in client.get("/admin/").content.decode()
        assert world.SECRET not in client.get("/admin/search/", {"s": world.SECRET, "extended": "1"}).content.decode()

    def test_strangers_are_sent_to_the_login(self, rows: dict[Any, Any]) -> None:
        for url in world.urls_of(rows):
            response = Client().get(url)

            assert response.status_code == 302, url
            assert "/admin/login/" in response["Location"]
