"""Importing in the browser: upload, preview, start, report; and whom the doors let in."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from ai import tenancy
from ai.models import AuditEntry, ChatThread, Job, Message, Tenant
from ai.services import jobs
from tests import factories

pytestmark = pytest.mark.django_db

UPLOAD = "/admin/ai/chatthread/import/"
PREVIEW = "/admin/ai/chatthread/import/preview/"
GOOD = {"id": "t1", "title": "Rain in Oslo", "messages": [{"role": "user", "content": "Will it rain?"}]}
BAD = {"id": "=t2", "messages": [{"role": "robot", "content": "Beep"}]}
BROKEN = {"id": "t3", "messages": [{"role": "robot", "content": "Beep"}]}


def lines(*threads: Any) -> bytes:
    return "\n".join(json.dumps(thread) for thread in threads).encode()


@pytest.fixture
def owner(db: None) -> Tenant:
    return Tenant.objects.create(name="Some")


def staff(owner: Tenant, *permissions: str) -> Client:
    given = permissions or ("view_chatthread", "import_chatthread", "view_job", "cancel_job")
    client = Client()
    client.force_login(factories.staff(*given, tenants=(owner,)))
    return client


def upload(client: Client, content: bytes, name: str = "threads.jsonl", **values: str) -> Any:
    file = SimpleUploadedFile(name, content)
    return client.post(UPLOAD, {"file": file, "format": "auto", **values})


def begin(client: Client, content: bytes, **values: str) -> Any:
    """Upload, and press the button of the preview."""
    shown = client.get(upload(client, content, **values).url)
    form = {"upload": shown.context["token"], "format": shown.context["format"].name}
    return client.post(PREVIEW, form)


def work() -> Job:
    """Have a worker carry on with the import."""
    with tenancy.everything(reason="a worker"):
        job: Job = Job.objects.get(kind="import")
        jobs.carry_on(job_id=job.pk, worker="w", now=timezone.now)
        job.refresh_from_db()
    return job


class TestJourney:
    def test_upload_preview_start_report(self, owner: Tenant, django_capture_on_commit_callbacks: Any) -> None:
        client = staff(owner)

        shown = client.get(upload(client, lines(GOOD, BROKEN)).url)
        html = shown.content.decode()
        assert "OpenAI chat JSONL" in html
        assert "Rain in Oslo" in html
        assert "Its role &#x27;robot&#x27; is none of" in html
        assert not ChatThread._base_manager.exists()

        started: Any = client.post(PREVIEW, {"upload": shown.context["token"], "format": "chat"})
        with django_capture_on_commit_callbacks(execute=True):
            job = work()
        page = client.get(started.url).content.decode()

        assert (job.status, job.percent) == ("completed", 100)
        assert started.url == f"/admin/ai/job/{job.pk}/change/"
        assert "Problems as CSV" in page
        assert "Rain in Oslo" in client.get("/admin/ai/chatthread/").content.decode()
        assert not default_storage.exists(job.data["path"])

    def test_twice_begun_is_begun_once(self, owner: Tenant) -> None:
        client = staff(owner)
        shown = client.get(upload(client, lines(GOOD)).url)
        form = {"upload": shown.context["token"], "format": "chat"}

        first: Any = client.post(PREVIEW, form)
        second: Any = client.post(PREVIEW, form)

        assert first.url == second.url

    def test_what_nothing_is_known_of_says_what_is(self, owner: Tenant) -> None:
        client = staff(owner)

        html = client.get(upload(client, b'{"hello": "world"}').url).content.decode()

        assert "Nothing in this file has a format that is known" in html
        assert "ChatGPT data export" in html
        assert "Start the import" not in html

    def test_another_format_may_be_chosen(self, owner: Tenant) -> None:
        client = staff(owner)

        shown = client.get(upload(client, lines(GOOD), format="sharegpt").url)

        assert shown.context["format"].name == "sharegpt"
        assert "Its “conversations” " not in shown.content.decode()
        assert "It has no “conversations”." in shown.content.decode()

    def test_is_in_the_audit_log(self, owner: Tenant) -> None:
        begin(staff(owner), lines(GOOD, BROKEN))
        work()

        asked, done = AuditEntry._base_manager.filter(action__contains="import").order_by("at", "pk")
        assert (asked.action, done.action) == ("import.requested", "threads.imported")
        assert asked.actor_name == done.actor_name
        assert done.data["counts"]["thread"] == {"new": 1, "unchanged": 0, "refused": 1}
        assert (done.data["file"], done.tenant_id) == ("threads.jsonl", owner.pk)


class TestColumns:
    FOREIGN = b"Chat,Who,Said it,When,<b>\nc1,Customer,Will it rain?,2025-01-01,=1\nc1,Bot,No.,2025-01-01,\n"

    def test_of_others_are_guessed_and_shown(self, owner: Tenant) -> None:
        client = staff(owner)

        shown = client.get(upload(client, self.FOREIGN, "chats.csv").url)
        html = shown.content.decode()

        assert {each["column"].name: each["column"].field for each in shown.context["columns"]} == {
            "Chat": "thread_id",
            "Who": "role",
            "Said it": "",
            "When": "",
            "<b>": "",
        }
        assert "Choose below which column is what is said." in html
        assert "Start the import" not in html
        assert "<b>" not in html.partition("What its columns are")[2]

    def test_are_read_as_somebody_says(self, owner: Tenant) -> None:
        client = staff(owner)
        token = client.get(upload(client, self.FOREIGN, "chats.csv").url).context["token"]
        chosen = {"as:Chat": "thread_id", "as:Who": "role", "as:Said it": "content", "as:When": "created", "as:<b>": ""}

        shown = client.get(PREVIEW, {"upload": token, "format": "csv", **chosen})
        assert [(sample.title, sample.messages) for sample in shown.context["preview"].samples] == [("Rain", 2)]
        posted = {f"as:{each['column'].name}": each["column"].field for each in shown.context["columns"]}
        assert posted == chosen
        client.post(PREVIEW, {"upload": token, "format": "csv", **posted})

        assert work().status == "completed"
        with tenancy.scope(owner.pk):
            said = Message.objects.order_by("sequence").values_list("message", flat=True)
            assert [(each["role"], each["content"]) for each in said] == [
                ("user", "Will it rain?"),
                ("assistant", "No."),
            ]

    def test_of_another_format_are_left_to_it(self, owner: Tenant) -> None:
        client = staff(owner)
        traces = b"id,timestamp,sessionId,input,output\nx1,2025-01-01T00:00:00Z,s1,Will it rain?,No.\n"

        shown = client.get(upload(client, traces, "traces.csv").url)

        assert shown.context["format"].name == "langfuse"
        assert [sample.messages for sample in shown.context["preview"].samples] == [2]
        assert shown.context["columns"] == []

    def test_have_names_that_a_form_brings_back(self, owner: Tenant) -> None:
        client = staff(owner)
        odd = b'thread_id,role,"Said\nby\xc2\xa0 them","\x00"\nc1,user,Will it rain?,x\n'

        shown = client.get(upload(client, odd, "chats.csv").url)

        assert [each["column"].name for each in shown.context["columns"]] == [
            "thread_id",
            "role",
            "Said by them",
            "\ufffd",
        ]

    def test_that_nobody_has_are_kept_as_a_database_can(self, owner: Tenant) -> None:
        client = staff(owner)
        token = client.get(upload(client, self.FOREIGN, "chats.csv").url).context["token"]

        form = urlencode({"upload": token, "format": "csv", "as: Chat\r\n": "thread_id", "as:\x00": ""})
        client.post(PREVIEW, form, "application/x-www-form-urlencoded")

        with tenancy.scope(owner.pk):
            assert Job.objects.get(kind="import").data["columns"] == {"Chat": "thread_id", "\ufffd": ""}

    def test_that_cannot_be_are_refused_where_they_are_chosen(self, owner: Tenant) -> None:
        client = staff(owner)
        token = client.get(upload(client, self.FOREIGN, "chats.csv").url).context["token"]

        twice = client.get(PREVIEW, {"upload": token, "format": "csv", "as:Chat": "role", "as:Who": "role"})
        unknown = client.get(PREVIEW, {"upload": token, "format": "csv", "as:Chat": "mouth"})

        assert "“Chat” and “Who” are both read as “role”" in twice.content.decode()
        assert "Start the import" not in twice.content.decode()
        assert {each["column"].name: each["column"].field for each in twice.context["columns"]}["Who"] == "role"
        assert "“Chat” cannot be read as “mouth”" in unknown.content.decode()


class TestCancel:
    def test_says_what_stays_and_ends_the_import(self, owner: Tenant) -> None:
        client = staff(owner)
        started: Any = begin(client, lines(GOOD))
        url = started.url.replace("change", "cancel")

        asked = client.get(url).content.decode()
        client.post(url)
        job = work()

        assert "What has been imported stays" in asked
        assert job.status == "cancelled"
        assert not ChatThread._base_manager.exists()


class TestProblems:
    def test_are_a_file_without_formulas(self, owner: Tenant) -> None:
        client = staff(owner)
        begin(client, lines(GOOD, {**BROKEN, "id": "=cmd()"}, BROKEN))
        job = work()

        response = client.get(f"/admin/ai/job/{job.pk}/problems/")
        rows = list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode())))  # type: ignore[attr-defined]

        assert response["Content-Disposition"].startswith("attachment")
        assert rows[0] == ["place", "kind", "id", "problem"]
        assert rows[1][:3] == ["threads.jsonl, line 2", "thread", "'=cmd()"]
        assert rows[2][2] == "t3"

    def test_are_for_those_who_may_import(self, owner: Tenant) -> None:
        begin(staff(owner), lines(GOOD, BROKEN))
        job = work()

        assert staff(owner, "view_job").get(f"/admin/ai/job/{job.pk}/problems/").status_code == 403
        html = staff(owner, "view_job").get(f"/admin/ai/job/{job.pk}/change/").content.decode()
        assert "Problems as CSV" not in html


class TestDoors:
    def test_without_the_permission_every_door_is_shut(self, owner: Tenant) -> None:
        client = staff(owner, "view_chatthread")

        assert client.get(UPLOAD).status_code == 403
        assert upload(client, lines(GOOD)).status_code == 403
        assert client.get(PREVIEW).status_code == 403
        assert client.post(PREVIEW).status_code == 403
        assert UPLOAD not in client.get("/admin/ai/chatthread/").content.decode()

    def test_with_it_the_list_has_a_button(self, owner: Tenant) -> None:
        assert UPLOAD in staff(owner).get("/admin/ai/chatthread/").content.decode()

    def test_an_upload_is_its_owners_alone(self, owner: Tenant) -> None:
        url = upload(staff(owner), lines(GOOD)).url

        assert staff(owner).get(url).status_code == 404
        forged = staff(owner).get(PREVIEW + "?upload=forged")
        assert forged.status_code == 404
        assert "This upload is not here any more: upload the file again." in forged.content.decode()

    def test_another_tenants_import_is_not_there(self, owner: Tenant) -> None:
        begin(staff(owner), lines(GOOD))
        job = work()
        stranger = staff(Tenant.objects.create(name="Other"))

        assert stranger.get(f"/admin/ai/job/{job.pk}/problems/").status_code == 404
        assert stranger.get(f"/admin/ai/job/{job.pk}/change/").status_code == 404

    def test_nobody_imports_into_a_tenant_that_is_not_theirs(self, owner: Tenant) -> None:
        other = Tenant.objects.create(name="Other")
        client = Client()
        client.force_login(factories.staff("import_chatthread", tenants=(owner, Tenant.objects.create(name="Third"))))

        response = upload(client, lines(GOOD), tenant=str(other.pk))

        assert response.status_code == 200  # the form again: there is no such choice
        assert "form" in response.context

    def test_a_preview_writes_nothing_however_often(self, owner: Tenant) -> None:
        client = staff(owner)
        url = upload(client, lines(GOOD)).url

        client.get(url)
        client.get(url)

        assert not ChatThread._base_manager.exists()
        assert not Message._base_manager.exists()
        assert not Job._base_manager.exists()

    def test_what_is_too_big_is_refused(self, owner: Tenant, settings: Any) -> None:
        settings.AI_IMPORT_MAX_BYTES = 10
        client = staff(owner)

        response = client.post(
            UPLOAD, {"file": SimpleUploadedFile("a.jsonl", b"x" * 11), "format": "auto"}, follow=True
        )

        assert "The file has more than 10 bytes" in response.content.decode()
