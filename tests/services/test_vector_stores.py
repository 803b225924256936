"""Vector stores: made, searched, expired and deleted, by whoever may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ai import ids, tenancy
from ai.exceptions import Conflict, Forbidden, InvalidInput, NotFound
from ai.models import AuditEntry, Chunk, DataSource, Tenant, VectorStore, VectorStoreFile
from ai.services import files, vector_store_files, vector_store_reading, vector_stores
from tests import factories
from tests.services.stores import AT, HOURS, REFUNDS, SYSTEM, read_all, states, store_of, uploaded

pytestmark = pytest.mark.django_db


def found(store: VectorStore, query: Any, **values: Any) -> list[str]:
    """The texts that a search gives."""
    passages = vector_stores.search(store_id=store.pk, query=query, by=SYSTEM, at=values.pop("at", AT), **values)
    return [passage.text for passage in passages]


class TestCreate:
    def test_has_its_files_read(self, tenant: Tenant) -> None:
        file_id = uploaded(REFUNDS)

        store = vector_stores.create(by=SYSTEM, at=AT, name="Handbook", file_ids=[file_id], metadata={"a": "b"})

        assert states(store) == {file_id: "in_progress"}
        assert read_all() == 1
        assert states(store) == {file_id: "completed"}
        store.refresh_from_db()
        assert (store.tenant_id, store.name, store.metadata) == (tenant.pk, "Handbook", {"a": "b"})
        assert store.usage_bytes == len(REFUNDS)
        assert AuditEntry.objects.filter(action="vector_store.added").exists()

    def test_wakes_a_worker_when_it_is_committed(
        self, tenant: Tenant, sent_tasks: list[Any], django_capture_on_commit_callbacks: Any
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            store = vector_stores.create(by=SYSTEM, at=AT, file_ids=[uploaded(REFUNDS)])

        key = str(VectorStoreFile.objects.get(vector_store_id=store.pk).pk)
        assert sent_tasks == [("ai.tasks.vector_stores.read", {"store_file_id": key})]

    def test_refuses_files_that_do_not_exist(self, tenant: Tenant) -> None:
        other = factories.tenant()
        with tenancy.scope(other.pk):
            theirs = uploaded(REFUNDS)

        for file_id in ("file-none", theirs, ""):
            with pytest.raises(NotFound):
                vector_stores.create(by=SYSTEM, at=AT, file_ids=[file_id])

    def test_needs_the_permission(self, tenant: Tenant) -> None:
        allowed, refused = factories.staff("add_vectorstore"), factories.staff("view_vectorstore")

        vector_stores.create(by=allowed, at=AT)
        with pytest.raises(Forbidden):
            vector_stores.create(by=refused, at=AT)


class TestModify:
    def test_changes_what_is_given(self, tenant: Tenant) -> None:
        store = vector_stores.create(by=SYSTEM, at=AT, name="Old", metadata={"a": "b"})

        days = {"anchor": "last_active_at", "days": 3}
        later = AT + timedelta(days=1)
        changed = vector_stores.modify(store_id=store.pk, by=SYSTEM, at=later, name="New", expires_after=days)

        assert (changed.name, changed.metadata) == ("New", {"a": "b"})
        assert changed.expires_at == later + timedelta(days=3)
        forever = vector_stores.modify(store_id=store.pk, by=SYSTEM, at=later, expires_after=None)
        assert forever.expires_at is None


class TestSearch:
    def test_gives_the_best_passages_first(self, tenant: Tenant) -> None:
        store = store_of(HOURS, REFUNDS, "Parcels are sent on Mondays.")

        assert found(store, "When is the refund of my parcel paid?")[0] == REFUNDS
        assert found(store, "opening") == [HOURS]
        assert found(store, "nothing like it") == []

    def test_takes_several_queries_and_gives_each_passage_once(self, tenant: Tenant) -> None:
        store = store_of(HOURS, REFUNDS)

        assert sorted(found(store, ["refund", "parcel", "shop"])) == sorted([HOURS, REFUNDS])

    def test_gives_no_more_than_asked_and_nothing_below_the_threshold(self, tenant: Tenant) -> None:
        store = store_of(*[f"refund number {number}" for number in range(5)])

        assert len(found(store, "refund", most=3)) == 3
        assert found(store, "refund please now", ranking_options={"score_threshold": 0.99}) == []

    def test_tells_file_name_attributes_and_score(self, tenant: Tenant) -> None:
        store = store_of(REFUNDS)
        [file_id] = states(store)
        vector_store_files.modify(store_id=store.pk, file_id=file_id, attributes={"year": 2026}, by=SYSTEM, at=AT)

        [passage] = vector_stores.search(store_id=store.pk, query="refund", by=SYSTEM, at=AT)

        assert (passage.file_id, passage.file_name, passage.attributes) == (file_id, "0.txt", {"year": 2026})
        assert 0 < passage.score <= 1

    def test_shows_only_files_that_pass_the_filters(self, tenant: Tenant) -> None:
        store = store_of()
        for year in (2024, 2025, 2026):
            vector_store_files.add(
                store_id=store.pk, file_id=uploaded(f"refund of {year}"), attributes={"year": year}, by=SYSTEM, at=AT
            )
        read_all()

        assert found(store, "refund", filters={"type": "gt", "key": "year", "value": 2025}) == ["refund of 2026"]
        assert len(found(store, "refund", filters={"type": "ne", "key": "year", "value": 2025})) == 2
        assert found(store, "refund", filters={"type": "eq", "key": "color", "value": "red"}) == []

    @pytest.mark.parametrize("query", ["", "   ", [], [" "]])
    def test_refuses_a_query_that_says_nothing(self, tenant: Tenant, query: Any) -> None:
        store = store_of(REFUNDS)

        with pytest.raises(InvalidInput):
            found(store, query)

    def test_finds_nothing_of_another_tenant(self, tenant: Tenant) -> None:
        store = store_of(REFUNDS)

        with tenancy.scope(factories.tenant().pk), pytest.raises(NotFound):
            found(store, "refund")

    def test_puts_off_the_expiry(self, tenant: Tenant) -> None:
        store = store_of(REFUNDS, expires_after={"anchor": "last_active_at", "days": 1})

        found(store, "refund", at=AT + timedelta(hours=20))

        store.refresh_from_db()
        assert store.expires_at == AT + timedelta(hours=44)


class TestExpiry:
    def test_refuses_searches_and_changes(self, tenant: Tenant) -> None:
        store = store_of(REFUNDS, expires_after={"anchor": "last_active_at", "days": 1})
        late = AT + timedelta(days=1)

        with pytest.raises(Conflict, match="has expired"):
            found(store, "refund", at=late)
        with pytest.raises(Conflict, match="has expired"):
            vector_store_files.add(store_id=store.pk, file_id=uploaded(HOURS), by=SYSTEM, at=late)
        with pytest.raises(Conflict, match="has expired"):
            vector_stores.modify(store_id=store.pk, name="x", by=SYSTEM, at=late)

    def test_drops_what_can_be_searched_and_keeps_the_files(self, tenant: Tenant) -> None:
        store = store_of(REFUNDS, expires_after={"anchor": "last_active_at", "days": 1})
        other = store_of(HOURS)
        late = AT + timedelta(days=2)

        for _ in range(2):
            vector_store_reading.sweep(at=late)

        store.refresh_from_db()
        assert store.usage_bytes == 0
        assert len(states(store)) == 1
        assert DataSource.objects.count() == 2
        assert found(other, "shop", at=late) == [HOURS]
        assert Chunk.objects.count() == 1

    def test_leaves_files_unread_that_come_too_late(self, tenant: Tenant) -> None:
        days = {"anchor": "last_active_at", "days": 1}
        store = vector_stores.create(by=SYSTEM, at=AT, file_ids=[uploaded(REFUNDS)], expires_after=days)

        read_all(AT + timedelta(days=2))

        assert set(states(store).values()) == {"cancelled"}
        assert not Chunk.objects.exists()


class TestDelete:
    def test_leaves_nothing_but_the_files(self, tenant: Tenant) -> None:
        store = store_of(REFUNDS, HOURS)
        batch = vector_store_files.add_batch(store_id=store.pk, file_ids=[uploaded("x")], by=SYSTEM, at=AT)

        vector_stores.delete(store_id=store.pk, by=SYSTEM, at=AT)

        assert not VectorStore.objects.exists()
        assert not VectorStoreFile.objects.exists()
        assert not Chunk.objects.exists()
        assert not type(batch).objects.exists()
        assert DataSource.objects.count() == 3
        assert AuditEntry.objects.filter(action="vector_store.deleted").exists()
        assert read_all() == 0

    def test_of_a_file_takes_it_out_of_every_store(self, tenant: Tenant) -> None:
        store, other = store_of(REFUNDS), store_of(HOURS)
        [file_id] = states(store)
        vector_store_files.add(store_id=other.pk, file_id=file_id, by=SYSTEM, at=AT)
        read_all()

        files.delete(file_id=file_id, by=SYSTEM, at=AT)

        assert (states(store), len(states(other))) == ({}, 1)
        assert found(other, "refund") == []
        other.refresh_from_db()
        assert other.usage_bytes == len(HOURS)

    def test_needs_the_permission(self, tenant: Tenant) -> None:
        store = store_of()

        with pytest.raises(Forbidden):
            vector_stores.delete(store_id=store.pk, by=factories.staff("change_vectorstore"), at=AT)


class TestAttach:
    def test_makes_a_store_for_the_thread_that_lives_a_week(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, *factories.talk(1))
        file_id = uploaded(REFUNDS)

        store = vector_stores.attach_to_thread(thread=thread, file_ids=[file_id], by=SYSTEM, at=AT)
        read_all()

        thread.refresh_from_db()
        resources = (thread.data or {}).get("tool_resources")
        assert resources == {"file_search": {"vector_store_ids": [ids.public("vector_store", store.pk)]}}
        assert store.expires_at == AT + timedelta(days=7)
        assert states(store) == {file_id: "completed"}

    def test_adds_to_the_store_that_the_thread_has(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, *factories.talk(1))
        first = vector_stores.attach_to_thread(thread=thread, file_ids=[uploaded(REFUNDS)], by=SYSTEM, at=AT)
        thread.refresh_from_db()

        second = vector_stores.attach_to_thread(thread=thread, file_ids=[uploaded(HOURS)], by=SYSTEM, at=AT)

        assert second.pk == first.pk
        assert len(states(first)) == 2

    def test_reads_a_file_once_that_is_attached_twice(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, *factories.talk(1))
        file_id = uploaded(REFUNDS)
        store = vector_stores.attach_to_thread(thread=thread, file_ids=[file_id], by=SYSTEM, at=AT)
        read_all()

        vector_stores.attach_to_thread(thread=thread, file_ids=[file_id], by=SYSTEM, at=AT)

        assert states(store) == {file_id: "completed"}

    def test_makes_another_when_the_old_one_has_expired(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, *factories.talk(1))
        first = vector_stores.attach_to_thread(thread=thread, file_ids=[uploaded(REFUNDS)], by=SYSTEM, at=AT)

        late = AT + timedelta(days=8)
        second = vector_stores.attach_to_thread(thread=thread, file_ids=[uploaded(HOURS)], by=SYSTEM, at=late)

        assert second.pk != first.pk
        thread.refresh_from_db()
        resources = {"file_search": {"vector_store_ids": [ids.public("vector_store", second.pk)]}}
        assert (thread.data or {}).get("tool_resources") == resources
