"""The files of vector stores: added, read by workers whatever happens to these, given attributes, removed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings

from ai import tenancy
from ai.exceptions import Conflict, Forbidden, InvalidInput, LeaseLost, NotFound
from ai.models import Chunk, DataSource, Tenant, VectorStore, VectorStoreBatch, VectorStoreFile
from ai.models.vector_store_files import LEASE
from ai.services import vector_store_files, vector_store_reading, vector_stores, workers
from ai.tasks import vector_stores as tasks
from tests import factories
from tests.fakes.vendors import Failure
from tests.runner.scripted import scripted_model
from tests.services.stores import AT, HOURS, REFUNDS, SYSTEM, read_all, states, store_of, uploaded
from tests.stores import documents

pytestmark = pytest.mark.django_db


def add(store: VectorStore, file_id: str, **values: Any) -> VectorStoreFile:
    return vector_store_files.add(store_id=store.pk, file_id=file_id, by=SYSTEM, at=AT, **values)


def error_of(file: VectorStoreFile) -> Any:
    file.refresh_from_db()
    return (file.last_error or {}).get("code"), (file.last_error or {}).get("message", "")


class TestRead:
    @pytest.mark.parametrize(
        ("content", "name"),
        [
            (REFUNDS.encode(), "a.txt"),
            (f"# Refunds\n\n{REFUNDS}".encode(), "a.md"),
            (f"<h1>Refunds</h1><p>{REFUNDS}</p>".encode(), "a.html"),
            (documents.pdf(REFUNDS), "a.pdf"),
            (documents.docx(REFUNDS), "a.docx"),
            (f'topic,text\nrefunds,"{REFUNDS}"\n'.encode(), "a.csv"),
            (f'{{"text": "{REFUNDS}"}}'.encode(), "a.json"),
            (f'def refund():\n    """{REFUNDS}"""\n'.encode(), "a.py"),
            (REFUNDS.encode("utf-16"), "a.txt"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_makes_files_of_every_kind_searchable(self, tenant: Tenant, content: bytes, name: str) -> None:
        store = store_of()
        add(store, uploaded(content, name))
        read_all()

        [passage] = vector_stores.search(store_id=store.pk, query="When is the refund paid?", by=SYSTEM, at=AT)

        assert REFUNDS in passage.text
        assert passage.file_name == name

    @pytest.mark.parametrize(
        ("content", "name", "code", "words"),
        [
            (b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, "a.png", "unsupported_file", "no text that can be searched"),
            (b"%PDF-1.4 broken", "a.pdf", "invalid_file", "no sound PDF"),
            (b"", "a.txt", "invalid_file", "has no text"),
            (documents.pdf(""), "scan.pdf", "invalid_file", "has no text"),
        ],
    )
    def test_says_why_a_file_cannot_be(self, tenant: Tenant, content: bytes, name: str, code: str, words: str) -> None:
        file = add(store_of(), uploaded(content, name))

        read_all()

        assert error_of(file)[0] == code
        assert words in error_of(file)[1]

    def test_cuts_as_it_was_told(self, tenant: Tenant) -> None:
        strategy = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}
        text = "\n\n".join(f"Paragraph {number}. " + "words and more " * 10 for number in range(50))
        store = store_of()

        file = add(store, uploaded(text), chunking_strategy=strategy)
        read_all()

        lengths = [len(chunk.text) for chunk in Chunk.objects.filter(store_file_id=file.pk)]
        assert max(lengths) <= 400
        assert len(lengths) > 20
        assert (
            "".join(vector_store_files.content(store_id=store.pk, file_id=file.file_id, by=SYSTEM)).count("Par") == 50
        )

    def test_gives_the_text_once_whatever_overlaps(self, tenant: Tenant) -> None:
        text = " ".join(f"Sentence number {number} is here." for number in range(2000))
        store = store_of()
        file = add(store, uploaded(text))
        read_all()

        pieces = vector_store_files.content(store_id=store.pk, file_id=file.file_id, by=SYSTEM)

        assert " ".join(pieces) == text

    def test_reads_a_file_anew_that_is_added_again(self, tenant: Tenant) -> None:
        store = store_of(REFUNDS)
        [file_id] = states(store)

        add(store, file_id, attributes={"a": 1})
        before = states(store)
        read_all()

        assert (before, states(store)) == ({file_id: "in_progress"}, {file_id: "completed"})
        assert Chunk.objects.count() == 1
        store.refresh_from_db()
        assert store.usage_bytes == len(REFUNDS)

    def test_says_that_a_file_is_gone(self, tenant: Tenant) -> None:
        file = add(store_of(), uploaded(REFUNDS))
        DataSource.objects.all().delete()

        read_all()

        assert error_of(file) == ("invalid_file", "The file is gone.")

    def test_says_that_the_content_is_gone(self, tenant: Tenant) -> None:
        file = add(store_of(), uploaded(REFUNDS))
        source = DataSource.objects.get()
        source.file.storage.delete(source.file.name or "")

        read_all()

        assert error_of(file)[0] == "invalid_file"


class TestWorkers:
    def test_take_each_file_once(self, tenant: Tenant) -> None:
        file = add(store_of(), uploaded(REFUNDS))

        first = VectorStoreFile.objects.claim(file.pk, at=AT)

        assert first is not None
        assert VectorStoreFile.objects.claim(file.pk, at=AT) is None
        assert VectorStoreFile.objects.claim_next(at=AT) is None

    def test_take_over_what_another_left_behind(self, tenant: Tenant) -> None:
        file = add(store_of(), uploaded(REFUNDS))
        dead = VectorStoreFile.objects.claim(file.pk, at=AT)
        assert dead is not None
        later = AT + LEASE + timedelta(seconds=1)

        read_all(later)

        file.refresh_from_db()
        assert (file.status, file.attempt) == ("completed", 2)
        with pytest.raises(LeaseLost):
            VectorStoreFile.objects.write(dead, [], at=later)
        with pytest.raises(LeaseLost):
            VectorStoreFile.objects.complete(dead, usage_bytes=1, at=later)
        with pytest.raises(LeaseLost):
            VectorStoreFile.objects.fail(dead, code="server_error", message="x", at=later)

    def test_drop_what_an_earlier_attempt_wrote(self, tenant: Tenant) -> None:
        file = add(store_of(), uploaded(REFUNDS))
        dead = VectorStoreFile.objects.claim(file.pk, at=AT)
        assert dead is not None
        half = Chunk(
            tenant_id=tenant.pk, vector_store_id=dead.vector_store_id, store_file_id=dead.pk, index=7, text="x"
        )
        VectorStoreFile.objects.write(dead, [half], at=AT)

        read_all(AT + LEASE + timedelta(seconds=1))

        assert [chunk.text for chunk in Chunk.objects.all()] == [REFUNDS]

    def test_give_up_in_the_end(self, tenant: Tenant) -> None:
        store = store_of()
        batch = vector_store_files.add_batch(store_id=store.pk, file_ids=[uploaded(REFUNDS)], by=SYSTEM, at=AT)
        file = VectorStoreFile.objects.get()
        at = AT
        for _ in range(3):
            assert VectorStoreFile.objects.claim(file.pk, at=at)
            at += LEASE + timedelta(seconds=1)

        assert read_all(at) == 0
        vector_store_reading.sweep(at=at)

        assert error_of(file)[0] == "server_error"
        batch.refresh_from_db()
        assert batch.status == "completed"

    def test_are_woken_by_the_sweep_for_a_forgotten_file(
        self, tenant: Tenant, sent_tasks: list[Any], django_capture_on_commit_callbacks: Any
    ) -> None:
        add(store_of(), uploaded(REFUNDS))

        with django_capture_on_commit_callbacks(execute=True):
            workers.sweep(at=AT + timedelta(seconds=1))
            workers.sweep(at=AT + timedelta(seconds=10))

        assert sent_tasks == [("ai.tasks.vector_stores.read_waiting", {})]

    def test_leave_the_rest_to_a_new_message_after_a_while(
        self, tenant: Tenant, sent_tasks: list[Any], django_capture_on_commit_callbacks: Any
    ) -> None:
        vector_store_files.add_batch(
            store_id=store_of().pk, file_ids=[uploaded(REFUNDS) for _ in range(3)], by=SYSTEM, at=AT
        )
        clock = [AT]

        def now() -> datetime:
            clock[0] += timedelta(seconds=10)
            return clock[0]

        with django_capture_on_commit_callbacks(execute=True):
            count = vector_store_reading.read_waiting(now=now)

        assert count == 1
        assert sent_tasks == [("ai.tasks.vector_stores.read_waiting", {})]

    def test_tolerate_messages_that_come_twice_and_newer_callers(self, tenant: Tenant) -> None:
        file = add(store_of(), uploaded(REFUNDS))

        for _ in range(2):
            tasks.read(store_file_id=str(file.pk), priority="high")
        tasks.read_waiting(since="today")

        file.refresh_from_db()
        assert (file.status, file.attempt) == ("completed", 1)

    def test_write_nothing_of_a_file_that_was_removed_meanwhile(self, tenant: Tenant) -> None:
        store = store_of()
        file = add(store, uploaded(REFUNDS))
        taken = VectorStoreFile.objects.claim(file.pk, at=AT)
        assert taken is not None
        chunk = Chunk(tenant_id=tenant.pk, vector_store_id=store.pk, store_file_id=file.pk, index=0, text="x")
        VectorStoreFile.objects.write(taken, [chunk], at=AT)

        vector_store_files.remove(store_id=store.pk, file_id=file.file_id, by=SYSTEM, at=AT)

        with pytest.raises(LeaseLost):
            VectorStoreFile.objects.write(taken, [chunk], at=AT)
        VectorStoreFile.objects.clean_up(taken)
        assert not Chunk.objects.exists()

    @override_settings(AI_EMBEDDING_MODEL="scripted")
    def test_try_again_when_the_embedding_model_fails(self, tenant: Tenant) -> None:
        with scripted_model() as (server, _):
            server.embeddings_fail = Failure("server_error")
            file = add(store_of(), uploaded(REFUNDS))

            read_all()
            file.refresh_from_db()
            assert (file.status, file.attempt) == ("in_progress", 1)
            assert read_all(AT + timedelta(seconds=10)) == 0

            server.embeddings_fail = None
            assert read_all(AT + timedelta(seconds=30)) == 1

        assert states(VectorStore.objects.get()) == {file.file_id: "completed"}
        assert Chunk.objects.get().embedding is not None

    @override_settings(AI_EMBEDDING_MODEL="scripted")
    def test_fail_a_file_whose_embeddings_never_come(self, tenant: Tenant) -> None:
        with scripted_model() as (server, _):
            server.embeddings_fail = Failure("unauthorized")
            file = add(store_of(), uploaded(REFUNDS))
            for minute in range(3):
                read_all(AT + timedelta(minutes=minute))

        assert error_of(file)[0] == "server_error"
        assert not Chunk.objects.exists()


class TestMeaning:
    @override_settings(AI_EMBEDDING_MODEL="scripted")
    def test_finds_what_says_the_same_in_other_words(self, tenant: Tenant) -> None:
        with scripted_model():
            store = store_of(REFUNDS, HOURS)

            found = vector_stores.search(store_id=store.pk, query="reimbursement", by=SYSTEM, at=AT)
            words = vector_stores.search(
                store_id=store.pk, query="reimbursement", ranking_options={"ranker": "none"}, by=SYSTEM, at=AT
            )

        assert found[0].text == REFUNDS
        assert words == []

    @override_settings(AI_EMBEDDING_MODEL="scripted")
    def test_is_left_out_when_the_model_fails(self, tenant: Tenant) -> None:
        with scripted_model() as (server, _):
            store = store_of(REFUNDS, HOURS)
            server.embeddings_fail = Failure("server_error")

            found = vector_stores.search(store_id=store.pk, query="refund", by=SYSTEM, at=AT)

        assert [passage.text for passage in found] == [REFUNDS]


class TestBatches:
    def test_end_when_every_file_is_settled(self, tenant: Tenant) -> None:
        store = store_of()
        ids = [uploaded(REFUNDS), uploaded(b"%PDF-1.4 broken", "a.pdf")]

        batch = vector_store_files.add_batch(store_id=store.pk, file_ids=ids, by=SYSTEM, at=AT)
        before = batch.status
        read_all()

        batch.refresh_from_db()
        assert (before, batch.status) == ("in_progress", "completed")
        counts = VectorStoreFile.objects.batch_counts([batch.pk])[batch.pk]
        assert counts == {"completed": 1, "failed": 1}

    def test_wake_several_workers(
        self, tenant: Tenant, sent_tasks: list[Any], django_capture_on_commit_callbacks: Any
    ) -> None:
        ids = [uploaded(REFUNDS) for _ in range(6)]

        with django_capture_on_commit_callbacks(execute=True):
            vector_store_files.add_batch(store_id=store_of().pk, file_ids=ids, by=SYSTEM, at=AT)

        assert sent_tasks == [("ai.tasks.vector_stores.read_waiting", {})] * 4

    def test_are_cancelled_with_what_is_not_read(self, tenant: Tenant) -> None:
        store = store_of()
        ids = [uploaded(REFUNDS) for _ in range(2)]
        batch = vector_store_files.add_batch(store_id=store.pk, file_ids=ids, by=SYSTEM, at=AT)
        first = VectorStoreFile.objects.get(file_id=ids[0])
        vector_store_reading.read(store_file_id=first.pk, now=lambda: AT)

        cancelled = vector_store_files.cancel_batch(store_id=store.pk, batch_id=batch.pk, by=SYSTEM, at=AT)

        assert cancelled.status == "cancelled"
        assert states(store) == {ids[0]: "completed", ids[1]: "cancelled"}
        assert read_all() == 0
        with pytest.raises(Conflict, match="Cannot cancel"):
            vector_store_files.cancel_batch(store_id=store.pk, batch_id=batch.pk, by=SYSTEM, at=AT)

    def test_take_a_file_once_that_is_named_twice(self, tenant: Tenant) -> None:
        store, file_id = store_of(), uploaded(REFUNDS)

        vector_store_files.add_batch(store_id=store.pk, file_ids=[file_id, file_id], by=SYSTEM, at=AT)

        assert len(states(store)) == 1

    def test_of_another_store_do_not_exist(self, tenant: Tenant) -> None:
        store, other = store_of(), store_of()
        batch = vector_store_files.add_batch(store_id=store.pk, file_ids=[uploaded("x")], by=SYSTEM, at=AT)

        with pytest.raises(NotFound):
            vector_store_files.cancel_batch(store_id=other.pk, batch_id=batch.pk, by=SYSTEM, at=AT)

    def test_need_a_file(self, tenant: Tenant) -> None:
        with pytest.raises(InvalidInput):
            vector_store_files.add_batch(store_id=store_of().pk, by=SYSTEM, at=AT)

        assert not VectorStoreBatch.objects.exists()


class TestLimits:
    def test_of_a_store_hold(self, tenant: Tenant) -> None:
        store = store_of()
        VectorStoreFile.objects.bulk_create(
            VectorStoreFile(tenant_id=tenant.pk, vector_store_id=store.pk, file_id=f"file-{number}")
            for number in range(vector_store_files.MOST_FILES - 1)
        )

        add(store, uploaded(HOURS))
        with pytest.raises(InvalidInput, match="at most 10,000 files; this one has 10,000"):
            add(store, uploaded(HOURS))


class TestPermissions:
    def test_are_needed_for_every_change(self, tenant: Tenant) -> None:
        store = store_of(REFUNDS)
        [file_id] = states(store)
        reader = factories.staff("view_vectorstore")

        for call in (
            lambda: vector_store_files.add(store_id=store.pk, file_id=file_id, by=reader, at=AT),
            lambda: vector_store_files.modify(store_id=store.pk, file_id=file_id, attributes={}, by=reader, at=AT),
            lambda: vector_store_files.remove(store_id=store.pk, file_id=file_id, by=reader, at=AT),
            lambda: vector_store_files.content(store_id=store.pk, file_id=file_id, by=reader),
            lambda: vector_store_files.add_batch(store_id=store.pk, file_ids=[file_id], by=reader, at=AT),
        ):
            with pytest.raises(Forbidden):
                call()

    def test_end_at_the_tenant(self, tenant: Tenant) -> None:
        store = store_of(REFUNDS)
        [file_id] = states(store)

        with tenancy.scope(factories.tenant().pk):
            for call in (
                lambda: vector_store_files.modify(store_id=store.pk, file_id=file_id, attributes={}, by=SYSTEM, at=AT),
                lambda: vector_store_files.remove(store_id=store.pk, file_id=file_id, by=SYSTEM, at=AT),
                lambda: vector_store_files.content(store_id=store.pk, file_id=file_id, by=SYSTEM),
                lambda: vector_stores.delete(store_id=store.pk, by=SYSTEM, at=AT),
            ):
                with pytest.raises(NotFound):
                    call()
