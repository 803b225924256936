"""The set-up of a console as CSV: out and in again the same, checked like anything else, and never with a secret."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai import tenancy
from ai.models import (
    AuditEntry,
    LanguageModel,
    ModelRoute,
    RemoteConnection,
    Tenant,
    VectorStore,
    VectorStoreFile,
)
from tests import factories
from tests.admin import world
from tests.resources import configurations
from tests.resources.configurations import KEY, MODELS, SECRETS, TOKEN, exported, imported, reasons, taken_in
from tests.services.test_tables import TEXTS

pytestmark = pytest.mark.django_db

#: Keys and what goes with them, of rows that are here.
HEADERS = {"Authorization": TOKEN}


@pytest.fixture
def both(db: None) -> Iterator[tuple[Tenant, Tenant]]:
    """Two tenants with all that there is to set up, both in scope."""
    made = Tenant.objects.create(name="Northwind", allowed_tools=["weather", "=1"]), factories.tenant("=Acme & Co")
    for tenant, name in zip(made, ("ours", "theirs"), strict=True):
        configurations.fill(tenant, name)
    configurations.model()
    with tenancy.everything(reason="a test"):
        yield made


def refused(of: Any, content: str, **options: Any) -> str:
    """Why an import is refused, which writes nothing."""
    before = world.fingerprint()
    said = reasons(imported(of, content, **options))
    assert world.fingerprint() == before
    return said


def key_of(row: Any) -> str:
    """A stored key in clear."""
    row.refresh_from_db()
    return str(row.spec().api_key if isinstance(row, LanguageModel) else row.address().api_key)


class TestRoundTrip:
    def test_of_everything_is_exact(self, both: Any) -> None:
        before = {model: exported(model) for model in MODELS}
        for model in MODELS:
            model._base_manager.all().delete()

        for model, content in before.items():
            result = taken_in(model, content)
            assert result.totals["new"] == len(result.rows) > 0

        assert {model: exported(model) for model in MODELS} == before

    def test_again_changes_nothing(self, both: Any) -> None:
        before = {model: (exported(model), list(model._base_manager.order_by("pk").values())) for model in MODELS}

        for model, (content, rows) in before.items():
            result = taken_in(model, content)

            assert result.totals["skip"] == len(result.rows)
            assert list(model._base_manager.order_by("pk").values()) == rows

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        name=st.none() | TEXTS.map(lambda text: text[:100]),
        metadata=st.dictionaries(TEXTS.map(lambda text: text[:64]), TEXTS.map(lambda text: text[:512]), max_size=3),
    )
    def test_of_any_texts_is_exact(self, tenant: Tenant, name: Any, metadata: Any) -> None:
        store = VectorStore(tenant_id=tenant.pk, name=name, description=name, metadata=metadata)
        VectorStore.objects.make(store, at=timezone.now())
        RemoteConnection(tenant_id=tenant.pk, name=name or "-", project=name or "").save()
        before = {model: exported(model) for model in (VectorStore, RemoteConnection)}
        for model in before:
            model.objects.all().delete()

        for model, content in before.items():
            taken_in(model, content)
            assert exported(model) == content

        for model in before:
            model.objects.all().delete()

    def test_leaves_no_formula(self, both: Any) -> None:
        for model in MODELS:
            cells = exported(model).decode().replace("\r\n", ",").split(",")

            assert [cell for cell in cells if cell.lstrip('"')[:1] in ("=", "+", "-", "@")] == []


class TestSecrets:
    def test_are_in_no_file(self, both: Any) -> None:
        files = "".join(exported(model).decode() for model in MODELS)
        stored = [row.encrypted_key for model in (LanguageModel, RemoteConnection) for row in model.objects.all()]

        assert all(stored)
        assert [secret for secret in (*SECRETS, *stored) if secret in files] == []

    def test_of_rows_that_are_here_stay(self, both: Any) -> None:
        model, connection = LanguageModel.objects.get(), RemoteConnection.objects.filter(name__startswith="@ours")[0]

        taken_in(LanguageModel, 'alias,model,settings\r\nfast,gpt-5,"{""temperature"": 1}"\r\n')
        taken_in(RemoteConnection, f"id,name,concurrency\r\n{connection.pk},Renamed,3\r\n")

        assert (key_of(model), key_of(connection)) == (KEY, KEY)
        assert (model.model, model.settings) == ("gpt-5", {"temperature": 1, "extra_headers": HEADERS})
        assert (connection.name, connection.concurrency) == ("Renamed", 3)

    @pytest.mark.parametrize("column", ["encrypted_key", "api_key"])
    def test_cannot_be_brought(self, both: Any, column: str) -> None:
        model, connection = LanguageModel.objects.get(), RemoteConnection.objects.all()[0]

        taken_in(LanguageModel, f"alias,model,provider,{column}\r\nfast,other,openai,x\r\nnew,m,openai,x\r\n")
        taken_in(RemoteConnection, f"id,project,{column}\r\n{connection.pk},other,x\r\n")

        assert (key_of(model), key_of(connection)) == (KEY, KEY)
        assert LanguageModel.objects.get(alias="new").encrypted_key == ""

    def test_in_headers_are_refused(self, both: Any) -> None:
        said = refused(LanguageModel, 'alias,settings\r\nfast,"{""extra_headers"": {""Authorization"": ""x""}}"\r\n')

        assert "Headers may hold keys" in said

    @pytest.mark.parametrize("column", ["base_url", "base_url,settings"])
    def test_go_to_no_other_server(self, both: Any, column: str) -> None:
        model, connection = LanguageModel.objects.get(), RemoteConnection.objects.all()[0]
        there = "https://elsewhere.example/v1"

        files = (
            f"alias,{column}\r\nfast,{there}{',{}' * column.count(',')}\r\n",
            f"id,base_url\r\n{connection.pk},{there}\r\n",
        )
        shown = imported(LanguageModel, files[0], dry_run=True)
        result = taken_in(LanguageModel, files[0]), taken_in(RemoteConnection, files[1])

        model.refresh_from_db()
        connection.refresh_from_db()
        assert (model.encrypted_key, connection.encrypted_key) == ("", "")
        assert "extra_headers" not in model.settings
        assert shown.notes == result[0].notes
        assert ["Enter the key again" in note for each in result for note in each.notes] == [True, True]


class TestUpsert:
    def test_finds_rows_by_what_they_are_called(self, both: Any) -> None:
        ours, _ = both
        counts = {model: model.objects.count() for model in MODELS}
        configurations.model("slow")

        taken_in(LanguageModel, "alias,provider,model\r\nfast,openai,gpt-5\r\nfaster,openai,gpt-5\r\n")
        taken_in(ModelRoute, "pattern,alias\r\nours-*,slow\r\ngpt-4*,fast\r\n", tenant_id=ours.pk)
        taken_in(Tenant, 'name,allowed_tools\r\nNorthwind,"[]"\r\n Third   one ,\r\n')
        taken_in(RemoteConnection, "name,project\r\n'@ours 0,p\r\nNew,q\r\n", tenant_id=ours.pk)

        assert LanguageModel.objects.get(alias="fast").model == "gpt-5"
        assert LanguageModel.objects.get(alias="faster").input_price is None
        assert ModelRoute.objects.get(pattern="ours-*", tenant_id=ours.pk).alias == "slow"
        assert Tenant.objects.get(name="Northwind").allowed_tools == []
        assert Tenant.objects.filter(name="Third one").exists()
        assert RemoteConnection.objects.get(name="@ours 0").project == "p"
        assert {model: model.objects.count() - counts[model] for model in MODELS} == {
            Tenant: 1,
            LanguageModel: 2,
            ModelRoute: 1,
            VectorStore: 0,
            RemoteConnection: 1,
        }

    def test_changes_a_store_and_leaves_its_files(self, both: Any) -> None:
        store = VectorStore.objects.filter(name="ours").get()
        VectorStoreFile.objects.add([VectorStoreFile(vector_store_id=store.pk, file_id="f", tenant_id=store.tenant_id)])
        VectorStore.objects.use(store.pk, usage_bytes=12)

        taken_in(VectorStore, f'id,name,metadata\r\n{store.pk},New name,"{{""a"": ""b""}}"\r\n')

        store.refresh_from_db()
        assert (store.name, store.metadata, store.usage_bytes) == ("New name", {"a": "b"}, 12)
        assert store.expires_after == {"anchor": "last_active_at", "days": 7}
        assert VectorStoreFile.objects.filter(vector_store_id=store.pk).count() == 1

    def test_moves_the_default_to_another_connection(self, both: Any) -> None:
        ours, theirs = both

        taken_in(RemoteConnection, "name,is_default\r\n'@ours 1,true\r\n", tenant_id=ours.pk)

        found = RemoteConnection.objects.filter(is_default=True).order_by("name").values_list("name", "tenant_id")
        assert list(found) == [("@ours 1", ours.pk), ("@theirs 0", theirs.pk)]

    def test_is_audited_row_by_row_and_as_a_whole(self, both: Any) -> None:
        person = factories.staff("import_languagemodel", "add_languagemodel", "change_languagemodel")

        taken_in(LanguageModel, "alias,provider,model\r\nfast,openai,gpt-5\r\nnew,openai,m\r\n", by=person)

        entries = AuditEntry.objects.filter(actor_id=str(person.pk))
        assert sorted(entries.values_list("action", flat=True)) == [
            "language_model.added",
            "language_model.changed",
            "rows.imported",
        ]
        assert entries.get(action="rows.imported").data["rows_of"] == "language models"

    def test_preview_writes_nothing(self, both: Any) -> None:
        before = world.fingerprint()

        shown = imported(Tenant, "name\r\nNew\r\n", dry_run=True)

        assert shown.totals["new"] == 1
        assert world.fingerprint() == before


class TestRefusals:
    @pytest.mark.parametrize(
        ("of", "content", "reason"),
        [
            (
                LanguageModel,
                "alias,provider,model,base_url\r\nx,openai,m,http://169.254.169.254/v1\r\n",
                "never allowed",
            ),
            (
                LanguageModel,
                "alias,provider,model,base_url\r\nx,openai,m,http://10.0.0.1/v1\r\n",
                "AI_PRIVATE_MODEL_HOSTS",
            ),
            (
                LanguageModel,
                "alias,provider,model,base_url\r\nx,openai,m,file:///etc/passwd\r\n",
                "must begin with http",
            ),
            (
                LanguageModel,
                "alias,provider,model,base_url\r\nx,openai,m,https://a:b@c.test/\r\n",
                "user name or password",
            ),
            (
                LanguageModel,
                "alias,provider,model,api_key_env\r\nx,openai,m,AI_SECRETS_KEY\r\n",
                "environment variable",
            ),
            (LanguageModel, "alias,provider,model\r\nx,nobody,m\r\n", "not a valid choice"),
            (LanguageModel, "alias,provider,model\r\nx y,openai,m\r\n", "Letters, digits"),
            (LanguageModel, "alias,provider,model,input_price\r\nx,openai,m,'-1\r\n", "zero or more"),
            (LanguageModel, "alias,provider,model,input_price\r\nx,openai,m,NaN\r\n", "number"),
            (LanguageModel, "alias,provider,model,input_price\r\nx,openai,m,cheap\r\n", "is no amount"),
            (LanguageModel, "alias,provider,model,settings\r\nx,openai,m,[1]\r\n", "JSON object"),
            (LanguageModel, "alias,provider,model\r\nx,openai,m\r\nx,openai,n\r\n", "another row's"),
            (LanguageModel, "alias,provider,model\r\nx,azure,m\r\n", "needs a base URL"),
            (ModelRoute, "pattern,alias\r\na*b,local:smollm2\r\n", "any ending"),
            (ModelRoute, "pattern,alias\r\nx,no-such-model\r\n", "no-such-model"),
            (ModelRoute, "pattern,alias\r\nx,local:smollm2\r\nx,local:smollm2\r\n", "another row's"),
            (Tenant, "name\r\n   \r\n", "blank"),
            (Tenant, 'name,allowed_tools\r\nx,"{}"\r\n', "JSON list"),
            (Tenant, "name\r\nTwice\r\n Twice \r\n", "another row's"),
            (VectorStore, 'name,metadata\r\nx,"{""a"": 1}"\r\n', "pairs of texts"),
            (VectorStore, 'name,expires_after\r\nx,"{""anchor"": ""last_active_at"", ""days"": 0}"\r\n', "365 days"),
            (VectorStore, f"name\r\n{'x' * 257}\r\n", "256"),
            (RemoteConnection, "name,base_url\r\nx,http://10.0.0.1/v1\r\n", "AI_PRIVATE_MODEL_HOSTS"),
            (RemoteConnection, "name,concurrency\r\nx,99\r\n", "32"),
            (RemoteConnection, "name,makes\r\nx,tea\r\n", "not a valid choice"),
            (RemoteConnection, "name,is_default\r\nx,true\r\ny,true\r\n", "tenant's default"),
            (RemoteConnection, "colour\r\nred\r\n", "none of the columns"),
        ],
    )
    def test_of_what_cannot_be(self, tenant: Tenant, of: Any, content: str, reason: str) -> None:
        assert reason in refused(of, content)

    def test_of_a_name_that_another_row_has(self, both: Any) -> None:
        slow = configurations.model("slow")

        assert "another row's" in refused(LanguageModel, f"id,alias\r\n{slow.pk},fast\r\n")

    def test_of_an_expired_store(self, both: Any) -> None:
        store = VectorStore.objects.filter(name="ours").get()
        VectorStore.objects.filter(pk=store.pk).update(expires_at=timezone.now() - timedelta(days=1))

        assert "has expired" in refused(VectorStore, f"id,name\r\n{store.pk},New\r\n")
        assert taken_in(VectorStore, exported(VectorStore)).totals["skip"]

    def test_of_too_many_rows(self, tenant: Tenant) -> None:
        result = imported(Tenant, "name\r\n" + "".join(f"Tenant {number}\r\n" for number in range(5001)))

        assert "5,000 rows" in reasons(result)
        assert (result.rows, result.total_rows) == ([], 0)  # none of them was read

    @pytest.mark.parametrize("of", MODELS)
    @pytest.mark.parametrize("lacking", ["import", "add", "change"])
    def test_of_those_who_may_not(self, tenant: Tenant, of: Any, lacking: str) -> None:
        name = of._meta.model_name
        verbs = {"import", "add", "change"} - {lacking}
        person = factories.staff(*(f"{verb}_{name}" for verb in verbs), tenants=(tenant,))

        column = "pattern" if of is ModelRoute else "name" if of is not LanguageModel else "alias"
        assert f"ai.{lacking}_{name}" in refused(of, f"{column}\r\nx\r\n", by=person)


class TestAnotherTenant:
    @pytest.fixture
    def apart(self, both: Any) -> Iterator[tuple[Tenant, Tenant]]:
        """The same two, of which the first is in scope."""
        with tenancy.scope(both[0].pk):
            yield both

    def test_s_rows_are_in_no_file(self, apart: Any) -> None:
        for model in set(MODELS) - {LanguageModel}:
            content = exported(model).decode()

            assert str(apart[0].pk) in content
            assert str(apart[1].pk) not in content
            assert "theirs" not in content

    def test_s_rows_cannot_be_changed(self, apart: Any) -> None:
        _, theirs = apart
        store = VectorStore._base_manager.filter(tenant_id=theirs.pk)[0]
        connection = RemoteConnection._base_manager.filter(tenant_id=theirs.pk)[0]

        assert "cannot be imported here" in refused(VectorStore, f"id,name\r\n{store.pk},Mine\r\n")
        assert "cannot be imported here" in refused(RemoteConnection, f"id,name\r\n{connection.pk},Mine\r\n")
        assert "cannot be imported here" in refused(Tenant, f"id,name\r\n{theirs.pk},Mine\r\n")
        assert "is called" in refused(Tenant, 'name,allowed_tools\r\n\'=Acme & Co,"[]"\r\n')

    def test_gets_no_rows(self, apart: Any) -> None:
        _, theirs = apart

        for model, rest in (
            (ModelRoute, "pattern,alias"),
            (VectorStore, "name,description"),
            (RemoteConnection, "name,project"),
        ):
            said = refused(model, f"{rest},tenant_id\r\nx,local:smollm2,{theirs.pk}\r\n")

            assert "not yours" in said, model

    def test_keeps_a_line_of_the_same_name(self, apart: Any) -> None:
        configurations.model("slow")

        taken_in(ModelRoute, "pattern,alias\r\n'=cmd,slow\r\n")

        found = ModelRoute._base_manager.filter(pattern="=cmd").order_by("alias").values_list("alias", "tenant_id")
        assert list(found) == [("local:smollm2", apart[1].pk), ("slow", apart[0].pk)]


class TestPrices:
    def test_are_read_to_the_last_place(self, tenant: Tenant) -> None:
        taken_in(LanguageModel, "alias,provider,model,input_price\r\nx,openai,m,0.000001\r\n")

        assert LanguageModel.objects.get(alias="x").input_price == Decimal("0.000001")
