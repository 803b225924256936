"""The judge on a queue's pages: set up, run with its price, measured, and never seen by those who still review."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ai.models import Job, LanguageModel, ReviewItem, ReviewJudge, ReviewJudgement, ReviewQueue, Tenant
from ai.services import jobs
from tests import factories
from tests.fakes.vendors import VendorServer
from tests.runner.scripted import scripted_model
from tests.services.reviews.judges import answering
from tests.services.reviews.judges import judge as set_up
from tests.services.reviews.judges import run as run_judge
from tests.services.reviews.making import NO, YES, queue, review, reviewer

pytestmark = pytest.mark.django_db

SAID = {"helpful": True, "why": "unmistakable"}
FORM = {"model": "scripted", "prompt": "Be strict.", "threshold": "0.7", "least_items": "3"}


@pytest.fixture
def scripted(db: None) -> Iterator[VendorServer]:
    with scripted_model(input_price=2, output_price=8) as (server, _):
        server.script(answering(SAID, reason="unmistakable reason"))
        yield server


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def leading(tenant: Tenant, *more: str) -> Any:
    """Who leads queues, reviews, and may spend money on models."""
    return reviewer(
        tenant, "view_reviewqueue", "change_reviewqueue", "adjudicate_reviewqueue", "replay_run", "view_job", *more
    )


def page(client: Client, made: ReviewQueue) -> str:
    response = client.get(f"/admin/ai/reviewqueue/{made.pk}/change/")
    assert response.status_code == 200
    return response.content.decode()


def judged(made: ReviewQueue) -> Job:
    set_up(made)
    return run_judge(made)


class TestSetUp:
    def test_is_offered_where_there_is_none(self, tenant: Tenant) -> None:
        made = queue(tenant)

        assert f"/admin/ai/reviewqueue/{made.pk}/judge/" in page(signed_in(leading(tenant)), made)

    def test_gives_the_queue_a_judge(self, tenant: Tenant, scripted: VendorServer) -> None:
        made, client = queue(tenant), signed_in(leading(tenant))

        response: Any = client.post(f"/admin/ai/reviewqueue/{made.pk}/judge/", FORM)

        assert response.url == f"/admin/ai/reviewqueue/{made.pk}/change/"
        found = ReviewJudge.objects.get()
        assert (found.model, found.prompt, found.threshold, found.least_items) == ("scripted", "Be strict.", 0.7, 3)
        html = page(client, made)
        assert "not yet trusted" in html
        assert "Run the judge…" in html
        assert 'value="0.7"' in client.get(f"/admin/ai/reviewqueue/{made.pk}/judge/").content.decode()

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"model": "nothing-such"}, "no language model"),
            ({"threshold": "2"}, "less than or equal to 1"),
            ({"model": ""}, "required"),
        ],
    )
    def test_says_at_the_field_what_is_wrong(
        self, tenant: Tenant, scripted: VendorServer, change: dict[str, str], said: str
    ) -> None:
        response = signed_in(leading(tenant)).post(
            f"/admin/ai/reviewqueue/{queue(tenant).pk}/judge/", {**FORM, **change}
        )

        assert response.status_code == 400
        assert said in response.content.decode()
        assert not ReviewJudge.objects.exists()

    def test_says_that_a_change_is_a_new_version(self, tenant: Tenant, scripted: VendorServer) -> None:
        made, client = queue(tenant), signed_in(leading(tenant))
        judged(made)

        assert "new version" in client.get(f"/admin/ai/reviewqueue/{made.pk}/judge/").content.decode()
        client.post(f"/admin/ai/reviewqueue/{made.pk}/judge/", FORM)
        assert "version 2" in page(client, made)

    @pytest.mark.parametrize("permission", ["change_reviewqueue", "replay_run"])
    def test_needs_both_permissions(self, tenant: Tenant, scripted: VendorServer, permission: str) -> None:
        made, client = queue(tenant), signed_in(reviewer(tenant, permission))

        for door in ("judge/", "judge/run/"):
            assert client.get(f"/admin/ai/reviewqueue/{made.pk}/{door}").status_code == 403
            assert client.post(f"/admin/ai/reviewqueue/{made.pk}/{door}", FORM).status_code == 403
        assert "Set up a judge" not in page(client, made)

    def test_of_another_tenant_is_not_there(self, tenant: Tenant, scripted: VendorServer) -> None:
        made, stranger = queue(tenant), signed_in(leading(factories.tenant()))
        set_up(made)

        for door in ("judge/", "judge/run/", "change/"):
            assert stranger.get(f"/admin/ai/reviewqueue/{made.pk}/{door}").status_code == 404
        assert stranger.post(f"/admin/ai/reviewqueue/{made.pk}/judge/run/").status_code == 404
        assert not Job.objects.exists()

    def test_shows_what_is_hostile_as_text(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, name="<script>alert(1)</script>")
        set_up(made, prompt="<img src=x onerror=alert(1)>\u202etxt")

        client = signed_in(leading(tenant))
        html = page(client, made) + client.get(f"/admin/ai/reviewqueue/{made.pk}/judge/").content.decode()

        assert "<script>alert" not in html
        assert "<img src=x" not in html


class TestRun:
    def test_asks_with_the_number_and_the_price(self, tenant: Tenant, scripted: VendorServer) -> None:
        made, client = queue(tenant), signed_in(leading(tenant))
        set_up(made)

        html = client.get(f"/admin/ai/reviewqueue/{made.pk}/judge/run/").content.decode()

        assert "3 items that version 1 has not answered: about $0.00" in html
        assert not Job.objects.exists()

    def test_starts_a_job_that_the_page_follows(self, tenant: Tenant, scripted: VendorServer) -> None:
        made, client = queue(tenant), signed_in(leading(tenant))
        set_up(made)

        client.post(f"/admin/ai/reviewqueue/{made.pk}/judge/run/")

        job = Job.objects.get()
        html = page(client, made)
        assert "0 of 3" in html
        assert f"/admin/ai/job/{job.pk}/change/" in html
        assert f'hx-get="/admin/ai/reviewqueue/{made.pk}/judge/live/" hx-trigger="every 3s"' in html
        assert "Run the judge…" not in html
        jobs.carry_on(job_id=job.pk, worker="w", now=timezone.now)
        assert "every 3s" not in page(client, made)

    def test_is_followed_by_its_own_part_of_the_page_until_it_has_ended(
        self, tenant: Tenant, scripted: VendorServer, django_assert_max_num_queries: Any
    ) -> None:
        made, client = queue(tenant), signed_in(leading(tenant))
        set_up(made)
        client.post(f"/admin/ai/reviewqueue/{made.pk}/judge/run/")
        live = f"/admin/ai/reviewqueue/{made.pk}/judge/live/"

        with django_assert_max_num_queries(16):
            part = client.get(live)
        jobs.carry_on(job_id=Job.objects.get().pk, worker="w", now=timezone.now)
        last = client.get(live).content.decode()

        assert f'hx-get="{live}" hx-trigger="every 3s"' in part.content.decode()
        assert "0 of 3" in part.content.decode()
        assert "What is asked" not in part.content.decode()
        assert "3 items" in last
        assert "hx-trigger" not in last

    def test_is_followed_by_leads_of_the_tenant_alone(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant)
        set_up(made)
        live = f"/admin/ai/reviewqueue/{made.pk}/judge/live/"

        assert signed_in(reviewer(tenant)).get(live).status_code == 403
        assert signed_in(leading(factories.tenant())).get(live).status_code == 404

    def test_without_a_judge_is_not_there(self, tenant: Tenant) -> None:
        assert signed_in(leading(tenant)).get(f"/admin/ai/reviewqueue/{queue(tenant).pk}/judge/run/").status_code == 404

    def test_says_where_the_model_is_gone(self, tenant: Tenant, scripted: VendorServer) -> None:
        made, client = queue(tenant), signed_in(leading(tenant))
        set_up(made)
        LanguageModel.objects.all().delete()

        response = client.get(f"/admin/ai/reviewqueue/{made.pk}/judge/run/", follow=True)

        assert "no language model" in response.content.decode()


class TestFigures:
    def test_show_kappa_and_who_said_what(self, tenant: Tenant, scripted: VendorServer, settings: Any) -> None:
        made, ana = queue(tenant, items=12), reviewer(tenant)
        for answers in (YES, YES, NO, NO) * 3:
            review(made, ana, answers)
        said = iter([True, True, False, True] * 3)
        scripted.script(answering(lambda _: {"helpful": next(said)}))
        settings.AI_MODEL_CONCURRENCY = 1  # one after the other, so that it is known which answer is whose
        judged(made)

        html = page(signed_in(leading(tenant)), made)

        assert "not yet trusted: κ 0.50 of 0.60 on 12 items; at least 20 are needed" in html
        assert "People ↓ Judge →" in html
        assert "What it answered is left out of what was found." in html

    def test_leave_out_what_their_reader_may_still_answer_anew_and_say_so(
        self, tenant: Tenant, scripted: VendorServer
    ) -> None:
        made, boss = queue(tenant, items=2), leading(tenant)
        review(made, boss, YES, at=timezone.now())
        judged(made)

        html = page(signed_in(boss), made)

        assert "1 item that you reviewed in the last 30 days is left out here" in html
        assert "is left out here" not in page(signed_in(leading(tenant)), made)

    def test_of_who_reviewed_alone_are_shown_once_their_answers_stay(
        self, tenant: Tenant, scripted: VendorServer
    ) -> None:
        made, boss = queue(tenant, items=12), leading(tenant)
        for answers in (YES, NO) * 6:
            review(made, boss, answers, at=timezone.now())
        judged(made)
        client, count = signed_in(boss), f"/admin/ai/reviewqueue/{made.pk}/judge/count/"
        before = page(client, made)

        asked = client.get(count).content.decode()
        response: Any = client.post(count)

        assert f'hx-get="{count}"' in before
        assert "People ↓ Judge →" not in before
        assert "your answers to 12 items, too. You can no longer take these answers back" in asked
        assert response.url == f"/admin/ai/reviewqueue/{made.pk}/change/#judge"
        after = page(client, made)
        assert "Your answers to 12 items count, and stay as they are." in after
        assert "People ↓ Judge →" in after
        assert count not in after
        assert "Take back" in before
        assert "Take back" not in after
        assert after.count(">stays as it is<") == 10

    def test_are_not_offered_with_ones_own_answers_where_that_makes_too_few(
        self, tenant: Tenant, scripted: VendorServer
    ) -> None:
        made, boss = queue(tenant, items=9), leading(tenant)
        for _ in range(9):
            review(made, boss, YES, at=timezone.now())
        judged(made)

        assert "judge/count/" not in page(signed_in(boss), made)

    def test_with_ones_own_answers_are_for_leads_of_the_tenant(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant)
        count = f"/admin/ai/reviewqueue/{made.pk}/judge/count/"
        assert signed_in(leading(tenant)).get(count).status_code == 404
        set_up(made)

        assert signed_in(reviewer(tenant)).post(count).status_code == 403
        assert signed_in(leading(factories.tenant())).post(count).status_code == 404

    def test_cost_the_same_queries_for_many_items(
        self, tenant: Tenant, scripted: VendorServer, django_assert_max_num_queries: Any
    ) -> None:
        made, client = queue(tenant, items=60, reviews_per_item=2), signed_in(leading(tenant))
        ana, ben = reviewer(tenant), reviewer(tenant)
        for answers in (YES, NO, YES):
            review(made, ana, answers)
            review(made, ben, NO)
        judged(made)

        with django_assert_max_num_queries(36):
            page(client, made)


class TestBlindness:
    def test_no_page_shows_a_reviewer_what_the_judge_said(self, tenant: Tenant, scripted: VendorServer) -> None:
        made, boss = queue(tenant, items=1, reviews_per_item=2), leading(tenant)
        job = judged(made)
        client, item = signed_in(boss), ReviewItem.objects.get()
        started: Any = client.post(f"/admin/ai/reviewqueue/{made.pk}/next/")
        addresses = [
            started.url,
            f"/admin/ai/reviewqueue/{made.pk}/change/",
            f"/admin/ai/reviewqueue/{made.pk}/items/",
            f"/admin/ai/reviewqueue/{made.pk}/judge/",
            f"/admin/ai/reviewqueue/decide/{item.pk}/",
            f"/admin/ai/job/{job.pk}/change/",
            "/admin/ai/job/",
            "/admin/ai/reviewqueue/",
        ]

        before = [client.get(address).content.decode() for address in addresses]
        client.post(f"{started.url}submit/", {"q_helpful": "no"})
        after = [client.get(address).content.decode() for address in addresses]

        assert ReviewJudgement.objects.get().answers == SAID
        assert not any("unmistakable" in html for html in [*before, *after])

    def test_the_task_page_never_shows_it(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=1)
        judged(made)
        client = signed_in(leading(tenant))
        started: Any = client.post(f"/admin/ai/reviewqueue/{made.pk}/next/")
        client.post(f"{started.url}submit/", {"q_helpful": "yes"})

        html = client.get(started.url).content.decode()

        assert "unmistakable" not in html
        assert "Judge" not in html

    def test_the_deciding_page_shows_it_as_one_more_voice(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=1, reviews_per_item=2)
        judged(made)
        for answers in (YES, NO):
            review(made, reviewer(tenant), answers)
        item = ReviewItem.objects.get()

        html = signed_in(leading(tenant)).get(f"/admin/ai/reviewqueue/decide/{item.pk}/").content.decode()

        assert 'Judge <span class="ai-more">scripted, version 1</span>' in html
        assert "unmistakable reason" in html

    def test_a_job_that_failed_tells_nothing_either(self, tenant: Tenant, scripted: VendorServer) -> None:
        scripted.script(answering({"helpful": "unmistakable"}, reason="unmistakable"))
        made = queue(tenant, items=1)
        job = judged(made)
        client = signed_in(leading(tenant))

        html = page(client, made) + client.get(f"/admin/ai/job/{job.pk}/change/").content.decode()

        assert job.failed == 1
        assert "answer yes or no" in html
        assert "unmistakable" not in html
