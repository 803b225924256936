"""The pages of review queues: making and filling one, reviewing, deciding, and what each person may see."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from ai.models import AuditEntry, ReviewItem, ReviewQueue, ReviewSlot, ReviewVerdict, Tenant
from ai.services.reviews import queues
from ai.services.selections import Selection
from tests import factories
from tests.services.reviews.making import QUESTIONS, YES, lead, queue, review, reviewer

pytestmark = pytest.mark.django_db


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def leading(tenant: Tenant) -> Any:
    """Who may do everything with queues."""
    more = ("view_reviewqueue", "add_reviewqueue", "change_reviewqueue", "adjudicate_reviewqueue", "view_chatthread")
    return reviewer(tenant, *more)


def started(client: Client, made: ReviewQueue) -> str:
    """The page of the first item."""
    response: Any = client.post(f"/admin/ai/reviewqueue/{made.pk}/next/")
    assert response.status_code == 302
    return str(response.url)


class TestMake:
    FORM = {
        "name": "Tone of voice",
        "unit": "thread",
        "reviews_per_item": "2",
        "reservation_minutes": "30",
        "question_0_text": "How was the tone?",
        "question_0_type": "choice",
        "question_0_details": "kind, neutral, cold",
        "question_0_required": "1",
        "question_1_text": "A mark",
        "question_1_type": "number",
        "question_1_details": "1 to 10",
    }

    def test_makes_a_queue_with_its_questions(self, tenant: Tenant) -> None:
        response: Any = signed_in(leading(tenant)).post("/admin/ai/reviewqueue/add/", self.FORM)

        made = ReviewQueue.objects.get()
        assert response.url == f"/admin/ai/reviewqueue/{made.pk}/change/"
        html = signed_in(leading(tenant)).get(response.url).content.decode()
        assert "How was the tone?" in html
        assert "kind, neutral, cold" in html

    def test_keeps_what_was_typed_and_says_what_is_wrong(self, tenant: Tenant) -> None:
        wrong = {**self.FORM, "question_0_details": "only one"}

        html = signed_in(leading(tenant)).post("/admin/ai/reviewqueue/add/", wrong).content.decode()

        assert "Question 1: it needs between 2 and 30 “options”" in html
        assert 'value="Tone of voice"' in html
        assert 'value="only one"' in html

    def test_is_not_for_every_reviewer(self, tenant: Tenant) -> None:
        assert signed_in(reviewer(tenant)).get("/admin/ai/reviewqueue/add/").status_code == 403


class TestFill:
    def test_takes_what_was_ticked_in_a_list(self, tenant: Tenant) -> None:
        made = queue(tenant, items=0)
        rows = [factories.thread(tenant, *factories.talk(1)) for _ in range(3)]
        client = signed_in(leading(tenant))
        ticked = {"action": "review_selected", "_selected_action": [str(row.pk) for row in rows[:2]]}

        asked: Any = client.post("/admin/ai/chatthread/", ticked)
        client.post(asked.url, {"queue": str(made.pk), "seed": "1"})

        assert {item.object_id for item in ReviewItem.objects.all()} == {row.pk for row in rows[:2]}

    def test_takes_a_sample_of_what_a_list_shows(self, tenant: Tenant) -> None:
        made = queue(tenant, items=0)
        for number in range(6):
            factories.thread(tenant, user_id="a" if number < 4 else "b")

        signed_in(leading(tenant)).post(
            "/admin/ai/reviewqueue/fill/?noun=threads&user=a", {"queue": str(made.pk), "sample": "3", "seed": "1"}
        )

        assert ReviewItem.objects.count() == 3
        assert ReviewQueue.objects.get().population == 4

    def test_says_where_there_is_no_queue(self, tenant: Tenant) -> None:
        factories.thread(tenant)

        html = signed_in(leading(tenant)).get("/admin/ai/reviewqueue/fill/?noun=threads").content.decode()

        assert "Make a review queue" in html

    @pytest.mark.parametrize(
        "query", ["noun=planets", "noun=files", "noun=threads&colour=blue", "noun=threads&ids=x", "noun=threads&ids="]
    )
    def test_of_nonsense_is_not_there(self, tenant: Tenant, query: str) -> None:
        assert signed_in(leading(tenant)).get(f"/admin/ai/reviewqueue/fill/?{query}").status_code == 404

    def test_is_not_offered_to_whoever_may_not(self, tenant: Tenant) -> None:
        factories.thread(tenant)
        client = signed_in(factories.staff("view_chatthread", tenants=(tenant,)))

        assert "Review" not in client.get("/admin/ai/chatthread/").content.decode()
        assert client.get("/admin/ai/reviewqueue/fill/?noun=threads").status_code == 403


class TestReview:
    def test_leads_from_item_to_item_to_the_end(self, tenant: Tenant) -> None:
        made, client = queue(tenant, items=2), signed_in(reviewer(tenant))
        url = started(client, made)

        for _ in range(2):
            html = client.get(url).content.decode()
            assert "Was it helpful?" in html
            response: Any = client.post(f"{url}submit/", {"q_helpful": "yes"})
            url = response.url

        assert url == f"/admin/ai/reviewqueue/{made.pk}/change/"
        assert ReviewVerdict.objects.count() == 2

    def test_gives_its_script_the_next_item_at_once(self, tenant: Tenant) -> None:
        made, client = queue(tenant, items=2), signed_in(reviewer(tenant))
        url, headers = started(client, made), {"X-Requested-With": "review"}

        second = client.post(f"{url}submit/", {"q_helpful": "yes"}, headers=headers)
        last = client.post(f"{second.headers['X-Address']}submit/", {"q_helpful": "yes"}, headers=headers)

        assert second.status_code == 200
        assert second.headers["X-Address"] != url
        assert second.headers["X-Address"].rsplit("/", 2)[-2] in second.content.decode()
        assert "<html" not in second.content.decode()
        assert last.json() == {"go": f"/admin/ai/reviewqueue/{made.pk}/change/"}
        assert AuditEntry.objects.filter(action="review.submitted").count() == 2

    def test_gives_nobody_the_draft_of_whom_an_item_was_taken_from(self, tenant: Tenant) -> None:
        made, ana, ben = queue(tenant, items=1), signed_in(reviewer(tenant)), signed_in(reviewer(tenant))
        url = started(ana, made)
        ana.post(f"{url}draft/", {"q_helpful": "no", "q_why": "unmistakable"})
        ReviewSlot.objects.update(reserved_until=timezone.now() - timedelta(minutes=1))

        html = ben.post(
            f"/admin/ai/reviewqueue/{made.pk}/next/", headers={"X-Requested-With": "review"}
        ).content.decode()

        assert 'id="r-form"' in html
        assert "unmistakable" not in html

    def test_says_at_the_question_what_is_missing(self, tenant: Tenant) -> None:
        made, client = queue(tenant), signed_in(reviewer(tenant))
        url = started(client, made)

        response = client.post(f"{url}submit/", {"q_why": "Because"})

        assert response.status_code == 400
        html = response.content.decode()
        assert "“Was it helpful?” needs an answer." in html
        assert ">Because</textarea>" in html

    def test_keeps_a_draft(self, tenant: Tenant) -> None:
        made, client = queue(tenant), signed_in(reviewer(tenant))
        url = started(client, made)

        said = client.post(f"{url}draft/", {"q_helpful": "no"})

        assert "until" in said.json()
        assert ReviewSlot.objects.get(reviewer__isnull=False).draft == {"helpful": False}
        assert 'value="no" checked' in client.get(url).content.decode()

    def test_takes_back_the_last_answer(self, tenant: Tenant) -> None:
        made, client = queue(tenant), signed_in(reviewer(tenant))
        url = started(client, made)
        client.post(f"{url}submit/", {"q_helpful": "yes"})

        response: Any = client.post(f"/admin/ai/reviewqueue/{made.pk}/undo/")

        assert response.url == url
        assert not ReviewVerdict.objects.exists()

    def test_skips_to_the_next(self, tenant: Tenant) -> None:
        made, client = queue(tenant), signed_in(reviewer(tenant))
        url = started(client, made)

        response: Any = client.post(f"{url}pass/")

        assert response.status_code == 302
        assert response.url not in (url, f"/admin/ai/reviewqueue/{made.pk}/change/")

    def test_opens_nothing_by_reading(self, tenant: Tenant) -> None:
        made, client = queue(tenant), signed_in(reviewer(tenant))

        assert client.get(f"/admin/ai/reviewqueue/{made.pk}/next/").status_code == 404
        assert not ReviewSlot.objects.filter(reviewer__isnull=False).exists()

    def test_costs_the_same_queries_for_a_long_thread(self, tenant: Tenant, django_assert_max_num_queries: Any) -> None:
        made, client = queue(tenant, items=200), signed_in(reviewer(tenant))
        url = started(client, made)

        with django_assert_max_num_queries(24):
            client.get(url)


class TestBlindness:
    @pytest.fixture
    def answered(self, tenant: Tenant) -> tuple[ReviewQueue, str]:
        """A queue whose only item somebody has answered, and the address of that answer."""
        made = queue(tenant, items=1, reviews_per_item=2)
        client = signed_in(reviewer(tenant))
        url = started(client, made)
        client.post(f"{url}submit/", {"q_helpful": "no", "q_why": "unmistakable"})
        return made, url

    def test_others_do_not_find_the_answer(self, tenant: Tenant, answered: tuple[ReviewQueue, str]) -> None:
        made, url = answered
        client = signed_in(leading(tenant))

        assert client.get(url).status_code == 404
        mine = started(client, made)
        for address in (mine, f"/admin/ai/reviewqueue/{made.pk}/change/", "/admin/ai/reviewqueue/"):
            assert "unmistakable" not in client.get(address).content.decode()
        item = ReviewItem.objects.get()
        assert "unmistakable" not in client.get(f"/admin/ai/reviewqueue/decide/{item.pk}/").content.decode()

    def test_ends_with_the_same_answer(self, tenant: Tenant, answered: tuple[ReviewQueue, str]) -> None:
        made, _ = answered
        client = signed_in(reviewer(tenant))
        mine = started(client, made)
        client.post(f"{mine}submit/", {"q_helpful": "no"})

        assert "unmistakable" in client.get(mine).content.decode()

    def test_reviewers_are_not_told_how_many_items_are_disputed(self, tenant: Tenant) -> None:
        page = f"/admin/ai/reviewqueue/{queue(tenant).pk}/change/"

        told = [signed_in(who).get(page).content.decode() for who in (reviewer(tenant), leading(tenant))]

        assert ["<dt>Disputed</dt>" in html for html in told] == [False, True]
        assert ["<dt>Settled</dt>" in html for html in told] == [False, True]


class TestRates:
    @pytest.mark.parametrize("how", ["", "by:model"])
    def test_have_an_interval_only_where_all_were_chosen_by_lot(self, tenant: Tenant, how: str) -> None:
        made, boss = queue(tenant, items=0), leading(tenant)
        for _ in range(3):
            factories.thread(tenant, *factories.talk(1), model="big")
        everything = Selection.of_list("threads", {})
        queues.fill(queue_id=made.pk, selection=everything, how=how, sample=2, by=boss, at=timezone.now())
        review(made, boss, YES, at=timezone.now())

        html = signed_in(boss).get(f"/admin/ai/reviewqueue/{made.pk}/change/").content.decode()

        assert "What was found" in html
        assert ("95 % interval" in html) is not bool(how)
        assert ("of the chosen items alone" in html) is bool(how)


class TestDecide:
    def test_settles_what_was_disputed(self, tenant: Tenant) -> None:
        made = queue(tenant, items=1, reviews_per_item=2)
        for answers in ("yes", "no"):
            client = signed_in(reviewer(tenant))
            client.post(f"{started(client, made)}submit/", {"q_helpful": answers})
        item = ReviewItem.objects.get()
        client = signed_in(leading(tenant))
        url = f"/admin/ai/reviewqueue/decide/{item.pk}/"

        assert url in client.get(f"/admin/ai/reviewqueue/{made.pk}/change/").content.decode()
        client.post(url, {"q_helpful": "yes", "reason": "See #2."})

        assert ReviewVerdict.objects.get().answers == YES
        assert "See #2." in client.get(url).content.decode()
        client.post(url, {"withdraw": "1"})
        assert not ReviewVerdict.objects.exists()

    def test_is_not_for_reviewers(self, tenant: Tenant) -> None:
        queue(tenant, items=1)

        item = ReviewItem.objects.get()
        assert signed_in(reviewer(tenant)).get(f"/admin/ai/reviewqueue/decide/{item.pk}/").status_code == 403


class TestDoors:
    def test_of_another_tenant_are_not_there(self, tenant: Tenant) -> None:
        made = queue(tenant, items=1, reviews_per_item=2)
        hers = signed_in(reviewer(tenant))
        url = started(hers, made)
        item = ReviewItem.objects.get()
        stranger = signed_in(leading(factories.tenant()))

        for address in (url, f"/admin/ai/reviewqueue/{made.pk}/change/", f"/admin/ai/reviewqueue/decide/{item.pk}/"):
            assert stranger.get(address).status_code == 404
        for address in (f"{url}submit/", f"{url}draft/", f"{url}pass/", f"/admin/ai/reviewqueue/{made.pk}/next/"):
            assert stranger.post(address, {"q_helpful": "yes"}).status_code == 404

    def test_leads_pause_and_open_a_queue(self, tenant: Tenant) -> None:
        made, client = queue(tenant), signed_in(lead(tenant))

        client.post(f"/admin/ai/reviewqueue/{made.pk}/state/", {"state": "paused"})
        response: Any = client.post(f"/admin/ai/reviewqueue/{made.pk}/next/")

        assert ReviewQueue.objects.get().state == "paused"
        assert response.url == f"/admin/ai/reviewqueue/{made.pk}/change/"

    def test_leads_change_the_questions(self, tenant: Tenant) -> None:
        made, client = queue(tenant), signed_in(lead(tenant))
        asked = {
            "question_0_text": QUESTIONS[0]["text"],
            "question_0_type": "yes_no",
            "question_0_required": "1",
            "question_1_text": "A mark?",
            "question_1_type": "number",
        }

        response: Any = client.post(f"/admin/ai/reviewqueue/{made.pk}/ask/", asked)

        html = client.get(response.url).content.decode()
        assert "A mark?" in html
        assert "1 to 5" in html

    def test_strange_keys_are_not_there(self, tenant: Tenant) -> None:
        client = signed_in(leading(tenant))

        assert client.get(f"/admin/ai/reviewqueue/review/{UUID(int=3)}/").status_code == 404
