"""The palette finds threads, within bounds and within the person's scope."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ai.models import Tenant, TenantMembership
from tests.admin.conversations import operator, signed_in
from tests.factories import staff, thread

pytestmark = pytest.mark.django_db


def found(client: Client, words: str) -> str:
    """What the palette shows."""
    response = client.get("/admin/search/", {"s": words, "extended": "1"})
    assert response.status_code == 200
    return response.content.decode()


class TestPalette:
    def test_finds_threads_by_title(self, tenant: Tenant) -> None:
        made = thread(tenant, name="Broken Teapot")

        html = found(operator(tenant, "view_chatthread"), "teap")

        assert "Broken Teapot" in html
        assert f"/admin/ai/chatthread/{made.pk}/change/" in html

    def test_finds_a_thread_by_id(self, tenant: Tenant) -> None:
        made = thread(tenant, name="Broken Teapot")
        client = operator(tenant, "view_chatthread")

        assert "Broken Teapot" in found(client, str(made.pk).upper())
        assert "Broken Teapot" in found(client, f"thread_{made.pk.hex}")

    def test_finds_pages(self, tenant: Tenant) -> None:
        assert "/admin/ai/chatthread/" in found(operator(tenant, "view_chatthread"), "thread")

    def test_shows_at_most_ten_threads_with_a_fixed_number_of_queries(self, tenant: Tenant) -> None:
        client = operator(tenant, "view_chatthread")
        thread(tenant, name="Teapot")
        with CaptureQueriesContext(connection) as one:
            found(client, "teapot")
        for number in range(60):
            thread(tenant, name=f"Teapot {number}")

        with CaptureQueriesContext(connection) as many:
            html = found(client, "teapot")

        assert html.count("/change/") == 10
        assert len(many) <= len(one) <= 8

    def test_does_not_look_into_messages(self, tenant: Tenant) -> None:
        thread(tenant, {"role": "user", "content": "teapot"}, name="Order")

        assert "Order" not in found(operator(tenant, "view_chatthread"), "teapot")

    def test_shows_nothing_of_another_tenant(self, tenant: Tenant) -> None:
        theirs = thread(Tenant.objects.create(name="Kestrel"), name="Secret teapot")
        client = operator(tenant, "view_chatthread")

        assert "Secret" not in found(client, "teapot")
        assert "Secret" not in found(client, str(theirs.pk))

    def test_forgets_what_it_found_when_a_person_leaves_the_tenant(self, tenant: Tenant) -> None:
        thread(tenant, name="Secret teapot")
        person = staff("view_chatthread", tenants=(tenant,))
        client = signed_in(person)
        assert "Secret" in found(client, "teapot")

        TenantMembership.objects.filter(user=person).delete()

        assert "Secret" not in found(client, "teapot")
        assert not cache.get("unfold_search")

    def test_needs_the_permission_to_see_threads(self, tenant: Tenant) -> None:
        thread(tenant, name="Secret teapot")

        assert "Secret" not in found(operator(tenant), "teapot")

    @pytest.mark.parametrize("words", ["", "   ", "\x00", '"', "*", "<script>alert(1)</script>", "x" * 5000])
    def test_takes_any_words(self, tenant: Tenant, words: str) -> None:
        html = found(operator(tenant, "view_chatthread"), words)

        assert "<script>" not in html

    def test_shows_hostile_titles_as_text(self, tenant: Tenant) -> None:
        thread(tenant, name='teapot <script>alert(1)</script>" onclick="x \u202e')

        html = found(operator(tenant, "view_chatthread"), "teapot")

        assert "&lt;script&gt;" in html
        assert "<script>" not in html
        assert "\u202e" not in html

    def test_is_for_staff(self, tenant: Tenant) -> None:
        outsider = get_user_model().objects.create_user("outsider")

        assert signed_in(outsider).get("/admin/search/?s=x").status_code == 302
        assert Client().get("/admin/search/?s=x").status_code == 302
