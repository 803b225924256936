"""The page that asks for titles, and the page on which they are looked through."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai import tenancy
from ai.models import AuditEntry, ChatThread, Job, JobItem, Tenant
from ai.services import actors, retitle_batches, retitles
from ai.services.selections import Selection
from tests import factories
from tests.admin.conversations import operator

pytestmark = pytest.mark.django_db

ASK = "/admin/ai/chatthread/retitle/"
MAY = ("view_chatthread", "view_job", "retitle_chatthread", "cancel_job")


def thread(tenant: Tenant, number: int = 0, **values: Any) -> ChatThread:
    asked = {"role": "user", "content": f"Where is parcel {number}?"}
    return factories.thread(tenant, asked, **{"name": f"Old {number}", **values})


def propose(tenant: Tenant, count: int = 3, *, work: bool = True) -> Job:
    rows = [thread(tenant, number) for number in range(count)]
    chosen = Selection.of_ids("threads", [row.pk for row in rows])
    job = retitles.request(selection=chosen, model_alias="", by=actors.SYSTEM, at=timezone.now())
    if work:
        retitles.carry_on(job_id=job.pk, worker="w", now=timezone.now)
    return job


def url_of(job: Job, page: int = 1) -> str:
    return f"/admin/ai/job/{job.pk}/titles/" + (f"?page={page}" if page > 1 else "")


def form_of(client: Client, job: Job, page: int = 1) -> dict[str, Any]:
    """What a browser would send if its person changed nothing."""
    html = client.get(url_of(job, page)).content.decode()
    keys = re.findall(r'name="item" value="([^"]+)"', html)
    ticked = re.findall(r'name="(tick-[^"]+)" checked', html)
    titles = re.findall(r'name="(title-[^"]+)" value="([^"]*)"', html)
    return {"item": keys, "with_tags": "on", **dict.fromkeys(ticked, "on"), **dict(titles)}


class TestAsk:
    def test_shows_who_may_write_and_what_it_costs(self, tenant: Tenant) -> None:
        factories.language_model(alias="dear", input_price=Decimal(1000), output_price=Decimal(1000))
        factories.language_model(alias="unpriced")
        rows = [thread(tenant, 1), thread(tenant, 2, title_locked=True)]

        html = operator(tenant, *MAY).get(f"{ASK}?ids={rows[0].pk},{rows[1].pk}").content.decode()

        words = " ".join(re.sub(r"<[^>]+>", " ", html).split())
        assert "By rule" in words
        assert "free for 2" in words
        assert re.search(r"dear .*? about \$1\.\d\d for 2", words)
        assert re.search(r"unpriced .*? price unknown, about [\d,]+ tokens for 2", words)
        assert "1 of these threads has a locked title" in words

    def test_leads_from_the_list_with_what_was_ticked_and_its_filter(self, tenant: Tenant) -> None:
        rows = [thread(tenant, number, tags=["billing"]) for number in range(3)]
        thread(tenant, 4, tags=["other"])
        client = operator(tenant, *MAY)
        ticked = {"action": "retitle", "_selected_action": [str(rows[0].pk)]}

        page = client.post("/admin/ai/chatthread/?tag=billing", ticked, follow=True).content.decode()

        assert "All 3 of the list" in page
        assert "threads: tag is billing" in page

        sent = {"ids": rows[0].pk.hex, "list": "tag=billing", "which": "all", "model": ""}
        client.post(ASK, sent)
        assert Job.objects.get().total == 3

    def test_takes_the_ticked_ones_unless_told_otherwise(self, tenant: Tenant) -> None:
        rows = [thread(tenant, number, tags=["billing"]) for number in range(3)]

        operator(tenant, *MAY).post(ASK, {"ids": rows[0].pk.hex, "list": "tag=billing", "which": "these", "model": ""})

        assert Job.objects.get().total == 1

    def test_takes_a_whole_list(self, tenant: Tenant) -> None:
        for number in range(3):
            thread(tenant, number, tags=["billing"])
        thread(tenant, 4, tags=["other"])
        client = operator(tenant, *MAY)
        leads_to = f"{ASK}?list=tag%3Dbilling"

        shown = client.get("/admin/ai/chatthread/?tag=billing").content.decode()
        page = client.get(leads_to).content.decode()
        client.post(ASK, {"ids": "", "list": "tag=billing", "model": ""})

        assert leads_to in shown
        assert "Retitle 3 threads" in page
        assert "threads: tag is billing" in page
        assert Job.objects.get().total == 3

    def test_takes_no_more_than_it_may(self, tenant: Tenant, settings: Any) -> None:
        settings.AI_RETITLE_MAX_THREADS = 2
        rows = [thread(tenant, number) for number in range(3)]
        client, ticked = operator(tenant, *MAY), ",".join(row.pk.hex for row in rows)

        page = client.get(f"{ASK}?list=").content.decode()
        answers = [
            client.post(ASK, {**given, "model": ""}, follow=True).content.decode()
            for given in ({"ids": "", "list": ""}, {"ids": ticked}, {"ids": ticked[:65]})
        ]

        assert "The list shows more than 2 threads: narrow it first." in page
        assert ["Choose at most 2 threads at a time." in answer for answer in answers] == [True, True, False]
        assert Job.objects.get().total == 2

    def test_of_a_list_that_shows_nothing_is_not_there(self, tenant: Tenant) -> None:
        client = operator(tenant, *MAY)

        assert client.get(f"{ASK}?list=tag%3Dnothing").status_code == 404
        assert client.get(f"{ASK}?list=nonsense%3D1").status_code == 404
        assert client.get(ASK).status_code == 404

    def test_stays_at_the_list_for_those_who_may_not_see_jobs(self, tenant: Tenant) -> None:
        row = thread(tenant)
        client = operator(tenant, "view_chatthread", "retitle_chatthread")

        response = client.post(ASK, {"ids": row.pk.hex, "model": ""}, follow=True)

        assert response.status_code == 200
        assert "being found in the background" in response.content.decode()
        assert Job.objects.count() == 1

    def test_says_what_is_wrong_with_a_model(self, tenant: Tenant) -> None:
        row = thread(tenant)

        response = operator(tenant, *MAY).post(ASK, {"ids": row.pk.hex, "model": "no-such-model"}, follow=True)

        assert "There is no language model" in response.content.decode()
        assert not Job.objects.exists()

    def test_survives_an_address_that_is_no_list(self, tenant: Tenant) -> None:
        row = thread(tenant)

        response = operator(tenant, *MAY).get(f"{ASK}?ids={row.pk}&list=nonsense%3D1%26q%3D%00")

        assert response.status_code == 200


class TestBatch:
    def test_shows_old_and_new(self, tenant: Tenant) -> None:
        html = operator(tenant, *MAY).get(url_of(propose(tenant))).content.decode()

        assert "Old 0" in html
        assert 'value="Where is parcel 0?"' in html
        assert "3 proposed" in html
        assert 'data-active="no"' in html

    def test_follows_a_job_that_works(self, tenant: Tenant) -> None:
        html = operator(tenant, *MAY).get(url_of(propose(tenant, work=False))).content.decode()

        assert 'data-active="yes"' in html
        assert "Titles are being found: 0 of 3" in html
        assert 'value="apply"' not in html

    def test_applies_what_is_ticked_as_it_was_edited_and_undoes_it(self, tenant: Tenant) -> None:
        job = propose(tenant)
        client = operator(tenant, *MAY)
        form = form_of(client, job)
        first, second, _ = form["item"]
        form[f"title-{first}"] = "Parcel in Lyon"
        del form[f"tick-{second}"]

        applied = client.post(url_of(job), {**form, "do": "apply"}, follow=True).content.decode()
        named = set(ChatThread.objects.values_list("name", flat=True))
        undone = client.post(url_of(job), {**form_of(client, job), "do": "undo"}, follow=True).content.decode()

        assert len(named & {"Old 0", "Old 1", "Old 2"}) == 1
        assert "Parcel in Lyon" in named
        assert "2 applied" in applied
        assert "Undo 2" in applied
        assert "2 undone" in undone
        assert set(ChatThread.objects.values_list("name", flat=True)) == {"Old 0", "Old 1", "Old 2"}
        done = ["thread.retitle_requested", "thread.retitled", "thread.retitle_undone"]
        assert list(AuditEntry.objects.order_by("at", "pk").values_list("action", flat=True)) == done

    def test_keeps_what_one_page_says_while_another_is_looked_at(self, tenant: Tenant) -> None:
        job = propose(tenant, 60)
        client = operator(tenant, *MAY)
        form = form_of(client, job)
        first = form["item"][0]
        form[f"title-{first}"] = "Edited on page one"
        del form[f"tick-{form['item'][1]}"]

        response = client.post(url_of(job), {**form, "do": "next"})
        second = form_of(client, job, 2)
        client.post(url_of(job, 2), {**second, "do": "apply"})

        assert response["Location"] == url_of(job, 2)
        assert len(second["item"]) == 10
        assert ChatThread.objects.filter(name="Edited on page one").exists()
        assert ChatThread.objects.filter(name__startswith="Old").count() == 1

    def test_says_what_was_kept(self, tenant: Tenant) -> None:
        job = propose(tenant)
        changed = ChatThread.objects.order_by("pk")[0]
        ChatThread.objects.rename(changed.pk, name="By hand", at=timezone.now())
        retitle_batches.apply(job_id=job.pk, by=actors.SYSTEM, at=timezone.now())

        html = operator(tenant, *MAY).get(url_of(job)).content.decode()

        assert "Somebody has changed the title since." in html
        assert "1 kept" in html

    def test_says_what_goes_wrong(self, tenant: Tenant) -> None:
        job = propose(tenant)

        html = operator(tenant, *MAY).post(url_of(job), {"do": "undo"}, follow=True).content.decode()

        assert "nothing to undo" in html

    def test_escapes_what_people_and_models_wrote(self, tenant: Tenant) -> None:
        row = thread(tenant, name='<script>alert(1)</script>"onmouseover=x')
        chosen = Selection.of_ids("threads", [row.pk])
        job = retitles.request(selection=chosen, by=actors.SYSTEM, at=timezone.now())
        retitles.carry_on(job_id=job.pk, worker="w", now=timezone.now)

        html = operator(tenant, *MAY).get(url_of(job)).content.decode()

        assert "<script>alert(1)" not in html
        assert '"onmouseover=x' not in html

    def test_costs_as_many_queries_for_one_row_as_for_fifty(self, tenant: Tenant) -> None:
        client = operator(tenant, *MAY)
        counts = []
        for count in (1, 50):
            job = propose(tenant, count)
            with CaptureQueriesContext(connection) as seen:
                assert client.get(url_of(job)).status_code == 200
            counts.append(len(seen))

        assert counts[0] == counts[1] <= 8

    def test_is_led_to_from_the_jobs_page(self, tenant: Tenant) -> None:
        job = propose(tenant)

        shown = operator(tenant, *MAY).get(f"/admin/ai/job/{job.pk}/change/").content.decode()
        hidden = operator(tenant, "view_job").get(f"/admin/ai/job/{job.pk}/change/").content.decode()

        assert url_of(job) in shown
        assert url_of(job) not in hidden

    def test_is_led_to_from_the_job_that_applies_it(self, tenant: Tenant) -> None:
        job, client = propose(tenant, retitle_batches.AT_ONCE + 1), operator(tenant, *MAY)

        shown = client.post(url_of(job), {**form_of(client, job), "do": "apply"}, follow=True).content.decode()
        change = Job.objects.get(kind="retitle_apply")
        page = client.get(f"/admin/ai/job/{change.pk}/change/").content.decode()
        retitle_batches.carry_on(job_id=change.pk, worker="w", now=timezone.now)
        done = client.get(url_of(job)).content.decode()

        assert "The titles are being applied." in shown
        assert "Apply 201 titles: 0 of 201" in shown
        assert 'data-active="yes"' in shown
        assert url_of(job) in page
        assert "A worker goes through the batch" in page
        assert "201 applied" in done
        assert 'data-active="no"' in done


class TestDoors:
    def test_are_shown_to_those_who_may_pass(self, tenant: Tenant) -> None:
        row = thread(tenant)
        places = ["/admin/ai/chatthread/", f"/admin/ai/chatthread/{row.pk}/change/"]
        without = operator(tenant, "view_chatthread", "view_job", "change_chatthread")

        shown = [operator(tenant, *MAY).get(place).content.decode() for place in places]
        hidden = [without.get(place).content.decode() for place in places]

        assert all("Retitle" in html for html in shown)
        assert not any("Retitle" in html for html in hidden)

    @pytest.mark.parametrize("missing", ["retitle_chatthread", "view_job"])
    def test_of_a_batch_need_both_permissions(self, tenant: Tenant, missing: str) -> None:
        job = propose(tenant)
        client = operator(tenant, *(name for name in MAY if name != missing))

        assert client.get(url_of(job)).status_code == 403
        assert client.post(url_of(job), {"do": "apply"}).status_code == 403
        assert set(JobItem.objects.values_list("status", flat=True)) == {"proposed"}

    def test_do_not_know_a_batch_of_another_tenant(self, tenant: Tenant) -> None:
        other = factories.tenant()
        with tenancy.scope(other.pk):
            job = propose(other)
        client = operator(tenant, *MAY)

        assert client.get(url_of(job)).status_code == 404
        assert client.post(url_of(job), {"do": "apply"}).status_code == 404

    def test_do_not_know_other_jobs(self, tenant: Tenant) -> None:
        job = Job(kind="replay", tenant_id=tenant.pk)
        job.save(force_insert=True)

        assert operator(tenant, *MAY).get(url_of(job)).status_code == 404

    def test_take_items_of_their_own_batch_only(self, tenant: Tenant) -> None:
        job, another = propose(tenant), propose(tenant)
        theirs = str(JobItem.objects.filter(job_id=another.pk)[0].pk)
        form = {"item": [theirs, "nonsense"], f"title-{theirs}": "Taken over", "do": "save"}

        operator(tenant, *MAY).post(url_of(job), form)

        assert "Taken over" not in str(list(JobItem.objects.values_list("data", flat=True)))


class TestLock:
    def url(self, row: ChatThread) -> str:
        return f"/admin/ai/chatthread/{row.pk}/lock/"

    def test_is_shown_and_undone_on_the_threads_page(self, tenant: Tenant) -> None:
        row = thread(tenant)
        client = operator(tenant, "view_chatthread", "change_chatthread")

        client.post(f"/admin/ai/chatthread/{row.pk}/edit/", {"name": "By hand", "tags": ""})
        renamed = client.get(f"/admin/ai/chatthread/{row.pk}/change/").content.decode()
        client.post(self.url(row), {"locked": "no"})
        unlocked = client.get(f"/admin/ai/chatthread/{row.pk}/change/").content.decode()

        assert "Title locked" in renamed
        assert "Unlock" in renamed
        assert "Title locked" not in unlocked
        assert "Lock title" in unlocked

    def test_comes_with_a_button_too(self, tenant: Tenant) -> None:
        row = thread(tenant)

        operator(tenant, "view_chatthread", "change_chatthread").post(self.url(row), {"locked": "yes"})

        row.refresh_from_db()
        assert row.title_locked
        assert AuditEntry.objects.filter(action="thread.title_locked").exists()

    def test_needs_the_permission_and_the_tenant(self, tenant: Tenant) -> None:
        row, theirs = thread(tenant), thread(factories.tenant())

        assert operator(tenant, "view_chatthread").post(self.url(row), {"locked": "yes"}).status_code == 403
        client = operator(tenant, "view_chatthread", "change_chatthread")
        assert client.post(self.url(theirs), {"locked": "yes"}).status_code == 404
        assert client.get(self.url(row)).status_code == 404
