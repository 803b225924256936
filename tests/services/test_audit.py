"""The audit log: what is noted, that nobody can change it, and that a change by force shows."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client

from ai import tenancy
from ai.models import AuditEntry, AuditSeal, Tenant, kept
from ai.services import actors, audit, files
from ai.tasks.audit import note_view
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)

Seal = Callable[..., int]


@pytest.fixture
def seal() -> Seal:
    """Seals as a process does that has just looked for entries that came late."""
    return partial(audit.seal, late=audit.Late(NOW))


@pytest.fixture(autouse=True)
def _everything() -> Iterator[None]:
    with tenancy.everything(reason="a test"):
        yield


def entries(count: int) -> list[AuditEntry]:
    """So many things that were done, a second apart."""
    return [
        audit.record("thing.done", by=actors.SYSTEM, at=NOW + timedelta(seconds=number), number=number)
        for number in range(count)
    ]


@contextmanager
def by_force() -> Iterator[Any]:
    """A cursor of somebody who owns the database."""
    with kept.lifted(connection), connection.cursor() as cursor:
        yield cursor


def verify(**options: Any) -> str:
    """What the command says."""
    out = io.StringIO()
    call_command("verify_audit", stdout=out, **options)
    return out.getvalue()


class TestKept:
    def test_an_entry_cannot_be_changed(self) -> None:
        [entry] = entries(1)

        with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic():
            AuditEntry.objects.filter(pk=entry.pk).update(actor_name="somebody else")

    def test_an_entry_cannot_be_deleted(self) -> None:
        [entry] = entries(1)

        with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic():
            entry.delete()

    @pytest.mark.sqlite
    def test_an_entry_cannot_be_replaced(self) -> None:
        [entry] = entries(1)

        with pytest.raises(DatabaseError, match="only ever added to"), connection.cursor() as cursor:
            cursor.execute("REPLACE INTO ai_audit_entry SELECT * FROM ai_audit_entry WHERE id = %s", [entry.pk.hex])

    @pytest.mark.postgres
    @pytest.mark.parametrize("table", ["ai_audit_entry", "ai_audit_seal"])
    def test_the_log_cannot_be_emptied(self, table: str) -> None:
        with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic():
            connection.cursor().execute(f"TRUNCATE {table}")

    def test_a_seal_cannot_be_changed_or_deleted(self, seal: Seal) -> None:
        entries(1)
        seal(at=NOW)

        with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic():
            AuditSeal.objects.update(digest="0" * 64)
        with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic():
            AuditSeal.objects.all().delete()


class TestSeal:
    def test_seals_each_entry_once(self, seal: Seal) -> None:
        entries(3)

        counts = [seal(at=NOW), seal(at=NOW)]

        assert counts == [3, 0]
        assert list(AuditSeal.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3]

    def test_goes_on_from_the_last_seal(self, seal: Seal) -> None:
        entries(2)
        seal(at=NOW)
        entries(2)

        seal(at=NOW)

        assert audit.verify().faults == []
        assert audit.verify().sealed == 4

    def test_seals_what_was_written_before_and_seen_later(self, seal: Seal) -> None:
        audit.record("later", by=actors.SYSTEM, at=NOW)
        seal(at=NOW)
        audit.record("earlier", by=actors.SYSTEM, at=NOW - timedelta(minutes=30))

        assert seal(at=NOW) == 1

    def test_takes_the_same_queries_for_one_and_for_many(self, seal: Seal, django_assert_num_queries: Any) -> None:
        entries(1)
        seal(at=NOW)
        entries(50)

        with django_assert_num_queries(6):  # two look for the end of the chain, one reads, one writes, in a transaction
            seal(at=NOW)

    def test_seals_what_came_hours_late(self, seal: Seal) -> None:
        entries(1)
        seal(at=NOW)
        audit.record("late", by=actors.SYSTEM, at=NOW - timedelta(hours=5))

        assert seal(at=NOW + timedelta(minutes=1)) == 0
        assert seal(at=NOW + timedelta(minutes=11)) == 1

    def test_is_not_stopped_by_a_clock_that_is_ahead(self, seal: Seal) -> None:
        audit.record("ahead", by=actors.SYSTEM, at=NOW + timedelta(hours=3))
        seal(at=NOW)
        entries(1)

        assert seal(at=NOW + timedelta(minutes=1)) == 1


class TestVerify:
    def test_finds_nothing_wrong_with_a_whole_log(self) -> None:
        entries(5)

        assert "5 entries are sealed, and as they were written." in verify()

    def test_of_an_empty_log_says_so(self) -> None:
        assert verify() == "0 entries are sealed, and as they were written.\n"

    def test_shows_a_changed_entry(self, seal: Seal) -> None:
        changed = entries(5)[2]
        seal(at=NOW)
        with by_force() as cursor:
            cursor.execute(
                "UPDATE ai_audit_entry SET actor_name = 'nobody' WHERE action = 'thing.done' AND at = %s",
                [connection.ops.adapt_datetimefield_value(changed.at)],
            )

        with pytest.raises(CommandError):
            verify()
        assert audit.verify().faults == [f"Entry 3 ({changed.pk}), or its seal, was changed."]

    def test_shows_a_removed_entry(self, seal: Seal) -> None:
        removed = entries(5)[1]
        seal(at=NOW)
        with by_force():
            AuditEntry.objects.filter(pk=removed.pk).delete()

        assert audit.verify().faults == [f"Entry 2 ({removed.pk}) was removed."]

    def test_shows_an_entry_that_was_removed_with_its_seal(self, seal: Seal) -> None:
        removed = entries(5)[1]
        seal(at=NOW)
        with by_force():
            AuditEntry.objects.filter(pk=removed.pk).delete()
            AuditSeal.objects.filter(number=2).delete()

        assert audit.verify().faults == ["Seals 2 to 2 are missing."]

    def test_shows_that_the_end_is_missing_to_whoever_kept_the_newest_digest(self, seal: Seal) -> None:
        entries(3)
        seal(at=NOW)
        head = audit.verify().head
        with by_force():
            AuditEntry.objects.filter(pk=AuditSeal.objects.get(number=3).entry_id).delete()
            AuditSeal.objects.filter(number=3).delete()

        assert audit.verify().faults == []
        with pytest.raises(CommandError):
            verify(head=head)

    def test_takes_a_digest_that_was_kept_and_more_entries_since(self, seal: Seal) -> None:
        entries(3)
        seal(at=NOW)
        head = audit.verify().head
        entries(1)

        assert "4 entries" in verify(head=head)


class TestSeen:
    def test_leaves_the_writing_to_a_worker(
        self, tenant: Tenant, sent_tasks: list[tuple[str, dict[str, Any]]], django_capture_on_commit_callbacks: Any
    ) -> None:
        row = files.add(file=b"a,b\n", name="a.csv", by=actors.SYSTEM, at=NOW)

        with django_capture_on_commit_callbacks(execute=True):
            files.open_content(file_id=row.file_id, by=actors.SYSTEM, at=NOW)[1].close()
        before = AuditEntry.objects.filter(action="datasource.downloaded").count()
        [(name, arguments)] = [task for task in sent_tasks if task[0] == "ai.tasks.audit.note_view"]
        note_view(**arguments)

        assert before == 0
        entry = AuditEntry.objects.get(action="datasource.downloaded")
        assert (entry.actor_name, entry.target_id, entry.at) == ("system", str(row.pk), NOW)
        assert entry.tenant_id == tenant.pk
        assert name == "ai.tasks.audit.note_view"


class TestBrokerAway:
    def test_makes_nobody_wait_twice(
        self, tenant: Tenant, settings: Any, django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        row = files.add(file=b"a,b\n", name="a.csv", by=actors.SYSTEM, at=NOW)
        settings.AI_CELERY_APP = "nowhere.app"

        with django_capture_on_commit_callbacks(execute=True):
            for _ in range(3):
                files.open_content(file_id=row.file_id, by=actors.SYSTEM, at=NOW)[1].close()

        assert [entry.name for entry in caplog.records if entry.levelname == "WARNING"] == ["ai.dispatch"]
        assert sum("system downloaded datasource" in entry.getMessage() for entry in caplog.records) == 3


class TestLogins:
    def test_are_noted_with_who_and_when(self, client: Client) -> None:
        user = factories.user(is_superuser=True)
        user.set_password("correct horse")
        user.save()

        client.post("/admin/login/", {"username": user.username, "password": "wrong horse"})
        client.post("/admin/login/", {"username": user.username, "password": "correct horse"})
        client.post("/admin/logout/")

        said = list(AuditEntry.objects.order_by("at").values_list("action", "actor_name"))
        assert said == [(action, user.username) for action in ("login.refused", "login", "logout")]

    def test_never_keep_a_password(self, client: Client) -> None:
        client.post("/admin/login/", {"username": "somebody", "password": "wrong horse"})

        assert "horse" not in str(list(AuditEntry.objects.values()))


class TestFlush:
    @pytest.mark.django_db(transaction=True)
    def test_empties_the_log_too_and_protects_it_again(self) -> None:
        entries(1)

        call_command("flush", interactive=False, verbosity=0)

        assert not AuditEntry.objects.exists()
        [entry] = entries(1)
        with pytest.raises(DatabaseError, match="only ever added to"):
            entry.delete()
