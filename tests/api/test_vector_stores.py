"""Vector stores over HTTP: operations 29 to 44 of the Assistants API."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types import VectorStore as StoreType
from openai.types.vector_stores import VectorStoreFile as FileType
from openai.types.vector_stores import VectorStoreFileBatch as BatchType

from ai import tenancy
from ai.models import Tenant, VectorStore, VectorStoreFile
from tests.api.calling import Caller
from tests.api.stores import REFUNDS, made, read_all, upload

pytestmark = pytest.mark.django_db


class TestStores:
    def test_answers_with_every_key(self, caller: Caller) -> None:
        body = {
            "name": "Handbook",
            "file_ids": [upload()],
            "metadata": {"team": "blue"},
            "expires_after": {"anchor": "last_active_at", "days": 7},
            "chunking_strategy": {"type": "auto"},
        }

        answer = caller.post("/vector_stores", body)

        row = VectorStore.objects.get()
        created = int(row.created.timestamp())
        assert answer.status_code == 200
        assert answer.data == {
            "id": f"vs_{row.pk.hex}",
            "object": "vector_store",
            "created_at": created,
            "name": "Handbook",
            "description": None,
            "usage_bytes": 0,
            "file_counts": {"in_progress": 1, "completed": 0, "failed": 0, "cancelled": 0, "total": 1},
            "status": "in_progress",
            "expires_after": {"anchor": "last_active_at", "days": 7},
            "expires_at": created + 7 * 86400,
            "last_active_at": created,
            "metadata": {"team": "blue"},
        }
        StoreType.model_validate(answer.data, strict=True)
        assert answer["openai-poll-after-ms"] == "200"

    @pytest.mark.parametrize("body", [None, {}, {"name": None, "file_ids": [], "metadata": {}, "expires_after": None}])
    def test_needs_nothing(self, caller: Caller, body: Any) -> None:
        answer = caller.post("/vector_stores", body)

        assert (answer.status_code, answer.data["status"], answer.data["name"]) == (200, "completed", "")
        StoreType.model_validate(answer.data, strict=True)

    def test_is_completed_when_its_files_are_read(self, caller: Caller) -> None:
        store = made(caller, file_ids=[upload(), upload("\0" * 100, "a.bin")])
        read_all()

        answer = caller.get(f"/vector_stores/{store}").data

        assert answer["status"] == "completed"
        assert answer["file_counts"] == {"in_progress": 0, "completed": 1, "failed": 1, "cancelled": 0, "total": 2}
        assert answer["usage_bytes"] == len(REFUNDS)

    def test_changes_what_is_given(self, caller: Caller) -> None:
        days = {"anchor": "last_active_at", "days": 1}
        store = made(caller, name="Old", metadata={"a": "b"}, expires_after=days)

        changed = caller.post(f"/vector_stores/{store}", {"name": "New", "metadata": None}).data
        forever = caller.post(f"/vector_stores/{store}", {"expires_after": None}).data

        assert (changed["name"], changed["metadata"], changed["expires_after"]) == ("New", {"a": "b"}, days)
        assert (forever["expires_after"], forever["expires_at"]) == (None, None)

    def test_are_listed_newest_first_with_few_queries(self, caller: Caller, django_assert_max_num_queries: Any) -> None:
        stores = [made(caller, name=str(number), file_ids=[upload()]) for number in range(3)]

        with django_assert_max_num_queries(6):
            listed = caller.get("/vector_stores?limit=2").data

        assert [row["id"] for row in listed["data"]] == stores[:0:-1]
        assert listed["has_more"] is True
        rest = caller.get(f"/vector_stores?after={listed['last_id']}").data
        assert [row["id"] for row in rest["data"]] == stores[:1]

    def test_is_deleted(self, caller: Caller) -> None:
        file_id = upload()
        store = made(caller, file_ids=[file_id])

        assert caller.delete(f"/vector_stores/{store}").data == {
            "id": store,
            "object": "vector_store.deleted",
            "deleted": True,
        }
        assert caller.get(f"/vector_stores/{store}").status_code == 404
        assert caller.get(f"/files/{file_id}").status_code == 200

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({"name": "x" * 257}, "name"),
            ({"file_ids": ["x"] * 501}, "file_ids"),
            ({"expires_after": {"anchor": "last_active_at", "days": 366}}, "expires_after.days"),
            ({"expires_after": {"anchor": "created_at", "days": 1}}, "expires_after.anchor"),
            ({"metadata": {"a": 1}}, "metadata.a"),
            ({"color": "red"}, "color"),
        ],
    )
    def test_refuses_what_is_out_of_bounds(self, caller: Caller, body: Any, param: str) -> None:
        answer = caller.post("/vector_stores", body)

        assert (answer.status_code, answer.data["error"]["param"]) == (400, param)

    def test_refuses_chunks_that_are_out_of_bounds(self, caller: Caller) -> None:
        strategy = {"type": "static", "static": {"max_chunk_size_tokens": 50, "chunk_overlap_tokens": 0}}

        answer = caller.post("/vector_stores", {"file_ids": [upload()], "chunking_strategy": strategy})

        assert answer.status_code == 400
        assert answer.data["error"]["param"] == "chunking_strategy.static.max_chunk_size_tokens"
        assert not VectorStore.objects.exists()

    def test_needs_the_scope(self, tenant: Tenant) -> None:
        reader = Caller.of(tenant, scopes=["read"])

        assert reader.post("/vector_stores", {}).status_code == 403
        assert reader.get("/vector_stores").status_code == 200


class TestFiles:
    def test_answers_with_every_key(self, caller: Caller) -> None:
        store, file_id = made(caller), upload()
        strategy = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}}
        body = {"file_id": file_id, "attributes": {"year": 2026, "draft": False, "by": "Ann", "score": 0.5}}

        answer = caller.post(f"/vector_stores/{store}/files", {**body, "chunking_strategy": strategy})

        row = VectorStoreFile.objects.get()
        assert answer.data == {
            "id": file_id,
            "object": "vector_store.file",
            "usage_bytes": 0,
            "created_at": int(row.created.timestamp()),
            "vector_store_id": store,
            "status": "in_progress",
            "last_error": None,
            "chunking_strategy": strategy,
            "attributes": body["attributes"],
        }
        FileType.model_validate(answer.data)
        assert answer["openai-poll-after-ms"] == "200"

    def test_tells_why_a_file_could_not_be_read(self, caller: Caller) -> None:
        store, file_id = made(caller), upload("%PDF-1.4 broken", "a.pdf")
        caller.post(f"/vector_stores/{store}/files", {"file_id": file_id})
        read_all()

        answer = caller.get(f"/vector_stores/{store}/files/{file_id}").data

        assert (answer["status"], answer["last_error"]["code"]) == ("failed", "invalid_file")
        assert "no sound PDF" in answer["last_error"]["message"]
        FileType.model_validate(answer, strict=True)

    def test_gives_what_was_read(self, caller: Caller) -> None:
        store, file_id = made(caller), upload()
        caller.post(f"/vector_stores/{store}/files", {"file_id": file_id})
        read_all()

        answer = caller.get(f"/vector_stores/{store}/files/{file_id}/content").data

        assert answer == {
            "object": "vector_store.file_content.page",
            "data": [{"type": "text", "text": REFUNDS}],
            "has_more": False,
            "next_page": None,
        }

    def test_are_listed_and_filtered(self, caller: Caller) -> None:
        ids = [upload() for _ in range(3)]
        store = made(caller, file_ids=ids[:2])
        read_all()
        caller.post(f"/vector_stores/{store}/files", {"file_id": ids[2]})

        def listed(query: str) -> list[str]:
            return [row["id"] for row in caller.get(f"/vector_stores/{store}/files?{query}").data["data"]]

        assert listed("") == ids[::-1]
        assert listed("filter=completed&order=asc") == ids[:2]
        assert listed("filter=in_progress") == ids[2:]
        assert listed(f"order=asc&after={ids[0]}") == ids[1:]
        assert listed(f"order=asc&before={ids[2]}&limit=1") == ids[1:2]
        assert caller.get(f"/vector_stores/{store}/files?filter=nice").status_code == 400

    def test_get_other_attributes(self, caller: Caller) -> None:
        store, file_id = made(caller), upload()
        caller.post(f"/vector_stores/{store}/files", {"file_id": file_id, "attributes": {"a": 1}})

        changed = caller.post(f"/vector_stores/{store}/files/{file_id}", {"attributes": {"b": "c"}}).data
        none = caller.post(f"/vector_stores/{store}/files/{file_id}", {"attributes": None}).data

        assert (changed["attributes"], none["attributes"]) == ({"b": "c"}, {})
        assert caller.post(f"/vector_stores/{store}/files/{file_id}", {}).status_code == 400

    @pytest.mark.parametrize(
        "attributes",
        [{str(n): 1 for n in range(17)}, {"x" * 65: 1}, {"a": "x" * 513}, {"a": None}, {"a": []}, {"a": {}}, [], "x"],
    )
    def test_refuses_attributes_out_of_bounds(self, caller: Caller, attributes: Any) -> None:
        store, file_id = made(caller), upload()

        answer = caller.post(f"/vector_stores/{store}/files", {"file_id": file_id, "attributes": attributes})

        assert answer.status_code == 400
        assert answer.data["error"]["param"].startswith("attributes")

    def test_is_taken_out_and_stays(self, caller: Caller) -> None:
        file_id = upload()
        store = made(caller, file_ids=[file_id])
        read_all()

        answer = caller.delete(f"/vector_stores/{store}/files/{file_id}").data

        assert answer == {"id": file_id, "object": "vector_store.file.deleted", "deleted": True}
        assert caller.get(f"/vector_stores/{store}/files/{file_id}").status_code == 404
        assert caller.get(f"/files/{file_id}").status_code == 200
        assert caller.get(f"/vector_stores/{store}").data["usage_bytes"] == 0

    @pytest.mark.parametrize("file_id", ["file-none", "a\x00b", "", "x" * 255])
    def test_do_not_exist(self, caller: Caller, file_id: str) -> None:
        store = made(caller)

        assert caller.post(f"/vector_stores/{store}/files", {"file_id": file_id}).status_code == 404

    def test_of_another_tenant_do_not_exist(self, caller: Caller, stranger: Caller) -> None:
        file_id = upload()
        store = made(caller, file_ids=[file_id])

        for answer in (
            stranger.get(f"/vector_stores/{store}"),
            stranger.get(f"/vector_stores/{store}/files/{file_id}"),
            stranger.post(f"/vector_stores/{store}/search", {"query": "refund"}),
            stranger.post(f"/vector_stores/{made(stranger)}/files", {"file_id": file_id}),
        ):
            assert answer.status_code == 404


class TestBatches:
    def test_are_read_and_counted(self, caller: Caller) -> None:
        store = made(caller)
        ids = [upload() for _ in range(3)]

        batch = caller.post(f"/vector_stores/{store}/file_batches", {"file_ids": ids, "attributes": {"a": 1}})
        read_all()
        after = caller.get(f"/vector_stores/{store}/file_batches/{batch.data['id']}")

        assert (batch.data["status"], batch.data["file_counts"]["in_progress"]) == ("in_progress", 3)
        assert (after.data["status"], after.data["file_counts"]["completed"]) == ("completed", 3)
        assert after["openai-poll-after-ms"] == "200"
        for answer in (batch, after):
            BatchType.model_validate(answer.data, strict=True)
        listed = caller.get(f"/vector_stores/{store}/file_batches/{batch.data['id']}/files?order=asc").data["data"]
        assert [row["id"] for row in listed] == ids
        assert {row["attributes"]["a"] for row in listed} == {1}

    def test_is_over_as_soon_as_no_file_is_in_progress(self, caller: Caller) -> None:
        store = made(caller)
        batch = caller.post(f"/vector_stores/{store}/file_batches", {"file_ids": [upload()]}).data
        with tenancy.everything(reason="a test"):
            VectorStoreFile.objects.update(status="completed")  # the batch itself follows a moment later

        found = caller.get(f"/vector_stores/{store}/file_batches/{batch['id']}").data

        assert (found["status"], found["file_counts"]["in_progress"]) == ("completed", 0)

    def test_say_for_each_file_what_it_is(self, caller: Caller) -> None:
        store = made(caller)
        files = [{"file_id": upload(), "attributes": {"n": n}} for n in range(2)]

        batch = caller.post(f"/vector_stores/{store}/file_batches", {"files": files}).data

        listed = caller.get(f"/vector_stores/{store}/file_batches/{batch['id']}/files?order=asc").data["data"]
        assert [row["attributes"] for row in listed] == [{"n": 0}, {"n": 1}]

    def test_are_cancelled_once(self, caller: Caller) -> None:
        store = made(caller)
        batch = caller.post(f"/vector_stores/{store}/file_batches", {"file_ids": [upload(), upload()]}).data
        path = f"/vector_stores/{store}/file_batches/{batch['id']}/cancel"

        cancelled, again = caller.post(path), caller.post(path)

        assert (cancelled.data["status"], cancelled.data["file_counts"]["cancelled"]) == ("cancelled", 2)
        assert again.status_code == 400
        assert "Cannot cancel" in again.data["error"]["message"]

    @pytest.mark.parametrize("body", [{}, {"file_ids": []}, {"file_ids": ["x"] * 2001}, {"files": [{}]}])
    def test_need_files(self, caller: Caller, body: Any) -> None:
        assert caller.post(f"/vector_stores/{made(caller)}/file_batches", body).status_code == 400

    def test_take_one_way_of_naming_files(self, caller: Caller) -> None:
        both = {"file_ids": [upload()], "files": [{"file_id": upload()}]}

        assert caller.post(f"/vector_stores/{made(caller)}/file_batches", both).status_code == 400
