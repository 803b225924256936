"""Lists cost the same for one row as for two hundred, and never count."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ai.models import LanguageModel, Run, Tenant
from tests import factories
from tests.admin import world

pytestmark = pytest.mark.django_db

LISTS = (
    "message",
    "run",
    "datasource",
    "feedback",
    "job",
    "assistant",
    "languagemodel",
    "tenant",
    "auditentry",
    "apikey",
    "modelroute",
    "vectorstore",
    "remoteconnection",
    "syncconflict",
    "webhook",
    "webhookdelivery",
)
MOST_QUERIES = 8


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", "", "x"))
    return client


def queries_of(client: Client, url: str) -> list[str]:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(url).status_code == 200
    return [query["sql"] for query in seen.captured_queries]


class TestCost:
    def test_is_the_same_for_one_row_and_for_two_hundred(self, root: Client) -> None:
        tenant = Tenant.objects.create(name="Big")
        world.build(tenant)
        world.model_named("first")
        clients = {"superuser": root, "staff": _member(tenant)}
        one = {
            (who, name): queries_of(client, f"/admin/ai/{name}/") for who, client in clients.items() for name in LISTS
        }
        world.build(tenant, count=199)
        LanguageModel.objects.bulk_create(
            LanguageModel(alias=f"m{number}", provider="openai", model="x") for number in range(199)
        )

        many = {(who, name): queries_of(clients[who], f"/admin/ai/{name}/") for who, name in one}

        assert {name: len(queries) for name, queries in many.items()} == {name: len(q) for name, q in one.items()}
        assert max(len(queries) for queries in many.values()) <= MOST_QUERIES

    def test_counts_no_table(self, root: Client) -> None:
        world.build(Tenant.objects.create(name="Some"), count=2)

        for name in ("message", "run", "datasource", "feedback", "job", "auditentry"):
            counting = [sql for sql in queries_of(root, f"/admin/ai/{name}/") if "COUNT(" in sql]

            assert counting == []


def _member(tenant: Tenant) -> Client:
    user = factories.staff(*(f"view_{name}" for name in LISTS), tenants=(tenant,))
    client = Client()
    client.force_login(user)
    return client


class TestPages:
    def test_lead_on_and_back_without_saying_how_many_there_are(self, root: Client) -> None:
        world.build(Tenant.objects.create(name="Some"), count=60)

        first = root.get("/admin/ai/feedback/").content.decode()
        second = root.get("/admin/ai/feedback/?p=2").content.decode()

        assert 'rel="next"' in first
        assert 'rel="prev"' not in first
        assert 'rel="prev"' in second
        assert 'rel="next"' not in second
        assert "9999999999" not in first + second

    def test_beyond_the_end_is_empty(self, root: Client) -> None:
        world.build(Tenant.objects.create(name="Some"))

        assert root.get("/admin/ai/run/?p=400").status_code == 200

    # The audit log says at least who logged in to look at it.
    @pytest.mark.parametrize("name", [name for name in LISTS if name != "auditentry"])
    def test_say_what_to_do_where_there_is_nothing(self, root: Client, name: str) -> None:
        html = root.get(f"/admin/ai/{name}/").content.decode()

        assert "yet" in html
        assert "ai-empty" in html


class TestFilters:
    def test_are_in_the_address(self, root: Client) -> None:
        tenant = Tenant.objects.create(name="Some")
        other = Tenant.objects.create(name="Other")
        world.build(tenant)
        world.build(other, word="ordinary")

        assert rows(root, f"/admin/ai/run/?tenant={other.pk}&status=failed") == ["model-ordinary"]
        assert rows(root, "/admin/ai/run/?model=model-zanzibar") == ["model-zanzibar"]
        assert rows(root, "/admin/ai/run/?kind=replay") == ["m", "m"]
        assert rows(root, "/admin/ai/run/?status=completed") == []
        assert rows(root, "/admin/ai/run/?created_to=2020-01-01") == []
        assert len(rows(root, "/admin/ai/run/?created_from=2020-01-01&kind=original")) == 2

    def test_take_nothing_that_no_index_answers(self, root: Client) -> None:
        world.build(Tenant.objects.create(name="Some"))

        assert root.get("/admin/ai/run/?instructions__contains=a").status_code == 400
        assert root.get("/admin/ai/run/?model__regex=a").status_code == 400

    def test_search_finds_an_id_and_words(self, root: Client) -> None:
        made = world.build(Tenant.objects.create(name="Some"))
        world.build(Tenant.objects.create(name="Other"), word="ordinary")

        assert rows(root, f"/admin/ai/run/?q={made.rows[Run].pk}") == ["model-zanzibar"]
        assert rows(root, "/admin/ai/run/?q=zanzibar+failed") == ["model-zanzibar"]


def rows(client: Client, url: str) -> list[str]:
    response: Any = client.get(url)
    assert response.status_code == 200, url
    return sorted(row.model for row in response.context["cl"].result_list)
