"""Imports as jobs: exact counts whatever happens to the worker, cancelling, and what becomes of uploads."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from ai.exceptions import Forbidden, InvalidInput, NotFound
from ai.models import AuditEntry, ChatThread, Job, JobItem, Message, Tenant
from ai.services import actors, jobs
from ai.services.imports import background, uploads
from ai.services.imports.uploads import Upload
from tests import factories

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
THREADS, TALK = 240, 40


@pytest.fixture(autouse=True)
def storage(tmp_path: Path, settings: Any) -> None:
    """A storage of the test's own."""
    place = {**settings.STORAGES["default"]["OPTIONS"], "location": tmp_path / "files"}
    settings.STORAGES = {**settings.STORAGES, "default": {**settings.STORAGES["default"], "OPTIONS": place}}


class Killed(BaseException):
    """The worker is gone: nothing catches this."""


def talk(number: int) -> dict[str, Any]:
    said = [{"role": ("user", "assistant")[n % 2], "content": f"thread {number} says {n}"} for n in range(TALK)]
    return {"id": f"t{number}", "messages": said}


def file(*, bad: bool = True) -> bytes:
    """Threads, of which every tenth cannot be used, and a line that is no JSON."""
    threads = [
        {"id": f"t{n}", "messages": [{"role": "robot"}]} if bad and n % 10 == 9 else talk(n) for n in range(THREADS)
    ]
    return "\n".join([*map(json.dumps, threads), "{"]).encode()


def keep(tenant: Tenant, content: bytes, name: str = "threads.jsonl") -> Upload:
    return uploads.receive(file=SimpleUploadedFile(name, content), tenant_id=tenant.pk, by=actors.SYSTEM, at=AT)


def begin(tenant: Tenant, content: bytes) -> Job:
    return background.request(upload=keep(tenant, content), format_="chat", by=actors.SYSTEM, at=AT)


def killed_after(moments: int, *, at: datetime = AT) -> Callable[[], datetime]:
    """A clock of a worker that dies when it has asked for the time so often."""
    asked = count()

    def now() -> datetime:
        if next(asked) >= moments:
            raise Killed
        return at

    return now


def later() -> datetime:
    """When the lease of a dead worker is over."""
    return AT + timedelta(minutes=5)


def carry_on(job: Job, now: Callable[[], datetime] = later) -> Job:
    jobs.carry_on(job_id=job.pk, worker="w", now=now)
    job.refresh_from_db()
    return job


def counts(job: Job) -> dict[str, Any]:
    return {name: job.data["state"][name] for name in background.COLUMNS}


class TestWork:
    WANTED = {
        "new": {"thread": 216, "message": 216 * TALK},
        "unchanged": {},
        "refused": {"thread": 24, "object": 1},
    }

    def test_says_what_came_of_it(self, tenant: Tenant) -> None:
        job = carry_on(begin(tenant, file()))

        assert (job.status, job.percent) == ("completed", 100)
        assert counts(job) == self.WANTED
        assert (job.data["objects"], job.data["read"]) == (THREADS, job.data["bytes"])
        assert [row.data["place"] for row in JobItem.objects.filter(job_id=job.pk).order_by("position")][:2] == [
            "threads.jsonl, line 10",
            "threads.jsonl, line 20",
        ]

    @pytest.mark.parametrize("moments", [5, 70, 130, 220])
    def test_of_a_worker_that_dies_is_taken_up_where_it_was(self, tenant: Tenant, moments: int) -> None:
        job = begin(tenant, file())

        with pytest.raises(Killed):
            carry_on(job, killed_after(moments))
        before = Message.objects.count()
        carry_on(job)

        assert before < 216 * TALK
        assert counts(job) == self.WANTED
        assert (ChatThread.objects.count(), Message.objects.count()) == (216, 216 * TALK)
        assert JobItem.objects.filter(job_id=job.pk).count() == 25

    def test_again_finds_everything_here(self, tenant: Tenant) -> None:
        carry_on(begin(tenant, file()))

        job = carry_on(begin(tenant, file()))

        assert counts(job) == {"new": {}, "unchanged": self.WANTED["new"], "refused": self.WANTED["refused"]}

    def test_a_file_that_is_gone_fails_with_its_reason(self, tenant: Tenant) -> None:
        job = begin(tenant, file())
        uploads.delete(job.data["path"])

        carry_on(job)

        assert (job.status, job.error) == ("failed", "The uploaded file is gone from storage: upload it again.")

    def test_a_lease_of_somebody_else_ends_this_turn(self, tenant: Tenant) -> None:
        job = begin(tenant, file())
        asked = count()

        def now() -> datetime:
            if next(asked) == 20:
                Job.objects.filter(pk=job.pk).update(leased_by="another")
            return AT

        carry_on(job, now)

        assert job.status == "running"
        assert not Message.objects.exists()

    def test_of_a_worker_that_stood_still_lets_the_next_one_go_on(
        self, tenant: Tenant, caplog: pytest.LogCaptureFixture
    ) -> None:
        job, asked = begin(tenant, file()), count()
        written: list[int] = []

        def now() -> datetime:
            if (
                next(asked) == 20
            ):  # it reads; meanwhile its lease ends, and the next one comes to the middle of the file
                with suppress(Killed):
                    jobs.carry_on(job_id=job.pk, worker="the next", now=killed_after(130, at=later()))
                written.append(Message.objects.count())
            return AT

        carry_on(job, now)

        assert (job.status, job.leased_by.partition("#")[0]) == ("running", "the next")
        assert not [entry for entry in caplog.records if entry.levelname == "ERROR"]
        assert default_storage.exists(job.data["path"])
        assert 0 < Message.objects.count() == written[0] < 216 * TALK
        assert JobItem.objects.filter(job_id=job.pk).exists()


class TestCancel:
    def test_keeps_what_is_written_and_says_so(self, tenant: Tenant, django_capture_on_commit_callbacks: Any) -> None:
        job = begin(tenant, file())
        with pytest.raises(Killed):
            carry_on(job, killed_after(130))
        written = Message.objects.count()

        with django_capture_on_commit_callbacks(execute=True):
            jobs.cancel(job_id=job.pk, by=actors.SYSTEM, at=AT)
        carry_on(job)

        assert job.status == "cancelled"
        assert 0 < Message.objects.count() == written
        entry = AuditEntry.objects.get(action="threads.imported")
        assert entry.data["counts"]["message"]["new"] == written
        assert not default_storage.exists(job.data["path"])


class TestRequest:
    def test_needs_the_permission(self, tenant: Tenant) -> None:
        upload = keep(tenant, file())

        with pytest.raises(Forbidden):
            background.request(upload=upload, format_="chat", by=factories.staff("view_chatthread"), at=AT)

    def test_needs_a_format_that_is_known(self, tenant: Tenant) -> None:
        with pytest.raises(InvalidInput, match="The format “parchment” is unknown"):
            background.request(upload=keep(tenant, file()), format_="parchment", by=actors.SYSTEM, at=AT)


class TestUploads:
    def test_are_found_by_their_owner_alone(self, tenant: Tenant) -> None:
        token = keep(tenant, b"{}").token()

        assert Upload.of(token, by=actors.SYSTEM).name == "threads.jsonl"
        with pytest.raises(NotFound):
            Upload.of(token, by=factories.staff("import_chatthread", tenants=(tenant,)))
        with pytest.raises(NotFound):
            Upload.of(token[:-2] + "xx", by=actors.SYSTEM)

    def test_lie_under_a_name_of_ours(self, tenant: Tenant) -> None:
        upload = keep(tenant, b"{}", "../../etc/passwd.jsonl.gz")

        assert upload.path.startswith("imports/2026112212/")
        assert upload.path.endswith(".jsonl.gz")
        assert "passwd" not in upload.path

    def test_that_are_empty_are_refused(self, tenant: Tenant) -> None:
        with pytest.raises(InvalidInput, match="The file is empty"):
            keep(tenant, b"")

    def test_that_wait_for_a_day_are_deleted_unless_an_import_needs_them(self, tenant: Tenant) -> None:
        forgotten, needed = keep(tenant, b"{}"), begin(tenant, file()).data["path"]

        cache.clear()
        early = uploads.expire(at=AT + timedelta(hours=23))
        cache.clear()
        gone = uploads.expire(at=AT + timedelta(hours=26))

        assert (early, gone) == (0, 1)
        assert not default_storage.exists(forgotten.path)
        assert default_storage.exists(needed)
