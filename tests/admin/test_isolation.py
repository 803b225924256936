"""Staff of one tenant find nothing of another's, on any page, filter, search, action or file."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from ai import tenancy
from ai.models import Feedback, Job, LanguageModel, Notification, Run, Tenant, TenantMembership
from tests import factories
from tests.admin import world

pytestmark = pytest.mark.django_db


def everything_client(*tenants: Tenant) -> Client:
    """A member of staff with every permission of the app, in these tenants."""
    user = factories.user()
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="ai"))
    for tenant in tenants:
        TenantMembership.objects.create(user=user, tenant_id=tenant.pk)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def theirs(db: None) -> world.World:
    return world.build(Tenant.objects.create(name="Zanzibar Ltd"))


@pytest.fixture
def ours(db: None) -> world.World:
    return world.build(Tenant.objects.create(name="Acme"), word="ordinary")


class TestAnotherTenantsRows:
    def test_no_page_of_theirs_exists(self, ours: world.World, theirs: world.World) -> None:
        client = everything_client(ours.tenant)
        keys = {str(getattr(row, "pk", "")) for row in theirs.rows.values()}
        addresses = [url for url in world.urls_of(theirs.rows) if any(key in url for key in keys)]
        assert len(addresses) > 30

        for url in addresses:
            response = client.get(url, follow=True)

            assert response.status_code in {403, 404}, url
            assert world.SECRET not in response.content.decode(), url

    def test_no_list_filter_or_search_shows_them(self, ours: world.World, theirs: world.World) -> None:
        client = everything_client(ours.tenant)
        queries = ["", f"tenant={theirs.tenant.pk}", "q=answers", f"q={theirs.rows[Run].pk}", "q=failed"]

        for model in world.ai_pages():
            if model is LanguageModel:
                continue
            for query in queries:
                html = client.get(f"/admin/ai/{model._meta.model_name}/?{query}").content.decode()

                assert world.SECRET not in html.lower(), (model, query)

    def test_the_same_pages_show_our_own(self, ours: world.World, theirs: world.World) -> None:
        client = everything_client(ours.tenant)

        for model in world.ai_pages():
            if model not in (LanguageModel, Tenant, Notification):  # which are a person's own, see test_notifications
                html = client.get(f"/admin/ai/{model._meta.model_name}/").content.decode()
                assert "ordinary" in html, model

    def test_the_dashboard_and_the_palette_show_none(self, ours: world.World, theirs: world.World) -> None:
        client = everything_client(ours.tenant)

        pages = client.get("/admin/").content.decode()
        pages += client.get("/admin/search/", {"s": world.SECRET, "extended": "1"}).content.decode()

        assert world.SECRET not in pages.lower().replace(f"“{world.SECRET}”", "")

    def test_no_action_reaches_them(self, ours: world.World, theirs: world.World) -> None:
        client = everything_client(ours.tenant)
        run, job, feedback = theirs.rows["replay"], theirs.rows[Job], theirs.rows[Feedback]

        posts: dict[str, dict[str, str]] = {
            f"/admin/ai/run/{run.pk}/cancel/": {},
            f"/admin/ai/job/{job.pk}/cancel/": {},
            f"/admin/ai/feedback/{feedback.pk}/move/resolved/": {},
        }
        for url, data in posts.items():
            assert client.post(url, data).status_code == 404
        bulk = {"action": "move_to_resolved", "_selected_action": [str(feedback.pk)], "confirmed": "yes", "index": "0"}
        client.post("/admin/ai/feedback/", {**bulk, "select_across": "1"})

        with tenancy.everything(reason="test"):
            assert Run.objects.get(pk=run.pk).status == "queued"
            assert Job.objects.get(pk=job.pk).status == "queued"
            assert Feedback.objects.get(pk=feedback.pk).state == "open"

    def test_superusers_and_members_of_both_see_both(self, ours: world.World, theirs: world.World) -> None:
        html = everything_client(ours.tenant, theirs.tenant).get("/admin/ai/run/").content.decode()

        assert world.SECRET in html
        assert "ordinary" in html
        assert "Zanzibar Ltd" in html
