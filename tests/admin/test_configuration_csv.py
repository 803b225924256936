"""The set-up of a console as CSV: the buttons, the form with its preview, the file, and who may."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from ai import tenancy
from ai.models import AuditEntry, LanguageModel, ModelRoute, RemoteConnection, Tenant, VectorStore
from ai.services.configuration import TABLES
from tests import factories
from tests.admin import world
from tests.resources import configurations

pytestmark = pytest.mark.django_db

MODELS = tuple(model._meta.model_name for model in TABLES)
#: A new row of each.
NEW = {
    "languagemodel": "alias,provider,model\r\nnew,openai,m\r\n",
    "modelroute": "pattern,alias\r\nnew*,local:smollm2\r\n",
    "tenant": "name\r\nNew\r\n",
    "vectorstore": "name\r\nNew\r\n",
    "remoteconnection": "name\r\nNew\r\n",
}


@pytest.fixture
def tenant(db: None) -> Tenant:
    made = Tenant.objects.create(name="Some")
    world.build(made)
    world.model_named()
    return made


def signed_in(tenant: Tenant, *permissions: str) -> Client:
    client = Client()
    client.force_login(factories.staff(*permissions, tenants=(tenant,)))
    return client


def root() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", "", "x"))
    return client


def may_import(model: str) -> list[str]:
    return [f"{verb}_{model}" for verb in ("view", "import", "add", "change")]


def preview(client: Client, model: str, content: str, **values: str) -> Any:
    file = SimpleUploadedFile("rows.csv", content.encode(), content_type="text/csv")
    return client.post(
        f"/admin/ai/{model}/import-csv/", {"resource": "0", "format": "0", "import_file": file, **values}
    )


def confirm(client: Client, model: str, shown: Any) -> Any:
    return client.post(f"/admin/ai/{model}/import-csv/confirm/", shown.context["confirm_form"].initial, follow=True)


def read(response: Any) -> list[dict[str, str]]:
    content = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(content, newline="")))


@pytest.mark.parametrize("model", MODELS)
class TestPermissions:
    @pytest.mark.parametrize("lacking", ["import", "add", "change"])
    def test_without_one_of_three_nothing_can_be_imported(self, tenant: Tenant, model: str, lacking: str) -> None:
        client = signed_in(tenant, *(set(may_import(model)) - {f"{lacking}_{model}"}))

        assert "Import CSV" not in client.get(f"/admin/ai/{model}/").content.decode()
        assert client.get(f"/admin/ai/{model}/import-csv/").status_code == 403
        for address in (f"/admin/ai/{model}/import-csv/", f"/admin/ai/{model}/import-csv/confirm/"):
            assert client.post(address).status_code == 403

    def test_without_its_permission_nothing_can_be_exported(self, tenant: Tenant, model: str) -> None:
        client = signed_in(tenant, *may_import(model))

        assert "Export CSV" not in client.get(f"/admin/ai/{model}/").content.decode()
        assert client.get(f"/admin/ai/{model}/export/").status_code == 403
        assert client.post(f"/admin/ai/{model}/export/").status_code == 403

    def test_with_them_there_are_buttons_and_pages(self, tenant: Tenant, model: str) -> None:
        client = signed_in(tenant, f"export_{model}", *may_import(model))

        html = client.get(f"/admin/ai/{model}/").content.decode()
        assert "Import CSV…" in html
        assert "Export CSV…" in html
        assert client.get(f"/admin/ai/{model}/import-csv/").status_code == 200
        assert client.get(f"/admin/ai/{model}/export/").status_code == 200


@pytest.mark.parametrize("model", MODELS)
class TestBothWays:
    def test_imports_after_a_preview(self, tenant: Tenant, model: str) -> None:
        client = signed_in(tenant, *may_import(model))
        before = world.fingerprint()

        shown = preview(client, model, NEW[model])
        assert "1 new, 0 changed, 0 as they are." in shown.content.decode()
        assert world.fingerprint() == before
        confirm(client, model, shown)

        entry = AuditEntry._base_manager.get(action="rows.imported")
        assert (entry.actor_id, entry.data["counts"]) == (client.session["_auth_user_id"], {"new": 1})
        assert len(read(root().post(f"/admin/ai/{model}/export/"))) == 2

    def test_exports_what_is_in_scope_and_is_audited(self, tenant: Tenant, model: str) -> None:
        other = Tenant.objects.create(name="Zanzibar Ltd")
        configurations.fill(other, "elsewhere")
        client = signed_in(tenant, f"view_{model}", f"export_{model}")

        response: Any = client.post(f"/admin/ai/{model}/export/")

        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert "attachment" in response["Content-Disposition"]
        (row,) = read(response)
        assert list(row) == TABLES[next(each for each in TABLES if each._meta.model_name == model)].header
        assert "sk-never" not in str(row)
        entry = AuditEntry._base_manager.get(action="export.made")
        assert entry.actor_id == client.session["_auth_user_id"]
        assert entry.data["counts"] == {"rows": 1}

    def test_takes_its_own_file_and_changes_nothing(self, tenant: Tenant, model: str) -> None:
        client = root()
        content = b"".join(client.post(f"/admin/ai/{model}/export/").streaming_content)  # type: ignore[attr-defined]

        shown = preview(client, model, content.decode())

        assert "0 new, 0 changed, 1 as they are." in shown.content.decode()


class TestTenants:
    @pytest.mark.parametrize("model", ["modelroute", "vectorstore", "remoteconnection"])
    def test_are_asked_for_where_rows_are_theirs(self, tenant: Tenant, model: str) -> None:
        other, client = Tenant.objects.create(name="Other"), root()

        assert "Other" in client.get(f"/admin/ai/{model}/import-csv/").content.decode()
        confirm(client, model, preview(client, model, NEW[model], tenant=str(other.pk)))

        of = next(each for each in (ModelRoute, VectorStore, RemoteConnection) if each._meta.model_name == model)
        with tenancy.scope(other.pk):
            assert of.objects.count() == 1

    @pytest.mark.parametrize("model", ["languagemodel", "tenant"])
    def test_are_not_asked_for_elsewhere(self, tenant: Tenant, model: str) -> None:
        Tenant.objects.create(name="Other")

        assert 'name="tenant"' not in root().get(f"/admin/ai/{model}/import-csv/").content.decode()

    @pytest.mark.parametrize("model", ["vectorstore", "remoteconnection", "tenant"])
    def test_of_others_are_refused_row_by_row(self, tenant: Tenant, model: str) -> None:
        theirs = world.build(Tenant.objects.create(name="Zanzibar Ltd")).rows
        row = next(row for of, row in theirs.items() if of in TABLES and of._meta.model_name == model)

        shown = preview(signed_in(tenant, *may_import(model)), model, f"id,name\r\n{row.pk},Mine\r\n")

        assert "cannot be imported here" in shown.content.decode()
        assert "Zanzibar Ltd" not in shown.content.decode()
        assert "confirm_form" not in shown.context


class TestKeys:
    def test_that_would_go_elsewhere_are_forgotten_and_it_is_said(self, tenant: Tenant) -> None:
        client = root()

        shown = preview(client, "languagemodel", "alias,base_url\r\nfast,https://elsewhere.example/v1\r\n")
        done = confirm(client, "languagemodel", shown)

        for response in (shown, done):
            assert "“fast” goes to another server" in response.content.decode()
        assert LanguageModel.objects.get(alias="fast").encrypted_key == ""

    @pytest.mark.parametrize("address", ["", "https://elsewhere.example/v1"])
    def test_are_in_no_preview(self, tenant: Tenant, address: str) -> None:
        client, row = root(), RemoteConnection._base_manager.get()
        configurations.model("slow")
        files = {
            "languagemodel": f'alias,settings,base_url\r\nslow,"{{""top_p"": 1}}",{address}\r\n',
            "remoteconnection": f"id,project,base_url\r\n{row.pk},x,{address or row.base_url}\r\n",
        }

        for model, content in files.items():
            html = preview(client, model, content).content.decode()

            assert "1 changed" in html
            assert [secret for secret in ("never-show-this", "Authorization", "gAAAA") if secret in html] == []
