"""The dashboard's page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from ai.models import Run, Tenant
from tests import factories
from tests.admin import world

pytestmark = pytest.mark.django_db


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root(db: None) -> Client:
    return signed_in(get_user_model().objects.create_superuser("root", "", "x"))


class TestDashboard:
    def test_says_what_to_do_in_a_new_installation(self, root: Client) -> None:
        html = root.get("/admin/").content.decode()

        assert "No conversations yet" in html
        assert "make demo" in html or "import" in html

    @pytest.mark.parametrize(("query", "days"), [("", 30), ("?days=7", 7), ("?days=90", 90), ("?days=5000", 30)])
    def test_shows_the_period_of_the_address(self, root: Client, query: str, days: int) -> None:
        world.build(Tenant.objects.create(name="Some"))

        response: Any = root.get(f"/admin/{query}")

        assert f"The last {days} days" in response.content.decode()
        chart = json.loads(response.context["charts"][0]["value"])
        assert len(chart["labels"]) == days
        assert sum(chart["datasets"][0]["data"]) == 1

    def test_lists_open_feedback_and_failures(self, root: Client) -> None:
        made = world.build(Tenant.objects.create(name="Some"))

        html = root.get("/admin/").content.decode()

        assert "zanzibar was bad" in html
        assert "server_error" in html
        assert f"/admin/ai/run/{made.rows[Run].pk}/change/" in html

    def test_shows_only_what_the_person_may_see(self) -> None:
        tenant = Tenant.objects.create(name="Some")
        world.build(tenant)
        client = signed_in(factories.staff("view_feedback", tenants=(tenant,)))

        response: Any = client.get("/admin/")

        assert [tile["title"] for tile in response.context["tiles"]] == ["Open feedback"]
        assert "server_error" not in response.content.decode()

    def test_needs_no_inline_script(self, root: Client) -> None:
        world.build(Tenant.objects.create(name="Some"))

        html = root.get("/admin/").content.decode()

        assert "<script>" not in html
        assert "onclick" not in html
