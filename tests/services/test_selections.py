"""A selection is what the list shows, kept."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from ai import ids, tenancy
from ai.admin import threads as admin_threads
from ai.exceptions import InvalidInput
from ai.models import ChatThread, Message, Tenant
from ai.services import filters
from ai.services.selections import NOUNS, Selection
from tests import factories
from tests.admin import world

pytestmark = pytest.mark.django_db

LISTS = {
    "threads": "chatthread",
    "messages": "message",
    "runs": "run",
    "files": "datasource",
    "feedback": "feedback",
    "assistants": "assistant",
    "audit-entries": "auditentry",
}


def names(selection: Selection) -> list[str]:
    return sorted(selection.queryset().values_list("name", flat=True))


def kept(selection: Selection) -> Selection:
    """The selection after its way through the database."""
    return Selection.from_json(json.loads(json.dumps(selection.to_json())))


class TestOfList:
    @pytest.mark.parametrize(
        ("noun", "query"),
        [
            ("threads", ""),
            ("threads", "tag=billing"),
            ("threads", "q=zanzibar"),
            ("threads", "q=zanzibar&feedback=down"),
            ("threads", "last_activity_at_from=2020-01-01&last_activity_at_to=2020-02-01"),
            ("messages", "role=user"),
            ("messages", "q=zanzibar+answers"),
            ("messages", "created_from=2020-01-01"),
            ("runs", "kind=replay"),
            ("runs", "status=failed&kind=original"),
            ("runs", "q=zanzibar"),
            ("files", "mime_type=text%2Fplain"),
            ("files", "q=zanzibar"),
            ("feedback", "rating=down&state=open"),
            ("feedback", "q=bad"),
            ("assistants", "model=m&q=helper"),
        ],
    )
    def test_is_what_the_list_shows(self, noun: str, query: str) -> None:
        tenant = Tenant.objects.create(name="Some")
        world.build(tenant, count=2)
        world.build(Tenant.objects.create(name="Other"), word="ordinary")
        factories.thread(tenant, name="Billed", tags=["billing"])
        client = Client()
        client.force_login(get_user_model().objects.create_superuser("root", "", "x"))

        shown: Any = client.get(f"/admin/ai/{LISTS[noun]}/?{query}").context["cl"].result_list
        with tenancy.everything(reason="a test"):
            selected = kept(Selection.of_list(noun, QueryDict(query)).frozen(at=timezone.now())).queryset()

            assert {row.pk for row in selected} == {row.pk for row in shown}

    def test_knows_every_filter_of_the_lists(self) -> None:
        pages = {model: page for model, page in world.ai_pages().items() if model in NOUNS.values()}

        for model, page in pages.items():
            for spec in page.list_filter:
                name = spec[0] if isinstance(spec, tuple) else spec.parameter_name
                assert {name, f"{name}_from"} & set(filters.MEANINGS[model]), (model, name)
            assert set(page.lookups) <= set(filters.MEANINGS[model])
        assert len(pages) == len(NOUNS)
        assert admin_threads.ThreadAdmin in {type(page) for page in pages.values()}

    @pytest.mark.parametrize(
        ("noun", "query"),
        [
            ("threads", "nonsense=1"),
            ("threads", "feedback=sideways"),
            ("threads", "files=perhaps"),
            ("threads", "last_activity_at_from=yesterday"),
            ("threads", "last_activity_at_from=2026-13-45"),
            ("threads", "tenant=zzz"),
            ("threads", "tag=a&tag=b"),
            ("threads", "tenant_id__in=1"),
            ("messages", "thread_id=x"),
            ("runs", "status=lost"),
            ("runs", "assistant=x"),
            ("feedback", "rating=sideways"),
            ("jobs", ""),
        ],
    )
    def test_refuses_what_it_cannot_read(self, tenant: Tenant, noun: str, query: str) -> None:
        with pytest.raises(InvalidInput):
            Selection.of_list(noun, QueryDict(query))

    def test_passes_over_how_the_list_is_shown(self, tenant: Tenant) -> None:
        assert Selection.of_list("threads", QueryDict("p=3&o=-1&e=1&tag=")) == Selection("threads")


class TestFrozen:
    def test_leaves_out_what_arrives_later(self, tenant: Tenant) -> None:
        factories.thread(tenant, name="Before")
        selection = kept(Selection.of_list("threads", {}).frozen(at=timezone.now()))

        factories.thread(tenant, name="After")

        assert names(selection) == ["Before"]

    def test_keeps_what_the_search_found(self, tenant: Tenant) -> None:
        factories.thread(tenant, name="A parcel")
        selection = kept(Selection.of_list("threads", {"q": "parcel"}).frozen(at=timezone.now()))
        late = factories.thread(tenant, name="Another parcel")
        ChatThread.objects.filter(pk=late.pk).update(created=timezone.now() - timedelta(days=1))

        assert names(selection) == ["A parcel"]

    def test_keeps_a_search_by_id_whole(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, *factories.talk(8))

        selection = kept(Selection.of_list("messages", {"q": str(thread.pk)}).frozen(at=timezone.now(), most=10))

        assert selection.count() == 16
        assert "only the first" not in selection.describe()

    def test_says_where_a_search_found_more_than_is_kept(self, tenant: Tenant) -> None:
        factories.thread(tenant, *({"role": "user", "content": f"Parcel {number}"} for number in range(11)))

        selection = kept(Selection.of_list("messages", {"q": "parcel"}).frozen(at=timezone.now(), most=10))

        assert selection.count() == 10
        assert selection.describe() == "messages: with the words “parcel”, only the first 10 that were found"


class TestOfIds:
    def test_are_the_rows_in_scope(self, tenant: Tenant) -> None:
        ours = factories.thread(tenant, name="Ours")
        theirs = factories.thread(Tenant.objects.create(name="Other"), name="Theirs")

        selection = kept(Selection.of_ids("threads", [ours.pk, str(theirs.pk), ours.pk]))

        assert names(selection) == ["Ours"]
        assert selection.count() == 1

    def test_refuses_none_and_too_many_and_strangers(self) -> None:
        for keys in ([], [ids.new() for _ in range(10_001)], ["x"]):
            with pytest.raises(InvalidInput):
                Selection.of_ids("threads", keys)


class TestFromJson:
    @pytest.mark.parametrize(
        "change",
        [
            {"noun": "people"},
            {"filters": {"nonsense": "1"}},
            {"filters": None},
            {"ids": "all"},
            {"until": "soon"},
            {"found": ["x"]},
            {"words": None},
        ],
    )
    def test_never_reads_something_else_as_everything(self, tenant: Tenant, change: dict[str, Any]) -> None:
        stored = {**Selection.of_list("threads", {"tag": "a"}).to_json(), **change}

        with pytest.raises(InvalidInput):
            Selection.from_json(stored)

    @pytest.mark.parametrize("stored", [None, [], {}, "threads"])
    def test_refuses_what_is_no_selection(self, stored: Any) -> None:
        with pytest.raises(InvalidInput):
            Selection.from_json(stored)


class TestChunks:
    def test_hold_each_row_once(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, *factories.talk(11))

        chunks = list(Selection.of_list("messages", {"thread_id": str(thread.pk)}).chunks(size=5))

        assert [len(chunk) for chunk in chunks] == [5, 5, 5, 5, 2]
        keys = [row.pk for chunk in chunks for row in chunk]
        assert keys == sorted(Message.objects.values_list("pk", flat=True))

    def test_go_on_after_a_key(self, tenant: Tenant) -> None:
        for number in range(5):
            factories.thread(tenant, name=str(number))
        every = sorted(ChatThread.objects.values_list("pk", flat=True))

        rest = list(Selection.of_list("threads", {}).chunks(size=2, after=every[2]))

        assert [row.pk for chunk in rest for row in chunk] == every[3:]


class TestDescribe:
    def test_says_the_filter_in_words(self, tenant: Tenant) -> None:
        query = {"tag": "billing", "tenant": str(tenant.pk), "last_activity_at_from": "2026-05-04", "q": "parcel"}

        said = Selection.of_list("threads", query).describe()

        assert said == (
            "threads: last activity from 2026-05-04, tag is billing, tenant is Northwind, with the words “parcel”"
        )

    def test_tells_no_name_of_another_tenant(self, tenant: Tenant) -> None:
        other = Tenant.objects.create(name="Other")

        with tenancy.scope(tenant.pk):
            said = Selection.of_list("threads", {"tenant": str(other.pk)}).describe()

        assert said == f"threads: tenant is {other.pk}"

    def test_says_that_there_is_none(self, tenant: Tenant) -> None:
        assert Selection.of_list("runs", {}).describe() == "all runs"
        assert Selection.of_ids("runs", [ids.new()]).describe() == "1 chosen runs"
