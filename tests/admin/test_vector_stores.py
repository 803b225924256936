"""Vector stores in the admin: their files, what a search in them finds, adding and taking out."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from ai import tenancy
from ai.models import DataSource, Tenant, VectorStore, VectorStoreFile
from ai.services import actors, vector_store_files, vector_store_reading, vector_stores
from tests import factories
from tests.admin.conversations import operator

pytestmark = pytest.mark.django_db

ALL = ("view_vectorstore", "add_vectorstore", "change_vectorstore", "delete_vectorstore", "add_datasource")


def store_with(tenant: Tenant, **texts: str) -> VectorStore:
    """A store with these files, read."""
    with tenancy.scope(tenant.pk):
        at = timezone.now()
        store = vector_stores.create(by=actors.SYSTEM, at=at, tenant_id=tenant.pk, name="Policies")
        for name, text in texts.items():
            file = DataSource.objects.add_file(text.encode(), f"{name}.txt", tenant_id=tenant.pk)
            row = vector_store_files.add(store_id=store.pk, file_id=file.file_id, by=actors.SYSTEM, at=at)
            vector_store_reading.read(store_file_id=row.pk, now=timezone.now)
        store.refresh_from_db()
    return store


def url(store: VectorStore, door: str = "change") -> str:
    return f"/admin/ai/vectorstore/{store.pk}/{door}/"


def file_ids(store: VectorStore) -> list[str]:
    with tenancy.everything(reason="test"):
        return list(VectorStoreFile.objects.filter(vector_store_id=store.pk).values_list("file_id", flat=True))


class TestPage:
    def test_shows_files_with_their_states_and_errors(self, tenant: Tenant) -> None:
        store = store_with(tenant, returns="Refunds take five days.")
        lost = VectorStoreFile(vector_store_id=store.pk, tenant_id=tenant.pk, file_id="file-lost", status="failed")
        lost.last_error = {"code": "invalid_file", "message": "It is <no> PDF."}
        VectorStoreFile.objects.add([lost])

        html = operator(tenant, *ALL).get(url(store)).content.decode()

        assert "returns.txt" in html
        assert "1 ready" in html
        assert "1 failed" in html
        assert "It is &lt;no&gt; PDF." in html
        assert "not here any more" in html
        assert "data-wait" not in html

    def test_follows_while_files_are_read(self, tenant: Tenant) -> None:
        store = store_with(tenant)
        VectorStoreFile.objects.add([VectorStoreFile(vector_store_id=store.pk, tenant_id=tenant.pk, file_id="file-a")])

        html = operator(tenant, *ALL).get(url(store)).content.decode()
        part = operator(tenant, *ALL).get(url(store), {"live": "1"}).content.decode()

        assert "data-wait" in html
        assert 'data-part="files"' in part
        assert "<html" not in part

    def test_searches_as_a_model_would_and_changes_nothing(self, tenant: Tenant) -> None:
        store = store_with(tenant, returns="Refunds take five days.", shipping="Parcels to France take two days.")
        before = VectorStore.objects.values().get()

        html = operator(tenant, *ALL).get(url(store), {"q": "how long do refunds take"}).content.decode()

        assert "Refunds take five days." in html
        assert 'class="ai-score"' in html
        assert VectorStore.objects.values().get() == before

    def test_says_when_nothing_is_found_or_can_be(self, tenant: Tenant) -> None:
        store = store_with(tenant, returns="Refunds take five days.")
        client = operator(tenant, *ALL)

        nothing = client.get(url(store), {"q": "zebra"}).content.decode()
        VectorStore.objects.filter(pk=store.pk).update(expires_at=timezone.now())
        expired = client.get(url(store), {"q": "refunds"}).content.decode()

        assert "Nothing in these files answers this" in nothing
        assert "has expired" in expired
        assert "Add files" not in expired

    def test_another_tenants_store_does_not_exist(self, tenant: Tenant) -> None:
        theirs = store_with(factories.tenant("Kestrel"), returns="Refunds")
        client = operator(tenant, *ALL)

        for door in ("change", "files", "remove", "delete"):
            assert client.get(url(theirs, door)).status_code == 404
            assert client.post(url(theirs, door), {"file": file_ids(theirs)[0]}).status_code in {403, 404}
        assert file_ids(theirs)


class TestChanging:
    def test_makes_a_store_that_expires(self, tenant: Tenant) -> None:
        operator(tenant, *ALL).post("/admin/ai/vectorstore/add/", {"name": "Papers", "days": "7"})

        store = VectorStore.objects.get()
        assert (store.name, store.tenant_id) == ("Papers", tenant.pk)
        assert store.expires_after == {"anchor": "last_active_at", "days": 7}

    def test_adds_an_upload_and_files_that_are_here(self, tenant: Tenant) -> None:
        store = store_with(tenant)
        here = DataSource.objects.add_file(b"Here", "here.txt", tenant_id=tenant.pk)

        given = {"file": SimpleUploadedFile("new.txt", b"New"), "file_ids": here.file_id}
        response = operator(tenant, *ALL).post(url(store, "files"), given)

        assert response.status_code == 302
        assert len(file_ids(store)) == 2
        assert DataSource.objects.filter(name="new.txt", tenant_id=tenant.pk).count() == 1

    @pytest.mark.parametrize(
        ("given", "words"), [({}, "Choose a file"), ({"file_ids": "file-nowhere"}, "No file found")]
    )
    def test_says_what_is_wrong(self, tenant: Tenant, given: dict[str, Any], words: str) -> None:
        store = store_with(tenant)

        response = operator(tenant, *ALL).post(url(store, "files"), given, follow=True)

        assert words in response.content.decode()
        assert file_ids(store) == []

    def test_takes_no_file_of_another_tenant_whoever_asks(self, tenant: Tenant) -> None:
        store, other = store_with(tenant), factories.tenant("Kestrel")
        with tenancy.scope(other.pk):
            theirs = DataSource.objects.add_file(b"Theirs", "theirs.txt", tenant_id=other.pk)
        root = Client()
        root.force_login(get_user_model().objects.create_superuser("root", "", "x"))

        html = root.post(url(store, "files"), {"file_ids": theirs.file_id}, follow=True).content.decode()

        assert "No file found" in html
        assert file_ids(store) == []

    def test_takes_a_file_out_after_asking(self, tenant: Tenant) -> None:
        store = store_with(tenant, returns="Refunds")
        client, [file_id] = operator(tenant, *ALL), file_ids(store)

        assert "Take this file out?" in client.get(url(store, "remove"), {"file": file_id}).content.decode()
        assert file_ids(store) == [file_id]
        client.post(url(store, "remove"), {"file": file_id})

        assert file_ids(store) == []
        assert DataSource.objects.filter(file_id=file_id).exists()

    def test_deletes_after_asking_and_keeps_the_files(self, tenant: Tenant) -> None:
        store = store_with(tenant, returns="Refunds")
        client = operator(tenant, *ALL)

        assert "Delete this vector store?" in client.get(url(store, "delete")).content.decode()
        client.post(url(store, "delete"))

        assert not VectorStore.objects.exists()
        assert DataSource.objects.count() == 1

    def test_needs_its_own_permissions(self, tenant: Tenant) -> None:
        store = store_with(tenant, returns="Refunds")
        client = operator(tenant, "view_vectorstore")

        html = client.get(url(store)).content.decode()

        assert "Add files" not in html
        assert "Take out" not in html
        assert "Delete…" not in html
        assert client.get("/admin/ai/vectorstore/add/").status_code == 403
        for door in ("files", "remove", "delete"):
            assert client.post(url(store, door), {"file": file_ids(store)[0]}).status_code == 403
