"""Bundles from the pages of tenants."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from ai import tenancy
from ai.models import ChatThread, Job, Tenant
from ai.services import actors, jobs
from ai.services.bundles import jobs as bundles
from tests import factories
from tests.admin import world
from tests.services.bundles import consoles

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant(db: None) -> Tenant:
    made = Tenant.objects.create(name="Some")
    world.build(made)
    return made


def root() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", "", "x"))
    return client


def staff(tenant: Tenant, *permissions: str) -> Client:
    client = Client()
    client.force_login(factories.staff("view_tenant", *permissions, tenants=(tenant,)))
    return client


def worked(kind: str) -> Job:
    with tenancy.everything(reason="a test"):
        job: Job = Job.objects.get(kind=kind)
        jobs.carry_on(job_id=job.pk, worker="w", now=timezone.now)
    return job


class TestMaking:
    def test_asks_then_leads_to_the_file(self, tenant: Tenant) -> None:
        client, address = root(), f"/admin/ai/tenant/{tenant.pk}/bundle/"

        assert address in client.get(f"/admin/ai/tenant/{tenant.pk}/change/").content.decode()
        assert "Make a bundle of Some?" in client.get(address).content.decode()
        assert not Job._base_manager.filter(kind="bundle").exists()
        answer = client.post(address)
        job = worked("bundle")

        assert answer["Location"] == f"/admin/ai/job/{job.pk}/change/"
        assert f"/admin/ai/job/{job.pk}/file/" in client.get(answer["Location"]).content.decode()
        response: Any = client.get(f"/admin/ai/job/{job.pk}/file/")
        assert b"".join(response.streaming_content).startswith(b"PK")

    def test_takes_every_permission(self, tenant: Tenant) -> None:
        some = (f"export_{noun}" for noun in bundles.NOUNS)
        client, address = staff(tenant, *some), f"/admin/ai/tenant/{tenant.pk}/bundle/"

        assert "Bundle…" not in client.get(f"/admin/ai/tenant/{tenant.pk}/change/").content.decode()
        assert client.get(address).status_code == 403
        assert client.post(address).status_code == 403

    def test_another_tenant_does_not_exist(self, tenant: Tenant) -> None:
        other = Tenant.objects.create(name="Other")
        client = staff(tenant, *(permission.removeprefix("ai.") for permission in bundles.NEEDED))

        assert client.get(f"/admin/ai/tenant/{other.pk}/bundle/").status_code == 404
        assert client.post(f"/admin/ai/tenant/{other.pk}/bundle/").status_code == 404


class TestTakingIn:
    def test_makes_the_tenant(self, tenant: Tenant) -> None:
        out = io.BytesIO()
        with tenancy.everything(reason="a test"):
            bundles.write(tenant_id=tenant.pk, out=out, by=actors.SYSTEM, at=timezone.now())
        file = SimpleUploadedFile("bundle.zip", out.getvalue())
        consoles.empty()
        client = root()

        assert "Import a bundle…" in client.get("/admin/ai/tenant/").content.decode()
        assert client.get("/admin/ai/tenant/import-bundle/").status_code == 200
        answer = client.post("/admin/ai/tenant/import-bundle/", {"file": file})
        worked("bundle_import")

        assert "Some" in client.get(answer["Location"]).content.decode()
        assert ChatThread._base_manager.filter(tenant_id=tenant.pk).count() == 1

    def test_is_for_those_who_see_all_tenants(self, tenant: Tenant) -> None:
        client = staff(tenant, "add_tenant", *(f"import_{noun}" for noun in bundles.NOUNS))

        assert "bundle" not in client.get("/admin/ai/tenant/").content.decode()
        assert client.get("/admin/ai/tenant/import-bundle/").status_code == 403
        assert client.post("/admin/ai/tenant/import-bundle/").status_code == 403
