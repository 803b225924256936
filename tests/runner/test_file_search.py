"""The model's search in files, and the citations in its answer."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import override_settings

from ai import ids, tenancy
from ai.exceptions import InvalidInput
from ai.models import Tenant, VectorStore
from ai.runner.file_search import NOTHING, FileSearch, Found, cite, definition, queries
from ai.services import vector_stores
from tests import factories
from tests.runner.scripted import scripted_model
from tests.services.stores import AT, HOURS, REFUNDS, SYSTEM, read_all, store_of, uploaded

pytestmark = pytest.mark.django_db


def asking(*questions: str) -> str:
    return json.dumps({"queries": questions})


async def made(*texts: str, **values: Any) -> VectorStore:
    """A store whose files say this, read."""
    return await sync_to_async(store_of)(*texts, **values)


class TestSearch:
    async def test_gives_the_model_numbered_passages_and_the_step_its_results(self, tenant: Tenant) -> None:
        store = await made(REFUNDS, HOURS)

        found = await FileSearch([store.pk], {}, tenant_id=tenant.pk).search(asking("When are refunds paid?"))

        assert found.output == f"【0:0†0.txt】\n{REFUNDS}"
        [result] = found.results
        assert 0 < result.pop("score") <= 1
        assert result.pop("file_id").startswith("file-")
        assert result == {"file_name": "0.txt", "content": [{"type": "text", "text": REFUNDS}]}

    async def test_numbers_each_search_of_a_run(self, tenant: Tenant) -> None:
        store = await made(REFUNDS, HOURS)
        search = FileSearch([store.pk], tenant_id=tenant.pk)

        first, second = await asyncio.gather(search.search(asking("refund")), search.search(asking("shop")))

        assert (first.output[:8], second.output[:8]) == ("【0:0†0.t", "【1:0†1.t")

    async def test_takes_several_queries_and_stores(self, tenant: Tenant) -> None:
        one, other = await made(REFUNDS), await made(HOURS)

        found = await FileSearch([one.pk, other.pk], tenant_id=tenant.pk).search(asking("refund", "shop"))

        assert len(found.results) == 2

    async def test_keeps_to_the_options_of_the_tool(self, tenant: Tenant) -> None:
        store = await made(*[f"refund number {number}" for number in range(5)])
        few, strict = {"max_num_results": 2}, {"ranking_options": {"score_threshold": 0.99}}

        found = await FileSearch([store.pk], few, tenant_id=tenant.pk).search(asking("refund"))
        none = await FileSearch([store.pk], strict, tenant_id=tenant.pk).search(asking("refund please"))

        assert (len(found.results), none.results, none.output) == (2, [], NOTHING)

    async def test_finds_nothing_of_another_tenant(self, tenant: Tenant) -> None:
        store = await made(REFUNDS)
        other = await sync_to_async(factories.tenant)()

        with tenancy.everything(reason="runs are executed for every tenant"):
            found = await FileSearch([store.pk], tenant_id=other.pk).search(asking("refund"))

        assert found.results == []

    async def test_says_that_nothing_is_there(self, tenant: Tenant) -> None:
        for stores in ([], [ids.new()]):
            assert (await FileSearch(stores, tenant_id=tenant.pk).search(asking("refund"))).output == NOTHING

    async def test_puts_no_brackets_of_a_name_into_a_marker(self, tenant: Tenant) -> None:
        store = await sync_to_async(
            lambda: vector_stores.create(by=SYSTEM, at=AT, file_ids=[uploaded(REFUNDS, "a【1】.txt")])
        )()
        await sync_to_async(read_all)()

        found = await FileSearch([store.pk], tenant_id=tenant.pk).search(asking("refund"))

        assert found.output.startswith("【0:0†a(1).txt】\n")

    @override_settings(AI_EMBEDDING_MODEL="scripted")
    async def test_finds_what_says_the_same_in_other_words(self, tenant: Tenant) -> None:
        server = scripted_model()
        await sync_to_async(server.__enter__)()
        try:
            store = await made(REFUNDS, HOURS)
            found = await FileSearch([store.pk], tenant_id=tenant.pk).search(asking("reimbursement"))
        finally:
            await sync_to_async(server.__exit__)(None, None, None)

        assert found.results[0]["content"][0]["text"] == REFUNDS


class TestExpiry:
    async def test_says_to_the_model_that_the_files_are_gone(self, tenant: Tenant) -> None:
        store = await made(REFUNDS, expires_after={"anchor": "last_active_at", "days": 1})
        late = AT + timedelta(days=2)

        found = await FileSearch([store.pk], tenant_id=tenant.pk, now=lambda: late).search(asking("refund"))

        assert found.results == []


class TestWaiting:
    async def test_waits_for_files_that_are_being_read(self, tenant: Tenant) -> None:
        store = await sync_to_async(lambda: vector_stores.create(by=SYSTEM, at=AT, file_ids=[uploaded(REFUNDS)]))()
        search = FileSearch([store.pk], tenant_id=tenant.pk, now=lambda: AT)

        task = asyncio.create_task(search.search(asking("refund")))
        await asyncio.sleep(0.2)
        waiting = not task.done()
        await sync_to_async(read_all)()

        assert waiting
        assert len((await task).results) == 1

    async def test_waits_no_longer_than_it_may_and_once(self, tenant: Tenant) -> None:
        store = await sync_to_async(lambda: vector_stores.create(by=SYSTEM, at=AT, file_ids=[uploaded(REFUNDS)]))()
        search = FileSearch([store.pk], tenant_id=tenant.pk, now=lambda: AT, wait_seconds=0.3)
        begun = time.monotonic()

        for _ in range(3):
            assert (await search.search(asking("refund"))).results == []

        assert 0.25 < time.monotonic() - begun < 5

    async def test_does_not_wait_for_files_that_were_added_long_ago(self, tenant: Tenant) -> None:
        store = await sync_to_async(lambda: vector_stores.create(by=SYSTEM, at=AT, file_ids=[uploaded(REFUNDS)]))()
        begun = time.monotonic()

        later = AT + timedelta(minutes=5)
        await FileSearch([store.pk], tenant_id=tenant.pk, now=lambda: later).search(asking("refund"))

        assert time.monotonic() - begun < 5


class TestQueries:
    @pytest.mark.parametrize(
        ("arguments", "asked"),
        [
            ('{"queries": ["a", "b"]}', ["a", "b"]),
            ('{"queries": "a"}', ["a"]),
            ('{"query": "a"}', ["a"]),
            ('{"queries": ["a", 1, "", null]}', ["a"]),
            (asking(*map(str, range(20))), [str(n) for n in range(8)]),
        ],
    )
    def test_are_taken_as_models_write_them(self, arguments: str, asked: list[str]) -> None:
        assert queries(arguments) == asked

    @pytest.mark.parametrize("arguments", ["", "{}", "[]", "no json", '{"queries": []}', '{"queries": {}}', "null"])
    def test_are_asked_for_where_there_are_none(self, arguments: str) -> None:
        with pytest.raises(InvalidInput, match="queries"):
            queries(arguments)


class TestCite:
    FOUNDS = (
        Found(0, "", [{"file_id": "file-a"}, {"file_id": "file-b"}]),
        Found(1, "", [{"file_id": "file-c"}]),
    )

    def test_marks_where_each_file_is_cited(self) -> None:
        text = "Größe 😀 【0:1†b.txt】 and 【1:0†c.txt】."

        found = cite(text, self.FOUNDS)

        assert [each["file_citation"]["file_id"] for each in found] == ["file-b", "file-c"]
        assert [text[each["start_index"] : each["end_index"]] for each in found] == ["【0:1†b.txt】", "【1:0†c.txt】"]
        assert found[0] == {
            "type": "file_citation",
            "text": "【0:1†b.txt】",
            "start_index": 8,
            "end_index": 19,
            "file_citation": {"file_id": "file-b"},
        }

    @pytest.mark.parametrize(
        "text", ["", "plain", "【0:2†x】", "【9:0†x】", "【0†x】", "【0:0†x", "【a:b†x】", "[0:0]"]
    )
    def test_marks_nothing_else(self, text: str) -> None:
        assert cite(text, self.FOUNDS) == []


def test_the_model_sees_a_function() -> None:
    function = definition()["function"]

    assert function["name"] == "file_search"
    assert function["parameters"]["required"] == ["queries"]
