"""The audit log's pages: what was noted, in words, and the way to what it was done to."""

from __future__ import annotations

import pytest
from django.test import Client

from ai.models import AuditEntry, Tenant
from ai.services import actors, audit
from tests import factories
from tests.services.reviews.making import NOW, queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def auditor(tenant: Tenant) -> Client:
    client = Client()
    client.force_login(factories.staff("view_auditentry", tenants=(tenant,)))
    return client


class TestEntry:
    def test_says_its_details_in_words(self, tenant: Tenant, auditor: Client) -> None:
        said = {"events": ["mention", "job.ended"], "items": 3, "is_new": True, "nothing": [], "old": {"a": 1}}
        entry = audit.record("webhook.added", by=actors.SYSTEM, at=NOW, tenant_id=tenant.pk, **said)

        page = auditor.get(f"/admin/ai/auditentry/{entry.pk}/change/").content.decode()
        rows = auditor.get("/admin/ai/auditentry/").content.decode()

        for word in ("<dd>mention, job.ended</dd>", "<dt>items</dt><dd>3</dd>", "<dd>yes</dd>", "<dd>none</dd>"):
            assert word in page
        assert "events: mention, job.ended" in rows
        assert "items: 3" in rows
        assert "[&#x27;" not in page + rows

    def test_leads_to_the_queue(self, tenant: Tenant, auditor: Client) -> None:
        made = queue(tenant, items=0)
        entry = AuditEntry.objects.get(action="review_queue.added")

        html = auditor.get(f"/admin/ai/auditentry/{entry.pk}/change/").content.decode()

        assert f'href="/admin/ai/reviewqueue/{made.pk}/change/"' in html

    def test_without_details_shows_none(self, tenant: Tenant, auditor: Client) -> None:
        entry = audit.record("run.started", by=actors.SYSTEM, at=NOW, tenant_id=tenant.pk)

        assert "Details" not in auditor.get(f"/admin/ai/auditentry/{entry.pk}/change/").content.decode()
