"""Search in a vector store over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types import VectorStoreSearchResponse

from ai.models import VectorStore
from tests.api.calling import Caller
from tests.api.stores import REFUNDS, made, read_all, upload

pytestmark = pytest.mark.django_db


class TestSearch:
    def test_answers_with_every_key(self, caller: Caller) -> None:
        file_id = upload()
        store = made(caller)
        caller.post(f"/vector_stores/{store}/files", {"file_id": file_id, "attributes": {"year": 2026}})
        read_all()

        body = {"query": "When is the refund paid?", "rewrite_query": True, "max_num_results": 5}
        answer = caller.post(f"/vector_stores/{store}/search", body)

        [row] = answer.data["data"]
        assert 0 < row.pop("score") <= 1
        assert row == {
            "file_id": file_id,
            "filename": "refunds.txt",
            "attributes": {"year": 2026},
            "content": [{"type": "text", "text": REFUNDS}],
        }
        VectorStoreSearchResponse.model_validate({**row, "score": 0.5})
        del answer.data["data"]
        assert answer.data == {
            "object": "vector_store.search_results.page",
            "search_query": ["When is the refund paid?"],
            "has_more": False,
            "next_page": None,
        }

    def test_takes_filters_and_several_queries(self, caller: Caller) -> None:
        store = made(caller)
        for year in (2025, 2026):
            body = {"file_id": upload(f"refund of {year}"), "attributes": {"year": year}}
            caller.post(f"/vector_stores/{store}/files", body)
        read_all()
        filters = {
            "type": "and",
            "filters": [
                {"type": "gte", "key": "year", "value": 2026},
                {"type": "in", "key": "year", "value": [2026, 2027]},
            ],
        }

        found = caller.post(f"/vector_stores/{store}/search", {"query": ["refund", "money"], "filters": filters}).data

        assert [row["content"][0]["text"] for row in found["data"]] == ["refund of 2026"]
        assert found["search_query"] == ["refund", "money"]

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({}, "query"),
            ({"query": ""}, "query"),
            ({"query": " "}, "query"),
            ({"query": 1}, "query"),
            ({"query": "x", "max_num_results": 51}, "max_num_results"),
            ({"query": "x", "max_num_results": 0}, "max_num_results"),
            ({"query": "x", "filters": {"type": "like", "key": "a", "value": "b"}}, "filters"),
            ({"query": "x", "ranking_options": {"score_threshold": 2}}, "ranking_options.score_threshold"),
        ],
    )
    def test_refuses_what_is_out_of_bounds(self, caller: Caller, body: Any, param: str) -> None:
        answer = caller.post(f"/vector_stores/{made(caller)}/search", body)

        assert (answer.status_code, answer.data["error"]["param"]) == (400, param)

    def test_is_refused_by_a_store_that_has_expired(self, caller: Caller) -> None:
        store = made(caller, expires_after={"anchor": "last_active_at", "days": 1})
        VectorStore.objects.update(expires_at="2026-01-01T00:00:00Z")

        answer = caller.post(f"/vector_stores/{store}/search", {"query": "x"})

        assert (answer.status_code, answer.data["error"]["code"]) == (400, "vector_store_expired")
        assert caller.get(f"/vector_stores/{store}").data["status"] == "expired"
