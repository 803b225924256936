"""The way from a list to a file: buttons, the page that asks, the file or the job, and who may go it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai import tenancy
from ai.models import AuditEntry, ChatThread, Job, Tenant
from ai.services import jobs
from ai.services.selections import NOUNS as MODELS
from ai.services.tables import reader
from tests import factories
from tests.admin import world

pytestmark = pytest.mark.django_db

NOUNS = {
    "threads": "chatthread",
    "messages": "message",
    "runs": "run",
    "files": "datasource",
    "feedback": "feedback",
    "assistants": "assistant",
    "audit-entries": "auditentry",
}
MAY = tuple(f"{verb}_{model}" for verb in ("view", "export") for model in NOUNS.values())
PAGES = [f"/admin/ai/{model}/export/" for model in NOUNS.values()]


@pytest.fixture
def made(db: None) -> world.World:
    return world.build(Tenant.objects.create(name="Some"), count=3)


def signed_in(made: world.World, *permissions: str) -> Client:
    client = Client()
    client.force_login(factories.staff(*permissions, tenants=(made.tenant,)))
    return client


def body(response: Any) -> bytes:
    assert response.streaming, response.content[:300]
    return b"".join(response.streaming_content)


def rows(response: Any) -> list[dict[str, str]]:
    return list(reader(io.StringIO(body(response).decode(), newline="")))


class TestWithoutPermission:
    @pytest.mark.parametrize("model", NOUNS.values())
    def test_there_is_neither_button_nor_action_nor_page(self, made: world.World, model: str) -> None:
        client = signed_in(made, *(name for name in MAY if name.startswith("view_")))
        html = client.get(f"/admin/ai/{model}/").content.decode()

        assert "Export" not in html
        for address in (f"/admin/ai/{model}/export/", f"/admin/ai/{model}/export/?ids={made.rows[ChatThread].pk}"):
            assert client.get(address).status_code == 403
            assert client.post(address, {"format": "csv"}).status_code == 403
        with tenancy.everything(reason="a test"):
            assert not AuditEntry.objects.filter(action__startswith="export").exists()

    def test_the_action_does_nothing(self, made: world.World) -> None:
        client = signed_in(made, "view_message")

        answer = client.post(
            "/admin/ai/message/", {"action": "export_selected", "_selected_action": [str(made.rows[ChatThread].pk)]}
        )

        assert "export/" not in answer.get("Location", "")

    def test_a_thread_has_no_button(self, made: world.World) -> None:
        address = f"/admin/ai/chatthread/{made.rows[ChatThread].pk}/change/"

        assert "Export…" not in signed_in(made, "view_chatthread").get(address).content.decode()
        assert "Export…" in signed_in(made, "view_chatthread", "export_chatthread").get(address).content.decode()

    def test_who_may_not_see_the_rows_may_not_export_them(self, made: world.World) -> None:
        client = signed_in(made, "export_message")

        assert client.get("/admin/ai/message/export/").status_code == 403


class TestButton:
    @pytest.mark.parametrize(("noun", "model"), NOUNS.items())
    def test_leads_to_what_the_list_shows(self, made: world.World, noun: str, model: str) -> None:
        client = signed_in(made, *MAY)
        html = client.get(f"/admin/ai/{model}/?tenant={made.tenant.pk}&p=1&o=2").content.decode()

        assert f'href="/admin/ai/{model}/export/?tenant={made.tenant.pk}"' in html
        assert f"Export these {len(_keys(made, noun))}…" in html

    def test_says_no_number_that_it_does_not_know(self, made: world.World) -> None:
        world.build(made.tenant, count=60)

        html = signed_in(made, *MAY).get("/admin/ai/message/?role=user").content.decode()

        assert "Export these results…" in html

    def test_is_absent_where_nothing_is_shown(self, made: world.World) -> None:
        html = signed_in(made, *MAY).get("/admin/ai/message/?q=nowhere").content.decode()

        assert "/admin/ai/message/export/" not in html


class TestAction:
    def test_leads_to_the_page_with_the_ticked_rows(self, made: world.World) -> None:
        client = signed_in(made, *MAY)
        keys = [str(key) for key in _keys(made, "messages")[:2]]

        answer = client.post("/admin/ai/message/", {"action": "export_selected", "_selected_action": keys})
        page = client.get(answer["Location"])
        found = rows(client.post(answer["Location"], {"format": "csv"}))

        assert "2 chosen messages" in page.content.decode()
        assert sorted(row["id"] for row in found) == sorted(keys)


class TestPage:
    @pytest.mark.parametrize("address", PAGES)
    def test_changes_nothing_and_costs_few_queries(self, made: world.World, address: str) -> None:
        client = signed_in(made, *MAY)
        before = world.fingerprint()

        with CaptureQueriesContext(connection) as seen:
            assert client.get(address).status_code == 200

        assert world.fingerprint() == before
        assert len(seen) <= 8

    def test_says_the_filter_in_words(self, made: world.World) -> None:
        html = signed_in(made, *MAY).get("/admin/ai/run/export/?status=failed&q=zanzibar").content.decode()

        assert "runs: status is failed, with the words “zanzibar”" in html

    @pytest.mark.parametrize("query", ["nonsense=1", "status=lost", "ids=x", "tenant=x"])
    def test_never_takes_what_it_cannot_read_for_everything(self, made: world.World, query: str) -> None:
        client = signed_in(made, *MAY)

        for answer in (
            client.get(f"/admin/ai/run/export/?{query}"),
            client.post(f"/admin/ai/run/export/?{query}", {"format": "csv"}),
        ):
            assert (answer.status_code, answer["Location"]) == (302, "/admin/ai/run/")

    def test_refuses_a_format_that_there_is_not(self, made: world.World) -> None:
        client = signed_in(made, *MAY)

        answer = client.post("/admin/ai/run/export/?kind=replay", {"format": "dpo"})

        assert answer["Location"] == "/admin/ai/run/export/?kind=replay"


class TestFile:
    @pytest.mark.parametrize(
        ("noun", "query"),
        [
            ("threads", ""),
            ("threads", "q=zanzibar"),
            ("messages", "role=user"),
            ("messages", "q=answers"),
            ("runs", "kind=replay"),
            ("files", "purpose=assistants"),
            ("feedback", "rating=down"),
        ],
    )
    def test_has_exactly_the_rows_of_the_list(self, made: world.World, noun: str, query: str) -> None:
        world.build(Tenant.objects.create(name="Other"))
        client = signed_in(made, *MAY)

        shown: Any = client.get(f"/admin/ai/{NOUNS[noun]}/?{query}").context["cl"].result_list
        found = rows(client.post(f"/admin/ai/{NOUNS[noun]}/export/?{query}", {"format": "csv"}))

        assert sorted(row["id"] for row in found) == sorted(str(row.pk) for row in shown)
        assert found

    def test_is_an_attachment_in_which_nothing_runs(self, made: world.World) -> None:
        response = signed_in(made, *MAY).post("/admin/ai/chatthread/export/", {"format": "jsonl"})

        assert response["Content-Disposition"].startswith('attachment; filename="threads-')
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response["Content-Security-Policy"]
        assert len(body(response).splitlines()) == 3

    def test_of_another_tenants_rows_does_not_exist(self, made: world.World) -> None:
        theirs = world.build(Tenant.objects.create(name="Other"))
        client = signed_in(made, *MAY)

        assert client.get(f"/admin/ai/chatthread/export/?ids={theirs.rows[ChatThread].pk}").status_code == 404
        answer = client.post(f"/admin/ai/chatthread/export/?ids={theirs.rows[ChatThread].pk}", {"format": "jsonl"})
        assert body(answer) == b""

    def test_is_audited_with_who_what_and_how_many(self, made: world.World) -> None:
        client = signed_in(made, *MAY)

        body(client.post("/admin/ai/message/export/?role=user", {"format": "csv"}))

        with tenancy.scope(made.tenant.pk):
            entry = AuditEntry.objects.get(action="export.made")
        assert entry.actor_id == client.session["_auth_user_id"]
        assert entry.data == {
            "rows_of": "messages: role is user",
            "format": "csv",
            "counts": {"rows": 3, "written": 3, "gone": 0},
        }


class TestJob:
    @pytest.fixture
    def job(self, made: world.World, settings: Any) -> Job:
        settings.AI_EXPORT_PART_ROWS = 2
        client = signed_in(made, *MAY, "view_job")

        answer = client.post("/admin/ai/message/export/?role=user", {"format": "csv"})

        with tenancy.everything(reason="a test"):
            found: Job = Job.objects.get(kind="export")
            assert answer["Location"] == f"/admin/ai/job/{found.pk}/change/"
            assert "Waiting for a worker" in client.get(answer["Location"]).content.decode()
            jobs.carry_on(job_id=found.pk, worker="w", now=timezone.now)
        return found

    def test_leads_to_the_file_and_its_manifest(self, made: world.World, job: Job) -> None:
        client = signed_in(made, *MAY, "view_job")
        html = client.get(f"/admin/ai/job/{job.pk}/change/").content.decode()

        assert f"/admin/ai/job/{job.pk}/file/" in html
        assert "messages: role is user" in html
        assert len(rows(client.get(f"/admin/ai/job/{job.pk}/file/"))) == 3
        manifest = json.loads(body(client.get(f"/admin/ai/job/{job.pk}/manifest/")))
        assert manifest["counts"]["rows"] == 3

    def test_is_loaded_anew_by_who_follows_it_when_it_has_ended(self, made: world.World, job: Job) -> None:
        client, address = signed_in(made, *MAY, "view_job"), f"/admin/ai/job/{job.pk}/change/"

        assert client.get(address, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
        assert "HX-Refresh" not in client.get(address)

    def test_gives_the_file_only_to_who_may_export(self, made: world.World, job: Job) -> None:
        client = signed_in(made, "view_job", "view_message")

        assert "/file/" not in client.get(f"/admin/ai/job/{job.pk}/change/").content.decode()
        assert client.get(f"/admin/ai/job/{job.pk}/file/").status_code == 403
        assert client.get(f"/admin/ai/job/{job.pk}/manifest/").status_code == 403

    def test_does_not_exist_for_another_tenant(self, made: world.World, job: Job) -> None:
        other = world.build(Tenant.objects.create(name="Other"))
        client = signed_in(other, *MAY, "view_job")

        assert client.get(f"/admin/ai/job/{job.pk}/file/").status_code == 404
        assert client.get(f"/admin/ai/job/{job.pk}/change/").status_code == 404

    def test_says_when_the_time_of_the_file_is_over(self, made: world.World, job: Job) -> None:
        with tenancy.everything(reason="a test"):
            job.refresh_from_db()
            Job.objects.filter(pk=job.pk).update(data={**job.data, "expires_at": "2020-01-01T00:00:00+00:00"})
        root = Client()
        root.force_login(get_user_model().objects.create_superuser("root", "", "x"))

        assert "the file was deleted" in root.get(f"/admin/ai/job/{job.pk}/change/").content.decode()
        assert root.get(f"/admin/ai/job/{job.pk}/file/").status_code == 404


def _keys(made: world.World, noun: str) -> list[Any]:
    with tenancy.scope(made.tenant.pk):
        return list(MODELS[noun].objects.order_by("pk").values_list("pk", flat=True))
