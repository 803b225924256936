"""A tenant in a file, and the same tenant in a console that lacked it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from django.apps import apps
from django.core.files.storage import default_storage
from django.utils import timezone

from ai import tenancy
from ai.exceptions import Conflict, Forbidden, InvalidInput, NotFound
from ai.models import (
    ApiKey,
    AuditEntry,
    ChatThread,
    DataSource,
    Job,
    Message,
    RemoteConnection,
    Run,
    SearchDocument,
    Tenant,
    ThreadTag,
)
from ai.models.jobs import JobStatus
from ai.services import actors, feedback
from ai.services import jobs as every_job
from ai.services.bundles import jobs, tables
from ai.services.exports import jobs as exports
from tests import factories
from tests.admin import world
from tests.services.bundles import consoles
from tests.services.exports.conversations import HOSTILE, with_a_call

pytestmark = pytest.mark.django_db

MAY = ("download_datasource", *(f"export_{noun}" for noun in jobs.NOUNS))


@pytest.fixture
def tenant(db: None) -> Tenant:
    """A tenant with something of everything; nobody's scope."""
    made = Tenant.objects.create(name="Northwind", allowed_tools=["weather"])
    world.build(made, count=3)
    with_a_call(made, tags=["a", "b"])
    for text in HOSTILE:
        factories.thread(made, {"role": "user", "content": text}, name=text[:700])
    with tenancy.scope(made.pk):
        feedback.receive(
            message_id=Message.objects.order_by("pk")[0].pk,
            user="cora",
            rating="up",
            said={"rating": "up"},
            external_id="click-1",
            metadata={"page": "7"},
            by=actors.SYSTEM,
            at=timezone.now(),
        )
        RemoteConnection.objects.bulk_create(
            [RemoteConnection(tenant_id=made.pk, name="Old", encrypted_key="secret-of-the-connection")]
        )
    return made


def everything(act: Callable[[], Any]) -> Any:
    with tenancy.everything(reason="a test"):
        return act()


def written(tenant: Tenant, out: io.BytesIO | None = None) -> bytes:
    out = out or io.BytesIO()
    everything(lambda: jobs.write(tenant_id=tenant.pk, out=out, by=actors.SYSTEM, at=timezone.now()))
    return out.getvalue()


def read(content: bytes) -> Any:
    return everything(lambda: jobs.read(file=io.BytesIO(content), by=actors.SYSTEM, at=timezone.now()))


def changed(content: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """The bundle with other entries."""
    out = io.BytesIO()
    with ZipFile(io.BytesIO(content)) as before, ZipFile(out, "w", ZIP_DEFLATED) as after:
        for name in before.namelist():
            entry = change(name, before.read(name))
            if entry is not None:
                after.writestr(name, entry)
    return out.getvalue()


class TestTables:
    def test_every_table_of_tenants_is_in_a_bundle_or_has_a_reason(self) -> None:
        models = {
            model
            for model in apps.get_app_config("ai").get_models()
            if any(field.attname == "tenant_id" for field in model._meta.concrete_fields)
        }

        assert models == {table.model for table in tables.TABLES} | set(tables.ELSEWHERE)


class TestRoundTrip:
    def test_makes_the_same_bytes_again(self, tenant: Tenant) -> None:
        before = written(tenant)
        consoles.empty()

        read(before)

        assert written(tenant) == before

    def test_brings_what_searches_and_filters_look_in(self, tenant: Tenant) -> None:
        content = written(tenant)
        documents, tags = SearchDocument._base_manager.count(), ThreadTag._base_manager.count()
        consoles.empty()

        read(content)

        with tenancy.scope(tenant.pk):
            assert SearchDocument._base_manager.count() == documents
            assert ThreadTag._base_manager.count() == tags
            assert SearchDocument.objects.matching("zanzibar", most=5)
            assert ChatThread.objects.all().tagged("b").count() == 1
            file = DataSource.objects.order_by("pk")[0]
            assert b"".join(DataSource.objects.read_file(file.file_id)) == b"zanzibar content"

    def test_makes_the_same_bytes_twice(self, tenant: Tenant) -> None:
        assert written(tenant) == written(tenant)

    def test_ends_what_goes_on(self, tenant: Tenant) -> None:
        assert Run._base_manager.filter(status="queued").exists()
        content = written(tenant)
        consoles.empty()

        read(content)

        assert set(Run._base_manager.values_list("status", flat=True)) == {"failed", "cancelled"}

    def test_says_which_contents_are_gone(self, tenant: Tenant) -> None:
        file = DataSource._base_manager.order_by("pk")[0]
        default_storage.delete(file.file.name or "")
        before = written(tenant)
        consoles.empty()

        _, manifest = read(before)

        assert manifest["missing_files"] == [str(file.pk)]
        assert written(tenant) == before

    def test_takes_in_what_was_written_while_a_file_was_deleted(self, tenant: Tenant) -> None:
        file = DataSource._base_manager.order_by("pk")[0]
        last_table = tables.TABLES[-1].name

        class Deleting(io.BytesIO):
            """Deletes the file when the last of the tables begins to be written."""

            def write(self, content: Any) -> int:
                if f"{last_table}.jsonl".encode() in bytes(content):
                    everything(lambda: DataSource.objects.filter(pk=file.pk).delete())
                return super().write(content)

        content = written(tenant, out=Deleting())
        consoles.empty()

        _, manifest = read(content)

        assert manifest["missing_files"] == [str(file.pk)]
        assert DataSource._base_manager.filter(pk=file.pk).exists()


class TestContent:
    def test_holds_no_secret_and_nothing_of_another_tenant(self, tenant: Tenant) -> None:
        world.build(Tenant.objects.create(name="Other"), word="ordinary")
        (key,) = ApiKey._base_manager.filter(tenant_id=tenant.pk)[:1]

        with ZipFile(io.BytesIO(written(tenant))) as archive:
            whole = b"".join(archive.read(name) for name in archive.namelist())

        assert b"ordinary" not in whole
        assert key.digest.encode() not in whole
        assert b"secret-of-the-connection" not in whole
        assert "apikey.jsonl" not in archive.namelist()

    def test_is_sorted_and_named_in_the_manifest(self, tenant: Tenant) -> None:
        with ZipFile(io.BytesIO(written(tenant))) as archive:
            manifest = json.loads(archive.read("manifest.json"))
            rows = [json.loads(line)["id"] for line in archive.read("message.jsonl").splitlines()]
            for name, entry in manifest["entries"].items():
                content = archive.read(name)
                assert (entry["bytes"], entry["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())

        assert rows == sorted(rows)
        assert manifest["entries"]["message.jsonl"]["rows"] == len(rows)


class TestRead:
    def test_refuses_a_tenant_that_is_here(self, tenant: Tenant) -> None:
        with pytest.raises(Conflict):
            read(written(tenant))

    def test_refuses_rows_that_are_here_and_writes_nothing(self, tenant: Tenant) -> None:
        content = written(tenant)
        Tenant.objects.filter(pk=tenant.pk).delete()
        before = world.fingerprint()

        with pytest.raises(Conflict):
            read(content)

        assert world.fingerprint() == before

    @pytest.mark.parametrize(
        "change",
        [
            lambda name, content: content.replace(b"zanzibar", b"zanzibat") if name == "message.jsonl" else content,
            lambda name, content: content[:-40] if name == "run.jsonl" else content,
            lambda name, content: content + content if name == "message.jsonl" else content,
            lambda name, content: None if name == "feedback.jsonl" else content,
            lambda name, content: None if name == "manifest.json" else content,
            lambda name, content: b"[" * 100_000 if name == "manifest.json" else content,
            lambda name, content: b"{}" if name == "manifest.json" else content,
            lambda name, content: content.replace(b'"schema_version":1', b'"schema_version":9'),
            lambda name, content: b"" if name.startswith("files/") else content,
        ],
    )
    def test_refuses_what_was_changed_and_writes_nothing(self, tenant: Tenant, change: Any) -> None:
        content = changed(written(tenant), change)
        consoles.empty()
        before = world.fingerprint()

        with pytest.raises(InvalidInput):
            read(content)

        assert world.fingerprint() == before
        assert all(default_storage.listdir(folder)[1] == [] for folder in default_storage.listdir("")[0])

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip", b"{}"])
    def test_refuses_what_is_no_bundle(self, db: None, content: bytes) -> None:
        with pytest.raises(InvalidInput):
            read(content)

    def test_never_adds_to_another_tenants_thread(self, tenant: Tenant) -> None:
        content = written(tenant)
        thread = ChatThread._base_manager.order_by("pk")[0]
        consoles.empty()
        other = Tenant.objects.create(name="Other")
        theirs = factories.thread(other, name="Theirs")

        def moved(name: str, entry: bytes) -> bytes:
            return entry.replace(str(thread.pk).encode(), str(theirs.pk).encode()) if name == "message.jsonl" else entry

        hostile = sealed_again(changed(content, moved))

        with pytest.raises(InvalidInput):
            read(hostile)
        assert not Message._base_manager.exists()

    def test_keeps_no_file_outside_of_the_tenants_folder(self, tenant: Tenant) -> None:
        content = written(tenant)
        file_id = DataSource._base_manager.order_by("pk")[0].file_id
        consoles.empty()

        def moved(name: str, entry: bytes) -> bytes:
            return entry.replace(file_id.encode(), b"../../evil") if name == "datasource.jsonl" else entry

        with pytest.raises(InvalidInput):
            read(sealed_again(changed(content, moved)))


class TestPermissions:
    def test_all_are_needed_to_export(self, tenant: Tenant) -> None:
        almost = factories.staff(*MAY[1:], tenants=(tenant,))
        enough = factories.staff(*MAY, tenants=(tenant,))

        with tenancy.scope(tenant.pk):
            with pytest.raises(Forbidden):
                jobs.request_export(tenant_id=tenant.pk, by=almost, at=timezone.now())
            assert jobs.request_export(tenant_id=tenant.pk, by=enough, at=timezone.now()).pk

    def test_another_tenant_does_not_exist(self, tenant: Tenant) -> None:
        other = Tenant.objects.create(name="Other")

        with tenancy.scope(other.pk), pytest.raises(NotFound):
            jobs.request_export(tenant_id=tenant.pk, by=actors.SYSTEM, at=timezone.now())

    def test_only_those_who_see_all_tenants_import(self, tenant: Tenant) -> None:
        with tenancy.scope(tenant.pk), pytest.raises(Forbidden):
            jobs.request_import(file=io.BytesIO(b""), by=actors.SYSTEM, at=timezone.now())


class TestJobs:
    def work(self, job: Job) -> Job:
        everything(lambda: every_job.carry_on(job_id=job.pk, worker="w", now=timezone.now))
        job.refresh_from_db()
        return job

    def test_make_a_bundle_and_a_tenant_of_it(self, tenant: Tenant) -> None:
        with tenancy.everything(reason="a test"):
            job = self.work(jobs.request_export(tenant_id=tenant.pk, by=actors.SYSTEM, at=timezone.now()))
            _, file = exports.open_file(job_id=job.pk, by=actors.SYSTEM, at=timezone.now())
            with file:
                content = file.read()
        before = written(tenant)
        consoles.empty()
        with tenancy.everything(reason="a test"):
            taken = self.work(jobs.request_import(file=io.BytesIO(content), by=actors.SYSTEM, at=timezone.now()))

            assert (job.status, taken.status) == (JobStatus.COMPLETED, JobStatus.COMPLETED)
            assert content == before
            assert taken.data["tenant"] == "Northwind"
            assert AuditEntry.objects.filter(action="bundle.imported", tenant_id=tenant.pk).exists()
            assert exports.expire(at=timezone.now()) == 1
        assert written(tenant) == before

    def test_leave_no_file_of_a_bundle_that_is_anothers_by_its_end(self, tenant: Tenant) -> None:
        content = written(tenant)
        consoles.empty()
        with tenancy.everything(reason="a test"):
            job = jobs.request_import(file=io.BytesIO(content), by=actors.SYSTEM, at=timezone.now())
            kept: list[str] = []

            def now() -> datetime:
                kept.extend(DataSource._base_manager.values_list("file", flat=True))
                if kept:
                    Job.objects.filter(pk=job.pk).update(leased_by="another")
                return timezone.now()

            every_job.carry_on(job_id=job.pk, worker="w", now=now)

        assert kept
        assert not DataSource._base_manager.exists()
        assert not any(default_storage.exists(path) for path in kept)

    def test_say_why_a_bundle_was_refused(self, db: None) -> None:
        with tenancy.everything(reason="a test"):
            job = self.work(jobs.request_import(file=io.BytesIO(b"no"), by=actors.SYSTEM, at=timezone.now()))

        assert job.status == JobStatus.FAILED
        assert "no bundle" in job.error


def sealed_again(content: bytes) -> bytes:
    """The bundle with a manifest that fits its entries, as somebody hostile would make it."""
    with ZipFile(io.BytesIO(content)) as archive:
        sums = {name: archive.read(name) for name in archive.namelist()}

    def change(name: str, entry: bytes) -> bytes:
        if name != "manifest.json":
            return entry
        manifest = json.loads(entry)
        for each, said in manifest["entries"].items():
            said |= {"bytes": len(sums[each]), "sha256": hashlib.sha256(sums[each]).hexdigest()}
        return json.dumps(manifest).encode()

    return changed(content, change)
