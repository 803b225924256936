"""The page that follows a job, and cancelling runs and jobs."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from ai import tenancy
from ai.models import ChatThread, Job, Run, Tenant
from ai.services import actors, retitles
from ai.services.selections import Selection
from tests import factories
from tests.admin import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(db: None) -> world.World:
    return world.build(Tenant.objects.create(name="Some"))


def operator(made: world.World, *permissions: str) -> Client:
    client = Client()
    client.force_login(factories.staff("view_job", "view_run", *permissions, tenants=(made.tenant,)))
    return client


class TestPage:
    def test_asks_for_itself_while_the_job_is_open(self, made: world.World) -> None:
        html = operator(made).get(f"/admin/ai/job/{made.rows[Job].pk}/change/").content.decode()

        assert 'hx-trigger="every 2s"' in html
        assert f"/admin/ai/run/{made.rows['replay'].pk}/" in html
        assert "Cancel…" not in html

    def test_shows_old_and_new_titles(self, made: world.World) -> None:
        with tenancy.scope(made.tenant.pk):
            chosen = Selection.of_ids("threads", [made.rows[ChatThread].pk])
            job = retitles.request(selection=chosen, by=actors.SYSTEM, at=timezone.now())
            retitles.carry_on(job_id=job.pk, worker="w", now=timezone.now)

        html = operator(made).get(f"/admin/ai/job/{job.pk}/change/").content.decode()

        assert "zanzibar 0" in html
        assert "Zanzibar asks" in html
        assert "every 2s" not in html
        assert "1 of 1 done" in html


class TestCancel:
    def test_a_job_after_asking(self, made: world.World) -> None:
        client, job = operator(made, "cancel_job"), made.rows[Job]
        url = f"/admin/ai/job/{job.pk}/cancel/"

        assert "Cancel this job?" in client.get(url).content.decode()
        assert client.post(url).status_code == 302

        with tenancy.scope(made.tenant.pk):
            assert Job.objects.get(pk=job.pk).status == "cancelled"
        assert "already ended" in client.post(url, follow=True).content.decode()

    def test_a_run_after_asking(self, made: world.World) -> None:
        client, run = operator(made, "cancel_run"), made.rows["replay"]
        url = f"/admin/ai/run/{run.pk}/cancel/"

        assert "Cancel this run?" in client.get(url).content.decode()
        assert client.post(url).status_code == 302

        with tenancy.scope(made.tenant.pk):
            assert Run.objects.get(pk=run.pk).status == "cancelled"
        assert "already ended" in client.post(url, follow=True).content.decode()

    def test_needs_the_permission(self, made: world.World) -> None:
        client = operator(made)

        assert client.post(f"/admin/ai/run/{made.rows['replay'].pk}/cancel/").status_code == 403
        assert client.post(f"/admin/ai/job/{made.rows[Job].pk}/cancel/").status_code == 403
