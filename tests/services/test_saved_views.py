"""Saved views: who keeps, sees, shares, changes and deletes them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from ai import tenancy
from ai.exceptions import Conflict, Forbidden, InvalidInput, NotFound
from ai.models import AuditEntry, SavedView, Tenant, ViewDefault
from ai.services import saved_views
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
THREADS = "ai.chatthread"
QUERY = {"tag": "billing", "q": "parcel"}


@pytest.fixture
def tenant(db: None) -> Iterator[Tenant]:
    made = factories.tenant()
    with tenancy.scope(made.pk):
        yield made


def person(tenant: Tenant, *more: str) -> Any:
    return factories.staff("view_chatthread", *more, tenants=(tenant,))


def sharer(tenant: Tenant) -> Any:
    return person(tenant, "share_savedview")


def make(by: Any, name: str = "Late parcels", **values: Any) -> SavedView:
    given = {"of": THREADS, "query": QUERY, "columns": ["title", "tag_links"], **values}
    return saved_views.make(name=name, by=by, at=NOW, **given)


def names(by: Any, of: str = THREADS) -> list[str]:
    return [view.name for view in saved_views.offered(of=of, by=by)]


def actions() -> list[str]:
    return sorted(AuditEntry.objects.values_list("action", flat=True))


class TestMake:
    def test_keeps_filters_words_and_columns_for_oneself(self, tenant: Tenant) -> None:
        ana, ben = person(tenant), person(tenant)

        made = make(ana)

        assert (made.query, made.columns, made.tenant_id) == (QUERY, ["title", "tag_links"], None)
        assert names(ana) == ["Late parcels"]
        assert names(ben) == []
        assert actions() == []

    def test_shares_with_the_tenants_people_alone(self, tenant: Tenant) -> None:
        other = factories.tenant()
        ana, ben, cora = sharer(tenant), person(tenant), person(other)

        make(ana, is_shared=True)

        assert names(ben) == ["Late parcels"]
        with tenancy.scope(other.pk):
            assert names(cora) == []
        with tenancy.everything(reason="test"):
            assert names(get_user_model().objects.create_superuser("root", "", "x")) == ["Late parcels"]
        assert actions() == ["view.shared"]

    def test_asks_for_the_permission_to_share(self, tenant: Tenant) -> None:
        with pytest.raises(Forbidden):
            make(person(tenant), is_shared=True)

    def test_asks_which_tenant_where_there_are_several(self, tenant: Tenant) -> None:
        other, foreign = factories.tenant(), factories.tenant()
        ana = factories.staff("view_chatthread", "share_savedview", tenants=(tenant, other))

        with tenancy.scope(tenant.pk, other.pk):
            for wrong in (None, foreign.pk, "no id"):
                with pytest.raises(InvalidInput, match="Choose the tenant"):
                    make(ana, is_shared=True, tenant_id=wrong)
            assert make(ana, is_shared=True, tenant_id=str(other.pk)).tenant_id == other.pk

    def test_is_for_those_who_see_the_list(self, tenant: Tenant) -> None:
        with pytest.raises(Forbidden):
            make(person(tenant), of="ai.apikey")

    @pytest.mark.parametrize("name", ["", "   ", "\x00", "x" * 101])
    def test_needs_a_name_that_can_be_shown(self, tenant: Tenant, name: str) -> None:
        with pytest.raises(InvalidInput):
            make(person(tenant), name)

    def test_takes_a_name_once_for_each_person_and_list(self, tenant: Tenant) -> None:
        ana = person(tenant, "view_run")
        make(ana)

        with pytest.raises(Conflict):
            make(ana)
        assert make(ana, of="ai.run").name == make(person(tenant)).name

    @pytest.mark.parametrize(
        "values",
        [
            {"query": {"q": "x" * 501}},
            {"query": {f"f{number}": "x" for number in range(31)}},
            {"columns": [f"c{number}" for number in range(51)]},
        ],
    )
    def test_holds_no_more_than_a_list_can_show(self, tenant: Tenant, values: dict[str, Any]) -> None:
        with pytest.raises(InvalidInput):
            make(person(tenant), **values)

    def test_leaves_out_what_no_database_keeps(self, tenant: Tenant) -> None:
        made = make(person(tenant), query={"q": "par\x00cel", "tag": "\x00", "": "x"}, columns=["a", "a", ""])

        made.refresh_from_db()
        assert (made.query, made.columns) == ({"q": "parcel"}, ["a"])

    def test_ends_at_fifty_of_one_list(self, tenant: Tenant) -> None:
        ana = person(tenant)
        for number in range(saved_views.MOST_VIEWS):
            make(ana, f"View {number}")

        with pytest.raises(Conflict, match="delete one"):
            make(ana, "One more")

    def test_a_tenant_that_one_has_left_keeps_no_name(self, tenant: Tenant) -> None:
        left = factories.tenant()
        ana = factories.staff("view_chatthread", "share_savedview", tenants=(tenant, left))
        with tenancy.scope(left.pk):
            for number in range(saved_views.MOST_VIEWS):
                make(ana, f"View {number}", is_shared=True)

        own, shared = make(ana, "View 0"), make(ana, "View 1", is_shared=True)

        assert names(ana) == [own.name, shared.name] == ["View 0", "View 1"]
        for taken in ("View 0", "View 1"):
            with pytest.raises(Conflict):
                make(ana, taken, is_shared=True)
        with pytest.raises(Conflict):
            saved_views.rename(view_id=own.pk, name="View 1", by=ana, at=NOW)
        assert saved_views.get(view_id=own.pk, by=ana).name == "View 0"


class TestChange:
    def test_renames_and_updates_ones_own(self, tenant: Tenant) -> None:
        ana = person(tenant)
        made = make(ana)

        saved_views.rename(view_id=made.pk, name=" Parcels  today ", by=ana, at=NOW)
        saved_views.update(view_id=made.pk, query={"tag": "late"}, by=ana, at=NOW)

        found = saved_views.get(view_id=made.pk, by=ana)
        assert (found.name, found.query, found.columns) == ("Parcels today", {"tag": "late"}, [])
        assert actions() == []

    def test_is_noted_where_others_see_it(self, tenant: Tenant) -> None:
        ana = sharer(tenant)
        made = make(ana)

        saved_views.share(view_id=made.pk, by=ana, at=NOW)
        saved_views.rename(view_id=made.pk, name="Parcels", by=ana, at=NOW)
        saved_views.unshare(view_id=made.pk, by=ana, at=NOW)

        assert actions() == ["view.changed", "view.shared", "view.unshared"]
        assert saved_views.get(view_id=made.pk, by=ana).tenant_id is None

    def test_is_for_its_owner(self, tenant: Tenant) -> None:
        made = make(sharer(tenant), is_shared=True)
        other = sharer(tenant)

        with pytest.raises(Forbidden):
            saved_views.rename(view_id=made.pk, name="Mine", by=other, at=NOW)
        with pytest.raises(Forbidden):
            saved_views.update(view_id=made.pk, query={}, by=other, at=NOW)
        with pytest.raises(Forbidden):
            saved_views.unshare(view_id=made.pk, by=other, at=NOW)
        assert saved_views.get(view_id=made.pk, by=other).query == QUERY

    def test_of_what_others_see_needs_the_permission_to_share(self, tenant: Tenant) -> None:
        ana = sharer(tenant)
        made = make(ana, is_shared=True)
        ana.user_permissions.remove(*ana.user_permissions.filter(codename="share_savedview"))
        now = get_user_model().objects.get(pk=ana.pk)

        with pytest.raises(Forbidden):
            saved_views.rename(view_id=made.pk, name="Other", by=now, at=NOW)
        assert not saved_views.unshare(view_id=made.pk, by=now, at=NOW).is_shared

    def test_finds_no_private_view_of_others(self, tenant: Tenant) -> None:
        made = make(person(tenant))

        for by in (person(tenant), get_user_model().objects.create_superuser("root", "", "x")):
            with pytest.raises(NotFound):
                saved_views.rename(view_id=made.pk, name="Mine", by=by, at=NOW)

    def test_refuses_a_name_that_is_taken(self, tenant: Tenant) -> None:
        ana = person(tenant)
        make(ana)
        other = make(ana, "Other")

        with pytest.raises(Conflict):
            saved_views.rename(view_id=other.pk, name="Late parcels", by=ana, at=NOW)


class TestDelete:
    def test_takes_it_from_everybodys_lists(self, tenant: Tenant) -> None:
        ana, ben = sharer(tenant), person(tenant)
        made = make(ana, is_shared=True)
        saved_views.open_with(view_id=made.pk, by=ben)

        saved_views.delete(view_id=made.pk, by=ana, at=NOW)

        assert names(ana) == names(ben) == []
        assert not ViewDefault.objects.exists()
        assert actions() == ["view.deleted", "view.shared"]

    def test_of_a_shared_one_is_for_its_owner_and_for_leads(self, tenant: Tenant) -> None:
        made = make(sharer(tenant), is_shared=True)

        with pytest.raises(Forbidden):
            saved_views.delete(view_id=made.pk, by=sharer(tenant), at=NOW)
        saved_views.delete(view_id=made.pk, by=person(tenant, "delete_savedview"), at=NOW)

        assert not SavedView.objects.exists()

    def test_of_a_private_one_is_for_its_owner_alone(self, tenant: Tenant) -> None:
        ana = person(tenant)
        made = make(ana)

        with pytest.raises(NotFound):
            saved_views.delete(view_id=made.pk, by=person(tenant, "delete_savedview"), at=NOW)
        assert names(ana) == ["Late parcels"]


class TestDefault:
    def test_is_one_for_each_person_and_list(self, tenant: Tenant) -> None:
        ana, ben = sharer(tenant), person(tenant)
        first, second = make(ana, is_shared=True), make(ana, "Other")

        saved_views.open_with(view_id=first.pk, by=ben)
        saved_views.open_with(view_id=first.pk, by=ana)
        saved_views.open_with(view_id=second.pk, by=ana)

        def default(by: Any) -> list[str]:
            return [view.name for view in saved_views.offered(of=THREADS, by=by) if view.is_default]  # type: ignore[attr-defined]

        assert (default(ana), default(ben)) == (["Other"], ["Late parcels"])
        saved_views.open_without(of=THREADS, by=ana)
        assert (default(ana), default(ben)) == ([], ["Late parcels"])

    def test_is_passed_over_where_the_view_is_seen_no_longer(self, tenant: Tenant) -> None:
        ana, ben = sharer(tenant), person(tenant)
        made = make(ana, is_shared=True)
        saved_views.open_with(view_id=made.pk, by=ben)

        saved_views.unshare(view_id=made.pk, by=ana, at=NOW)

        assert saved_views.offered(of=THREADS, by=ben) == []

    def test_is_offered_however_many_views_there_are(self, tenant: Tenant) -> None:
        ana = sharer(tenant)
        with tenancy.scope(tenant.pk):
            for number in range(saved_views.MOST_OFFERED + 5):
                SavedView.objects.make(
                    SavedView(of=THREADS, name=f"A{number:03}", owner_id="x", is_shared=True, tenant_id=tenant.pk)
                )
        default, chosen = make(ana, "ZZ default"), make(ana, "ZZZ chosen")
        saved_views.open_with(view_id=default.pk, by=ana)

        with CaptureQueriesContext(
            connection,
        ) as seen:
            found = saved_views.offered(of=THREADS, by=ana, chosen=chosen.pk)

        assert len(seen) == 1
        assert len(found) == saved_views.MOST_OFFERED
        assert [view.name for view in found][-2:] == ["ZZ default", "ZZZ chosen"]


class TestDatabase:
    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"is_shared": True, "tenant_id": None}, "ai_saved_view_shared_in_a_tenant"),
            (
                {"is_shared": False, "tenant_id": "0f7fbd1c-5f5c-4a5f-9d3c-0a4b9d7e1c11"},
                "ai_saved_view_shared_in_a_tenant",
            ),
            ({"name": ""}, "ai_saved_view_has_name"),
        ],
    )
    def test_refuses_what_no_view_can_be(self, tenant: Tenant, values: dict[str, Any], constraint: str) -> None:
        row = SavedView(**{"of": THREADS, "name": "x", "owner_id": "1", "owner_name": "ana", **values})

        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            row.save(force_insert=True)
