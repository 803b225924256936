"""Files over HTTP."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings
from django.utils import timezone

from ai import tenancy
from ai.models import AuditEntry, DataSource, Tenant
from ai.services import workers
from tests.api.calling import Caller

pytestmark = pytest.mark.django_db


def upload(caller: Caller, content: bytes = b"a,b\n1,2\n", name: str = "a.csv", **fields: Any) -> Any:
    data = {"purpose": "assistants", "file": SimpleUploadedFile(name, content, "text/plain"), **fields}
    answer: Any = caller.client.post(
        "/v1/files",
        {name: value for name, value in data.items() if value is not None},
        headers={"authorization": f"Bearer {caller.key}"},
    )
    answer.data = json.loads(answer.content)
    return answer


class TestCreate:
    def test_answers_with_every_key(self, caller: Caller) -> None:
        made = upload(caller).data

        row = DataSource.objects.get()
        assert made == {
            "id": row.file_id,
            "object": "file",
            "bytes": 8,
            "created_at": int(row.created.timestamp()),
            "expires_at": None,
            "filename": "a.csv",
            "purpose": "assistants",
            "status": "processed",
            "status_details": None,
        }
        assert row.mime_type == "text/csv"
        assert AuditEntry.objects.get(action="file.added").actor_id.startswith("key:")

    @pytest.mark.parametrize("name", ["Größe 文件.txt", "../../etc/passwd", "a\x00b.txt", "x" * 300 + ".txt"])
    def test_takes_any_name(self, caller: Caller, name: str) -> None:
        made = upload(caller, name="a.txt", file=SimpleUploadedFile(name, b"x"))

        assert made.status_code == 200
        assert "/" not in made.data["filename"]
        assert len(made.data["filename"]) <= 255

    def test_expires_when_it_is_told_to(self, caller: Caller) -> None:
        more: dict[str, Any] = {"expires_after[anchor]": "created_at", "expires_after[seconds]": 3600}

        made = upload(caller, **more).data

        assert made["expires_at"] == made["created_at"] + 3600

    def test_a_file_whose_time_is_over_is_gone(self, caller: Caller) -> None:
        made = upload(caller).data
        DataSource.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

        assert caller.get(f"/files/{made['id']}").status_code == 404
        assert caller.get(f"/files/{made['id']}/content").status_code == 404
        assert caller.get("/files").data["data"] == []

    def test_and_a_worker_clears_it_away(self, caller: Caller) -> None:
        made, kept = upload(caller).data, upload(caller).data
        DataSource.objects.filter(file_id=made["id"]).update(expires_at=timezone.now())

        with tenancy.everything(reason="a worker sweeps"):
            workers.sweep(at=timezone.now())

        assert [row.file_id for row in DataSource.objects.all()] == [kept["id"]]

    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({"file": None}, "file"),
            ({"file": "a text"}, "file"),
            ({"purpose": None}, "purpose"),
            ({"purpose": "fun"}, "purpose"),
            ({"expires_after[anchor]": "created_at"}, "expires_after[seconds]"),
            ({"expires_after[seconds]": 3600}, "expires_after[anchor]"),
            ({"expires_after[anchor]": "now", "expires_after[seconds]": 3600}, "expires_after[anchor]"),
            ({"expires_after[anchor]": "created_at", "expires_after[seconds]": 3599}, "expires_after[seconds]"),
            ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "x"}, "expires_after[seconds]"),
        ],
    )
    def test_says_what_is_wrong(self, caller: Caller, fields: dict[str, Any], param: str) -> None:
        answer = upload(caller, **fields)

        assert answer.status_code == 400, answer.data
        assert answer.data["error"]["param"] == param
        assert not DataSource.objects.exists()

    @pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data", ""])
    def test_wants_a_form(self, caller: Caller, content_type: str) -> None:
        answer: Any = caller.client.post(
            "/v1/files", b'{"a": 1}', content_type=content_type, headers={"authorization": f"Bearer {caller.key}"}
        )

        assert answer.status_code == 400
        assert json.loads(answer.content)["error"]["type"] == "invalid_request_error"

    @override_settings(AI_MAX_FILE_BYTES=10)
    def test_refuses_what_is_too_large(self, caller: Caller) -> None:
        answer = upload(caller, b"x" * 11)

        assert answer.status_code == 413
        assert "larger than 10 bytes" in answer.data["error"]["message"]
        assert not DataSource.objects.exists()

    def test_json_limits_do_not_hold_for_files(self, caller: Caller) -> None:
        with override_settings(AI_API_MAX_BODY_BYTES=100):
            answer = upload(caller, b"x" * 1000)

        assert answer.data["bytes"] == 1000


class TestContent:
    def test_gives_back_what_it_got(self, caller: Caller) -> None:
        made = upload(caller, b"\x00\xff<script>", name="Größe.html").data

        answer = caller.get(f"/files/{made['id']}/content")

        assert answer.content == b"\x00\xff<script>"
        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Disposition"] == "attachment; filename*=utf-8''Gr%C3%B6%C3%9Fe.html"
        assert answer["X-Content-Type-Options"] == "nosniff"


class TestIndex:
    def test_pages_by_file_id_and_filters_by_purpose(self, caller: Caller) -> None:
        made = [upload(caller, purpose=purpose).data["id"] for purpose in ("vision", "assistants", "vision")]

        def listed(query: str) -> list[str]:
            return [row["id"] for row in caller.get(f"/files?{query}").data["data"]]

        assert listed("") == made[::-1]
        assert listed("order=asc&limit=10000") == made
        assert listed("purpose=vision") == [made[2], made[0]]
        assert listed(f"after={made[2]}&limit=1") == [made[1]]
        assert caller.get("/files?limit=10001").data["error"]["code"] == "integer_above_max_value"


class TestDelete:
    def test_deletes_once(self, caller: Caller) -> None:
        made = upload(caller).data

        first, second = caller.delete(f"/files/{made['id']}"), caller.delete(f"/files/{made['id']}")

        assert first.data == {"id": made["id"], "object": "file", "deleted": True}
        assert second.status_code == 404
        assert second.data["error"]["message"] == f"No file found with id '{made['id']}'."

    @pytest.mark.parametrize("junk", ["file-", "%00", "file-%00", "x" * 3000])
    def test_junk_is_no_file(self, caller: Caller, junk: str) -> None:
        assert caller.get(f"/files/{junk}").status_code == 404


def test_readers_cannot_upload(tenant: Tenant) -> None:
    reader = Caller.of(tenant, scopes=["read"])

    assert upload(reader).status_code == 403
    assert not DataSource.objects.exists()
