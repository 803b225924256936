"""CSV files with a preview: the form, what it shows, and what confirming it does."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from ai import tenancy
from ai.models import AuditEntry, ChatThread, Tenant
from tests import factories
from tests.admin import world

pytestmark = pytest.mark.django_db

MODELS = ("chatthread", "message", "run", "datasource", "feedback", "assistant")
MAY = ("view_chatthread", "import_chatthread")
ADDRESS = "/admin/ai/chatthread/import-csv/"


@pytest.fixture
def tenant(db: None) -> Tenant:
    return Tenant.objects.create(name="Some")


def signed_in(tenant: Tenant, *permissions: str) -> Client:
    client = Client()
    client.force_login(factories.staff(*permissions, tenants=(tenant,)))
    return client


def file(content: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("threads.csv", content.encode(), content_type="text/csv")


def preview(client: Client, content: str, **values: str) -> Any:
    return client.post(ADDRESS, {"resource": "0", "format": "0", "import_file": file(content), **values})


def confirm(client: Client, shown: Any) -> Any:
    return client.post(f"{ADDRESS}confirm/", shown.context["confirm_form"].initial)


class TestWithoutPermission:
    @pytest.mark.parametrize("model", MODELS)
    def test_there_is_neither_button_nor_page(self, tenant: Tenant, model: str) -> None:
        world.build(tenant)
        client = signed_in(tenant, f"view_{model}", f"export_{model}")

        assert "Import CSV" not in client.get(f"/admin/ai/{model}/").content.decode()
        for address in (f"/admin/ai/{model}/import-csv/", f"/admin/ai/{model}/import-csv/confirm/"):
            assert client.post(address).status_code == 403
        assert client.get(f"/admin/ai/{model}/import-csv/").status_code == 403

    @pytest.mark.parametrize("model", MODELS)
    def test_with_it_there_are_both(self, tenant: Tenant, model: str) -> None:
        client = signed_in(tenant, f"view_{model}", f"import_{model}")

        assert "Import CSV…" in client.get(f"/admin/ai/{model}/").content.decode()
        assert client.get(f"/admin/ai/{model}/import-csv/").status_code == 200


class TestPreview:
    def test_shows_what_would_change_and_writes_nothing(self, tenant: Tenant) -> None:
        old = factories.thread(tenant, name="Old title")
        client = signed_in(tenant, *MAY)
        before = world.fingerprint()

        shown = preview(client, f"id,title\r\n{old.pk},New title\r\n,Another\r\n")

        html = shown.content.decode()
        assert "1 new, 1 changed, 0 as they are." in html
        assert "Another" in html
        assert shown.context["result"].diff_headers == ["id", "title"]
        assert world.fingerprint() == before

    def test_shows_hostile_texts_as_text(self, tenant: Tenant) -> None:
        shown = preview(signed_in(tenant, *MAY), "title\r\n<script>alert(1)</script>\r\n")

        assert "<script>alert" not in shown.content.decode()

    def test_shows_why_a_row_is_refused_and_offers_no_import(self, tenant: Tenant) -> None:
        theirs = factories.thread(Tenant.objects.create(name="Other"), name="Theirs")

        shown = preview(signed_in(tenant, *MAY), f"id,title\r\n{theirs.pk},Mine\r\n")

        assert "cannot be imported here" in shown.content.decode()
        assert "Theirs" not in shown.content.decode()
        assert "confirm_form" not in shown.context

    def test_shows_the_first_of_many(self, tenant: Tenant) -> None:
        rows = "".join(f"Thread {number}\r\n" for number in range(150))

        html = preview(signed_in(tenant, *MAY), f"title\r\n{rows}").content.decode()

        assert "150 new" in html
        assert "The first 100 are shown." in html
        assert "Thread 120" not in html


class TestConfirming:
    def test_imports_and_is_audited(self, tenant: Tenant) -> None:
        client = signed_in(tenant, *MAY)

        answer = confirm(client, preview(client, 'title,tags\r\n=One,"[""a""]"\r\n\'=Two,\r\n'))

        assert answer["Location"] == "/admin/ai/chatthread/"
        with tenancy.scope(tenant.pk):
            assert set(ChatThread.objects.values_list("name", flat=True)) == {"=One", "=Two"}
            entry = AuditEntry.objects.get(action="rows.imported")
        assert entry.actor_id == client.session["_auth_user_id"]
        assert entry.data == {"rows_of": "threads", "file": "threads.csv", "counts": {"new": 2}}

    def test_takes_all_or_nothing(self, tenant: Tenant) -> None:
        client = signed_in(tenant, *MAY)
        row = factories.thread(tenant, name="Old")
        shown = preview(client, f"id,title\r\n{row.pk},New\r\n,Another\r\n")
        with tenancy.everything(reason="a test"):
            ChatThread.objects.filter(pk=row.pk).update(tenant_id=Tenant.objects.create(name="Other").pk)

        answer = confirm(client, shown)

        assert answer["Location"] == ADDRESS
        assert list(ChatThread._base_manager.values_list("name", flat=True)) == ["Old"]

    def test_asks_whose_new_rows_are(self, tenant: Tenant) -> None:
        other = Tenant.objects.create(name="Other")
        client = Client()
        client.force_login(get_user_model().objects.create_superuser("root", "", "x"))

        assert "Other" in client.get(ADDRESS).content.decode()
        confirm(client, preview(client, "title\r\nOne\r\n", tenant=str(other.pk)))

        assert ChatThread._base_manager.get().tenant_id == other.pk

    def test_refuses_a_tenant_that_is_not_ones_own(self, tenant: Tenant) -> None:
        other = Tenant.objects.create(name="Other")
        client = signed_in(tenant, *MAY)
        shown = preview(client, "title\r\nOne\r\n")

        answer = client.post(f"{ADDRESS}confirm/", {**shown.context["confirm_form"].initial, "tenant": str(other.pk)})

        assert answer.status_code == 403
        assert not ChatThread._base_manager.exists()


class TestFile:
    def test_may_not_be_too_big(self, tenant: Tenant) -> None:
        shown = preview(signed_in(tenant, *MAY), "title\r\n" + "x" * (10 * 1024 * 1024))

        assert "more than 10 MB" in shown.content.decode()

    @pytest.mark.parametrize("content", ["", "colour\r\nred\r\n", "\x00\x01\x02"])
    def test_may_not_be_anything(self, tenant: Tenant, content: str) -> None:
        shown = preview(signed_in(tenant, *MAY), content)

        assert shown.status_code == 200
        assert "confirm_form" not in shown.context
