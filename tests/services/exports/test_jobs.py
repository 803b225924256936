"""Exports that take longer: part by part, whoever dies on the way."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zipfile import ZipFile

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from ai import conf, tenancy
from ai.exceptions import Forbidden, InvalidInput, NotFound
from ai.models import AuditEntry, ChatThread, Job, JobItem, Message, Tenant
from ai.models.jobs import JobStatus
from ai.services import actors, jobs
from ai.services.exports import asking
from ai.services.exports import jobs as exports
from ai.services.selections import Selection
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _small_parts(settings: Any) -> None:
    settings.AI_EXPORT_PART_ROWS = 3


def ask(noun: str = "messages", format_name: str = "csv", by: Any = actors.SYSTEM, **filters: str) -> Job:
    selection = Selection.of_list(noun, filters)
    return exports.request(selection=selection, format_name=format_name, by=by, at=timezone.now())


def work(job: Job, *, now: Callable[[], datetime] = timezone.now, worker: str = "w1") -> Job:
    with tenancy.everything(reason="a test"):
        jobs.carry_on(job_id=job.pk, worker=worker, now=now)
        job.refresh_from_db()
    return job


def content(job: Job, by: Any = actors.SYSTEM) -> bytes:
    _, opened = exports.open_file(job_id=job.pk, by=by, at=timezone.now())
    with opened:
        return opened.read()


def at_once(noun: str, format_name: str) -> bytes:
    made = asking.at_once(
        selection=Selection.of_list(noun, {}), format_name=format_name, by=actors.SYSTEM, at=timezone.now()
    )
    with made.content as opened:
        return opened.read()


def left_in_storage(job: Job) -> list[str]:
    try:
        return sorted(default_storage.listdir(exports.folder(job.pk))[1])
    except FileNotFoundError:
        return []


class TestRequest:
    def test_needs_the_permission(self, tenant: Tenant) -> None:
        with pytest.raises(Forbidden):
            ask(by=factories.staff("view_message", tenants=(tenant,)))

    def test_refuses_a_format_that_there_is_not(self, tenant: Tenant) -> None:
        with pytest.raises(InvalidInput):
            ask("runs", "dpo")

    def test_refuses_rows_of_several_tenants_to_those_who_do_not_see_all(self, tenant: Tenant) -> None:
        other = Tenant.objects.create(name="Other")
        for each in (tenant, other):
            factories.thread(each)

        with tenancy.scope(tenant.pk, other.pk):
            with pytest.raises(InvalidInput):
                ask("threads")
            assert ask("threads", tenant=str(other.pk)).tenant_id == other.pk
        with tenancy.everything(reason="a test"):
            assert ask("threads").tenant_id is None

    def test_refuses_to_export_nothing_of_several_tenants(self, tenant: Tenant) -> None:
        """Whatever rows there will be when a worker looks, none is of a tenant that `by` does not see."""
        other, third = Tenant.objects.create(name="Other"), Tenant.objects.create(name="Third")
        factories.thread(third)

        with tenancy.scope(tenant.pk, other.pk), pytest.raises(InvalidInput, match="no rows"):
            ask("threads")

    def test_is_audited_with_the_filter(self, tenant: Tenant) -> None:
        ask("threads", tag="billing")

        entry = AuditEntry.objects.get(action="export.requested")
        assert entry.data == {"rows_of": "threads: tag is billing", "format": "csv"}


class TestCarryOn:
    @pytest.mark.parametrize(
        ("noun", "format_name"),
        [
            ("messages", "csv"),
            ("messages", "jsonl.gz"),
            ("threads", "csv"),
            ("threads", "jsonl"),
            ("threads", "markdown"),
        ],
    )
    def test_makes_the_same_file_as_at_once(self, tenant: Tenant, noun: str, format_name: str) -> None:
        for number in range(10):
            factories.thread(tenant, *factories.talk(1), name=f"Thread {number}")

        job = work(ask(noun, format_name))

        assert job.status == JobStatus.COMPLETED
        assert (job.done, job.total) == ((20, 20) if noun == "messages" else (10, 10))
        assert unpacked(content(job), format_name) == unpacked(at_once(noun, format_name), format_name)
        assert [f"{exports.folder(job.pk)}/{name}" for name in left_in_storage(job)] == [job.data["path"]]

    def test_says_what_is_in_the_file(self, tenant: Tenant) -> None:
        factories.thread(tenant, *factories.talk(2), tags=["billing"])

        job = work(ask("threads", "jsonl", tag="billing"))

        manifest, found = job.data["manifest"], content(job)
        assert manifest["selection"]["words"] == "threads: tag is billing"
        assert manifest["selection"]["filters"] == {"tag": "billing"}
        assert manifest["counts"] == {"rows": 1, "written": 1, "gone": 0}
        assert manifest["schema_version"] == 1
        assert manifest["file"] == {
            "name": job.data["name"],
            "bytes": len(found),
            "sha256": hashlib.sha256(found).hexdigest(),
        }
        entry = AuditEntry.objects.get(action="export.made")
        assert (entry.actor_name, entry.data["counts"]["rows"]) == ("system", 1)

    def test_goes_on_after_the_parts_that_are_there(self, tenant: Tenant) -> None:
        factories.thread(tenant, *factories.talk(10))
        expected = at_once("messages", "csv")
        job = ask()
        dies = Dies(after=9)

        with pytest.raises(Dead):
            work(job, now=dies)
        before = JobItem.objects.filter(job_id=job.pk).count()
        Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        (part, *_) = JobItem.objects.filter(job_id=job.pk)
        default_storage.delete(part.data["path"])
        with default_storage.open(part.data["path"], "wb") as file:
            file.write(expected[: len(expected.split(b"\r\n")[0]) + 2])  # it is read, not written again

        work(job, worker="w2")

        assert 0 < before < 7
        assert job.status == JobStatus.COMPLETED
        assert job.done == 20
        assert len(content(job).splitlines()) == 20 + 1 - 3

    def test_goes_on_with_parts_of_the_size_it_began_with(self, tenant: Tenant, settings: Any) -> None:
        factories.thread(tenant, *factories.talk(10))
        job = ask()
        with pytest.raises(Dead):
            work(job, now=Dies(after=9))
        before = JobItem.objects.filter(job_id=job.pk).count()
        Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        settings.AI_EXPORT_PART_ROWS = 5

        work(job, worker="w2")

        assert 0 < before < 7
        assert job.data["manifest"]["counts"] == {"rows": 20, "written": 20, "gone": 0}
        assert content(job) == at_once("messages", "csv")

    @pytest.mark.parametrize(("format_name", "parts"), [("csv", 1), ("jsonl", 2)])
    def test_has_fewer_threads_in_a_part_where_their_messages_come_along(
        self, tenant: Tenant, settings: Any, format_name: str, parts: int
    ) -> None:
        settings.AI_EXPORT_PART_ROWS = 40
        for _ in range(3):
            factories.thread(tenant)

        job = work(ask("threads", format_name))

        assert JobItem.objects.filter(job_id=job.pk).count() == parts

    def test_has_nothing_that_came_later_and_counts_what_is_gone(self, tenant: Tenant) -> None:
        kept, gone = factories.thread(tenant, name="Kept"), factories.thread(tenant, name="Gone")
        job = ask("threads", "jsonl")
        late = factories.thread(tenant, name="Late")
        ChatThread.objects.filter(pk=late.pk).update(created=timezone.now() + timedelta(seconds=1))
        with pytest.raises(Dead):
            work(job, now=Dies(after=5))
        ChatThread.objects.delete_threads([gone.pk])
        Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

        work(job)

        assert [json.loads(line)["id"] for line in content(job).splitlines()] == [str(kept.pk)]
        assert job.data["manifest"]["counts"]["gone"] == 1

    def test_stops_when_it_is_cancelled(self, tenant: Tenant) -> None:
        factories.thread(tenant, *factories.talk(10))
        job = ask()

        def cancels() -> datetime:
            if JobItem.objects.filter(job_id=job.pk).count() == 2:
                Job.objects.filter(pk=job.pk, status=JobStatus.RUNNING).update(
                    status=JobStatus.CANCELLED, ended_at=timezone.now()
                )
            return timezone.now()

        work(job, now=cancels)

        assert job.status == JobStatus.CANCELLED
        assert JobItem.objects.filter(job_id=job.pk).count() == 2
        with tenancy.everything(reason="a test"):
            assert exports.expire(at=timezone.now()) == 1
        assert left_in_storage(job) == []

    def test_fails_with_what_went_wrong(self, tenant: Tenant) -> None:
        job = ask()
        Job.objects.filter(pk=job.pk).update(data={**job.data, "selection": {"noun": "people"}})

        work(job)

        assert job.status == JobStatus.FAILED
        assert "selection" in job.error

    def test_of_nothing_is_an_empty_file(self, tenant: Tenant) -> None:
        job = work(ask("threads", "jsonl"))

        assert (job.status, content(job)) == (JobStatus.COMPLETED, b"")

    def test_sees_its_tenant_alone(self, tenant: Tenant) -> None:
        factories.thread(tenant, name="Ours")
        factories.thread(Tenant.objects.create(name="Other"), name="Theirs")

        found = content(work(ask("threads", "jsonl")))

        assert b"Ours" in found
        assert b"Theirs" not in found

    def test_without_a_tenant_sees_all_only_where_its_asker_did(self, tenant: Tenant) -> None:
        for each in (tenant, Tenant.objects.create(name="Other")):
            factories.thread(each)
        with tenancy.everything(reason="a test"):
            seeing, blind = (ask("threads", "jsonl") for _ in range(2))
            Job.objects.filter(pk=blind.pk).update(data={**blind.data, "sees_all": False})

            lines = content(work(seeing)).splitlines()

            assert len(lines) == 2
            assert work(blind).status == JobStatus.FAILED


class TestOpenFile:
    @pytest.fixture
    def job(self, tenant: Tenant) -> Job:
        factories.thread(tenant, *factories.talk(1))
        return work(ask())

    def test_needs_the_permission(self, job: Job, tenant: Tenant) -> None:
        with pytest.raises(Forbidden):
            content(job, by=factories.staff("view_job", "export_run", tenants=(tenant,)))
        assert content(job, by=factories.staff("export_message", tenants=(tenant,)))

    def test_is_for_those_who_see_the_tenant(self, job: Job) -> None:
        with tenancy.scope(Tenant.objects.create(name="Other").pk), pytest.raises(NotFound):
            content(job)

    def test_ends_with_its_time(self, job: Job) -> None:
        later = timezone.now() + timedelta(hours=conf.current().export_keep_hours, seconds=1)

        with pytest.raises(NotFound):
            exports.open_file(job_id=job.pk, by=actors.SYSTEM, at=later)

    def test_refuses_what_has_not_ended(self, tenant: Tenant) -> None:
        with pytest.raises(NotFound):
            content(ask())


class TestExpire:
    def test_deletes_files_whose_time_is_over_and_no_other(self, tenant: Tenant) -> None:
        factories.thread(tenant, *factories.talk(1))
        old, new, waiting = work(ask()), work(ask()), ask()
        Job.objects.filter(pk=old.pk).update(data={**old.data, "expires_at": "2020-01-01T00:00:00+00:00"})

        with tenancy.everything(reason="a test"):
            assert exports.expire(at=timezone.now()) == 1
            assert exports.expire(at=timezone.now()) == 0

        assert left_in_storage(old) == []
        assert content(new)
        assert work(waiting).status == JobStatus.COMPLETED


class TestStart:
    def test_answers_small_ones_at_once_and_queues_the_rest(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, *factories.talk(1))
        everything = Selection.of_list("messages", {})
        given: dict[str, Any] = {
            "selection": everything,
            "format_name": "csv",
            "by": actors.SYSTEM,
            "at": timezone.now(),
        }

        small = asking.start(**given)
        Message.objects.append(factories.talk(1), thread_id=thread.pk)
        big = asking.start(**given)

        assert isinstance(small, asking.Export)
        small.content.close()
        assert isinstance(big, Job)

    def test_weighs_threads_by_their_messages(self, tenant: Tenant) -> None:
        factories.thread(tenant, *factories.talk(2))
        threads = Selection.of_list("threads", {})

        long = asking.start(selection=threads, format_name="jsonl", by=actors.SYSTEM, at=timezone.now())
        rows = asking.start(selection=threads, format_name="csv", by=actors.SYSTEM, at=timezone.now())

        assert isinstance(long, Job)
        assert isinstance(rows, asking.Export)
        rows.content.close()


class Dead(BaseException):
    """The worker is gone, and catches nothing."""


class Dies:
    """A clock whose worker dies when it has looked at it so often."""

    def __init__(self, *, after: int) -> None:
        self.left = after

    def __call__(self) -> datetime:
        self.left -= 1
        if self.left < 0:
            raise Dead
        return timezone.now()


def unpacked(found: bytes, format_name: str) -> Any:
    """What is inside: parts that are compressed each by itself hold the same as one that is compressed as a whole."""
    if format_name.endswith("gz"):
        return gzip.decompress(found)
    if format_name == "markdown":
        with ZipFile(io.BytesIO(found)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    return found
