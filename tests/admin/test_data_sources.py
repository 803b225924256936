"""Files: previews and the door to their content."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import AsyncClient, Client

from ai import tenancy
from ai.models import DataSource, Tenant
from tests import factories

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"
HTML = b"<html><script>alert(1)</script></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


@pytest.fixture
def owner(db: None) -> Tenant:
    return Tenant.objects.create(name="Some")


def reader(owner: Tenant, *permissions: str) -> Client:
    client = Client()
    client.force_login(factories.staff(*(permissions or ("view_datasource", "download_datasource")), tenants=(owner,)))
    return client


def keep(owner: Tenant, content: bytes, name: str) -> DataSource:
    with tenancy.scope(owner.pk):
        return DataSource.objects.add_file(content, name)


def content(client: Client, row: DataSource, query: str = "") -> tuple[Any, bytes]:
    response: Any = client.get(f"/admin/ai/datasource/{row.pk}/content/{query}")
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return response, body


class TestContent:
    @pytest.mark.parametrize(
        ("data", "name"), [(HTML, "a.html"), (SVG, "a.svg"), (b"plain", "a.txt"), (PNG, "a.png"), (PDF, "a.pdf")]
    )
    def test_is_an_attachment_that_can_do_nothing(self, owner: Tenant, data: bytes, name: str) -> None:
        response, body = content(reader(owner), keep(owner, data, name))

        assert body == data
        assert response["Content-Disposition"] == f'attachment; filename="{name}"'
        assert response["Content-Type"] == "application/octet-stream"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response["Content-Security-Policy"]
        assert "default-src 'none'" in response["Content-Security-Policy"]

    @pytest.mark.parametrize(("data", "name"), [(HTML, "a.html"), (SVG, "a.svg"), (HTML, "a.png"), (b"x", "a.pdf")])
    def test_is_never_shown_in_place_when_it_could_run(self, owner: Tenant, data: bytes, name: str) -> None:
        response, _ = content(reader(owner), keep(owner, data, name), "?inline=1")

        assert response["Content-Disposition"].startswith("attachment")
        assert response["Content-Type"] == "application/octet-stream"

    def test_shows_images_and_pdfs_in_place(self, owner: Tenant) -> None:
        image, _ = content(reader(owner), keep(owner, PNG, "a.png"), "?inline=1")
        document, _ = content(reader(owner), keep(owner, PDF, "a.pdf"), "?inline=1")

        assert (image["Content-Type"], image["Content-Disposition"]) == ("image/png", 'inline; filename="a.png"')
        assert document["Content-Type"] == "application/pdf"
        assert document["Content-Security-Policy"] == "script-src 'none'; frame-ancestors 'self'"
        assert document["X-Content-Type-Options"] == "nosniff"

    def test_names_cannot_break_out_of_the_header(self, owner: Tenant) -> None:
        response, _ = content(reader(owner), keep(owner, b"x", 'a"\r\nSet-Cookie: x=1;.txt'))

        assert "Set-Cookie" not in response
        assert "\n" not in response["Content-Disposition"]

    def test_needs_the_permission(self, owner: Tenant) -> None:
        row = keep(owner, b"secret words", "a.txt")
        client = reader(owner, "view_datasource")

        assert content(client, row)[0].status_code == 403
        page = client.get(f"/admin/ai/datasource/{row.pk}/change/").content.decode()
        assert "secret words" not in page
        assert "Ask for the permission" in page

    def test_is_not_there_when_it_is_gone_from_storage(self, owner: Tenant) -> None:
        row = keep(owner, b"x", "a.txt")
        row.file.storage.delete(row.file.name or "")

        assert content(reader(owner), row)[0].status_code == 404

    @pytest.mark.django_db(transaction=True)
    def test_comes_piece_by_piece_from_an_async_server(self, owner: Tenant) -> None:
        row = keep(owner, b"x" * 200_000, "big.txt")
        user = factories.staff("view_datasource", "download_datasource", tenants=(owner,))

        async def fetch() -> tuple[bool, list[int]]:
            client = AsyncClient()
            await client.aforce_login(user)
            response: Any = await client.get(f"/admin/ai/datasource/{row.pk}/content/")
            return response.is_async, [len(piece) async for piece in response.streaming_content]

        is_async, sizes = asyncio.run(fetch())

        assert is_async
        assert sum(sizes) == 200_000
        assert max(sizes) <= 64 * 1024


class TestPage:
    def test_previews_text_without_letting_it_run(self, owner: Tenant) -> None:
        row = keep(owner, HTML, "a.html")

        html = reader(owner).get(f"/admin/ai/datasource/{row.pk}/change/").content.decode()

        assert "&lt;script&gt;" in html or "alert" in html
        assert "<script>alert(1)</script>" not in html

    def test_previews_images_and_pdfs_through_the_same_door(self, owner: Tenant) -> None:
        image, document = keep(owner, PNG, "a.png"), keep(owner, PDF, "a.pdf")
        client = reader(owner)

        image_page = client.get(f"/admin/ai/datasource/{image.pk}/change/").content.decode()
        document_page = client.get(f"/admin/ai/datasource/{document.pk}/change/").content.decode()

        assert f'<img src="/admin/ai/datasource/{image.pk}/content/?inline=1"' in image_page
        assert f'<iframe class="ai-pdf" src="/admin/ai/datasource/{document.pk}/content/?inline=1"' in document_page


class TestAddAndDelete:
    def test_an_upload_is_kept(self, owner: Tenant) -> None:
        client = reader(owner, "view_datasource", "add_datasource")
        upload = SimpleUploadedFile("notes.md", b"# Notes")

        response = client.post("/admin/ai/datasource/add/", {"file": upload, "purpose": "assistants"})

        assert response.status_code == 302
        with tenancy.scope(owner.pk):
            row = DataSource.objects.get()
            assert (row.name, row.mime_type, row.tenant_id) == ("notes.md", "text/markdown", owner.pk)

    def test_a_deletion_asks_first(self, owner: Tenant) -> None:
        row = keep(owner, b"x", "a.txt")
        client = reader(owner, "view_datasource", "delete_datasource")
        url = f"/admin/ai/datasource/{row.pk}/delete/"

        assert "Delete this file?" in client.get(url).content.decode()
        assert client.post(url).status_code == 302

        with tenancy.scope(owner.pk):
            assert not DataSource.objects.exists()

    def test_who_may_only_look_can_do_neither(self, owner: Tenant) -> None:
        row = keep(owner, b"x", "a.txt")
        client = reader(owner, "view_datasource")

        assert client.get("/admin/ai/datasource/add/").status_code == 403
        assert client.post(f"/admin/ai/datasource/{row.pk}/delete/").status_code == 403
