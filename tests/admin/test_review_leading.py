"""Leading a queue on its pages: what was done lately, samples, and assigning."""

from __future__ import annotations

import re
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from ai.models import Job, ReviewEvent, ReviewItem, ReviewQueue, ReviewSlot, Tenant
from ai.services import jobs
from tests import factories
from tests.admin.test_reviews import leading, signed_in, started
from tests.services.reviews.making import NO, YES, lead, queue, review, reviewer

pytestmark = pytest.mark.django_db


class TestFigures:
    def test_say_how_many_more_reviews_narrow_a_rate_and_who_agrees(self, tenant: Tenant) -> None:
        made, client = queue(tenant, items=2, reviews_per_item=2), signed_in(lead(tenant))
        people = [reviewer(tenant), reviewer(tenant)]
        for person in people:
            for answers in (YES, NO):
                review(made, person, answers)

        html = client.get(f"/admin/ai/reviewqueue/{made.pk}/change/?margin=10").content.decode()

        assert "To ± 10 %" in html
        assert re.search(r"\d+ more</td>", html)
        assert {f"{one.username} and {other.username}" in html for one, other in permutations(people)} == {True, False}
        assert "1.00" in html

    def test_are_not_shown_to_reviewers(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1, reviews_per_item=1), reviewer(tenant)
        review(made, ana, YES)

        html = signed_in(ana).get(f"/admin/ai/reviewqueue/{made.pk}/change/").content.decode()

        assert "What was found" not in html


class TestPage:
    def test_offers_reviewing_as_long_as_there_is_something_to_review(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=2), reviewer(tenant)
        client, told = signed_in(ana), []

        for _ in range(3):
            told.append("Start reviewing" in client.get(f"/admin/ai/reviewqueue/{made.pk}/change/").content.decode())
            if len(told) < 3:
                review(made, ana, YES)

        assert told == [True, True, False]

    @pytest.mark.parametrize("unit", ["message", "run", "replay"])
    def test_tells_a_lead_how_it_is_filled_and_a_reviewer_that_somebody_will(self, tenant: Tenant, unit: str) -> None:
        made = queue(tenant, items=0, unit=unit)
        page, noun = f"/admin/ai/reviewqueue/{made.pk}/change/", "messages" if unit == "message" else "runs"

        led, seen = (signed_in(who).get(page).content.decode() for who in (leading(tenant), reviewer(tenant)))

        assert f"Choose {noun} in their list" in led
        assert f'href="/admin/ai/{noun[:-1]}/"' in led.partition("Choose ")[2]
        assert "Whoever leads it fills it." in seen
        assert "in their list" not in seen


class TestLately:
    def test_takes_back_what_was_done(self, tenant: Tenant) -> None:
        made, client = queue(tenant), signed_in(lead(tenant))
        client.post(f"/admin/ai/reviewqueue/{made.pk}/state/", {"state": "paused"})
        event = ReviewEvent.objects.get()

        html = client.get(f"/admin/ai/reviewqueue/{made.pk}/change/").content.decode()
        assert "changed the queue from open to paused" in html
        client.post(f"/admin/ai/reviewqueue/{made.pk}/take-back/", {"event": str(event.pk)})

        assert ReviewQueue.objects.get().state == "open"
        assert "taken back" in client.get(f"/admin/ai/reviewqueue/{made.pk}/change/").content.decode()

    def test_shows_who_changed_it_since(self, tenant: Tenant) -> None:
        made, other = queue(tenant), lead(tenant)
        client = signed_in(lead(tenant))
        client.post(f"/admin/ai/reviewqueue/{made.pk}/state/", {"state": "paused"})
        event = ReviewEvent.objects.get()
        signed_in(other).post(f"/admin/ai/reviewqueue/{made.pk}/state/", {"state": "closed"})

        response = client.post(f"/admin/ai/reviewqueue/{made.pk}/take-back/", {"event": str(event.pk)}, follow=True)

        assert f"closed by now. {other.username} changed the queue at" in response.content.decode()
        assert ReviewQueue.objects.get().state == "closed"

    def test_takes_a_skip_back_and_opens_it_again(self, tenant: Tenant) -> None:
        made, client = queue(tenant), signed_in(reviewer(tenant))
        url = started(client, made)
        client.post(f"{url}pass/")

        response: Any = client.post(f"/admin/ai/reviewqueue/{made.pk}/undo/")

        assert response.url == url
        assert client.get(url).status_code == 200

    def test_shows_reviewers_their_own_alone(self, tenant: Tenant) -> None:
        made, ana, ben = queue(tenant, items=2), signed_in(reviewer(tenant)), signed_in(reviewer(tenant))
        ana.post(f"{started(ana, made)}submit/", {"q_helpful": "yes"})
        event = ReviewEvent.objects.get()

        assert "answered #1" in ana.get(f"/admin/ai/reviewqueue/{made.pk}/change/").content.decode()
        assert "answered #1" not in ben.get(f"/admin/ai/reviewqueue/{made.pk}/change/").content.decode()
        refused = ben.post(f"/admin/ai/reviewqueue/{made.pk}/take-back/", {"event": str(event.pk)})
        assert refused.status_code == 404

    @pytest.mark.parametrize("event", ["", "x", str(UUID(int=5))])
    def test_of_nonsense_is_not_there(self, tenant: Tenant, event: str) -> None:
        made, client = queue(tenant), signed_in(lead(tenant))

        assert client.post(f"/admin/ai/reviewqueue/{made.pk}/take-back/", {"event": event}).status_code == 404

    def test_skipping_what_is_answered_says_so(self, tenant: Tenant) -> None:
        made, client = queue(tenant), signed_in(reviewer(tenant))
        url = started(client, made)
        client.post(f"{url}submit/", {"q_helpful": "yes"})

        for door in ("pass", "back"):
            response = client.post(f"{url}{door}/", follow=True)
            assert "answered already" in response.content.decode()


class TestSamples:
    def test_are_taken_of_each_group(self, tenant: Tenant) -> None:
        made, client = queue(tenant, items=0), signed_in(leading(tenant))
        for number in range(10):
            factories.thread(tenant, model="big" if number else "small")
        address = "/admin/ai/reviewqueue/fill/?noun=threads"

        assert "By lot, a share of each model" in client.get(address).content.decode()
        client.post(address, {"queue": str(made.pk), "sample": "4", "seed": "9", "how": "by:model"})

        assert ReviewItem.objects.count() == 4
        html = client.get(f"/admin/ai/reviewqueue/{made.pk}/change/").content.decode()
        assert "A sample of 4 of 10 from all threads. By lot, a share of each model, with the seed 9" in html

    def test_say_at_the_field_what_is_missing(self, tenant: Tenant) -> None:
        made, client = queue(tenant, items=0), signed_in(leading(tenant))
        factories.thread(tenant)

        html = client.post(
            "/admin/ai/reviewqueue/fill/?noun=threads", {"queue": str(made.pk), "how": "by:model"}
        ).content.decode()

        assert "Say how many" in html


class TestAssigning:
    def test_keeps_the_next_items_for_a_person(self, tenant: Tenant) -> None:
        made, ana, client = queue(tenant), reviewer(tenant), signed_in(lead(tenant))

        html = client.get(f"/admin/ai/reviewqueue/{made.pk}/change/").content.decode()
        assert ana.username in html
        client.post(f"/admin/ai/reviewqueue/{made.pk}/assign/", {"to": str(ana.pk), "count": "2"})

        assert ReviewSlot.objects.filter(assigned_to=str(ana.pk)).count() == 2
        client.post(f"/admin/ai/reviewqueue/{made.pk}/unassign/", {"of": str(ana.pk)})
        assert not ReviewSlot.objects.filter(assigned_to__isnull=False).exists()

    def test_keeps_and_frees_what_is_ticked(self, tenant: Tenant) -> None:
        made, ana, client = queue(tenant), reviewer(tenant), signed_in(lead(tenant))
        item = ReviewItem.objects.get(position=1)
        form = {"from": "items", "to": str(ana.pk), "items": [str(item.pk)]}

        response: Any = client.post(f"/admin/ai/reviewqueue/{made.pk}/assign/", form)

        assert response.url == f"/admin/ai/reviewqueue/{made.pk}/items/"
        assert ReviewSlot.objects.get(assigned_to=str(ana.pk)).item_id == item.pk
        assert f">{ana.username}</td>" in client.get(response.url).content.decode()
        client.post(f"/admin/ai/reviewqueue/{made.pk}/unassign/", form)
        assert not ReviewSlot.objects.filter(assigned_to__isnull=False).exists()

    def test_offers_nobody_of_another_tenant(self, tenant: Tenant) -> None:
        made, stranger, client = queue(tenant), reviewer(factories.tenant()), signed_in(lead(tenant))

        for page in ("change", "items"):
            html = client.get(f"/admin/ai/reviewqueue/{made.pk}/{page}/").content.decode()
            assert f">{stranger.username}</option>" not in html
        answer = client.post(
            f"/admin/ai/reviewqueue/{made.pk}/assign/", {"to": str(stranger.pk), "count": "1"}, follow=True
        )

        assert "may review in this tenant" in answer.content.decode()
        assert not ReviewSlot.objects.filter(assigned_to__isnull=False).exists()

    @pytest.mark.parametrize("form", [{}, {"to": "x"}, {"from": "items"}, {"from": "items", "items": ["x"]}])
    def test_of_nonsense_changes_nothing(self, tenant: Tenant, form: dict[str, Any]) -> None:
        made, client = queue(tenant), signed_in(lead(tenant))

        for door in ("assign", "unassign"):
            assert client.post(f"/admin/ai/reviewqueue/{made.pk}/{door}/", form).status_code in (302, 404)
        assert not ReviewEvent.objects.exists()

    def test_is_not_for_reviewers(self, tenant: Tenant) -> None:
        made, client = queue(tenant), signed_in(reviewer(tenant))

        assert client.get(f"/admin/ai/reviewqueue/{made.pk}/items/").status_code == 403
        for door in ("assign", "unassign"):
            assert client.post(f"/admin/ai/reviewqueue/{made.pk}/{door}/").status_code == 403

    def test_costs_the_same_queries_for_many_items(self, tenant: Tenant, django_assert_max_num_queries: Any) -> None:
        made, client = queue(tenant, items=60), signed_in(lead(tenant))
        client.post(f"/admin/ai/reviewqueue/{made.pk}/assign/", {"to": str(reviewer(tenant).pk), "count": "40"})

        with django_assert_max_num_queries(14):
            html = client.get(f"/admin/ai/reviewqueue/{made.pk}/items/").content.decode()

        assert 'rel="next"' in html


class TestDrawingInTheBackground:
    ADDRESS = "/admin/ai/reviewqueue/fill/?noun=threads"

    @pytest.fixture
    def made(self, tenant: Tenant, settings: Any) -> ReviewQueue:
        settings.AI_REVIEW_SAMPLE_ROWS = 3
        for _ in range(4):
            factories.thread(tenant)
        return queue(tenant, items=0)

    def ask(self, client: Client, made: ReviewQueue) -> tuple[str, Job]:
        response: Any = client.post(self.ADDRESS, {"queue": str(made.pk), "sample": "2", "seed": "1"})
        return response.url, Job.objects.get()

    def test_leads_to_the_job_and_from_there_to_the_queue(self, tenant: Tenant, made: ReviewQueue) -> None:
        client = signed_in(reviewer(tenant, "change_reviewqueue", "view_job", "cancel_job"))
        where, job = self.ask(client, made)
        queue_url = f"/admin/ai/reviewqueue/{made.pk}/change/"

        asked = client.get(where).content.decode()
        waiting = client.get(queue_url).content.decode()
        cancelling = client.get(f"/admin/ai/job/{job.pk}/cancel/").content.decode()
        jobs.carry_on(job_id=job.pk, worker="w", now=timezone.now)

        assert where == f"/admin/ai/job/{job.pk}/change/"
        assert "0 % of the rows read" in asked
        assert queue_url in asked
        assert "A sample is being drawn for this queue" in waiting
        assert where in waiting
        assert "There is nothing in this queue yet" not in waiting
        assert "Nothing has been added to the queue yet, and nothing will be." in cancelling
        assert "2 items" in client.get(where).content.decode()
        assert "A sample is being drawn" not in client.get(queue_url).content.decode()

    def test_leads_to_the_queue_who_may_not_see_jobs(self, tenant: Tenant, made: ReviewQueue) -> None:
        client = signed_in(lead(tenant))

        where, job = self.ask(client, made)

        assert where == f"/admin/ai/reviewqueue/{made.pk}/change/"
        html = client.get(where).content.decode()
        assert "The sample is being drawn in the background." in html
        assert str(job.pk) not in html

    def test_is_refused_in_words_while_another_is_drawn(self, tenant: Tenant, made: ReviewQueue) -> None:
        client = signed_in(lead(tenant))
        self.ask(client, made)

        html = client.post(self.ADDRESS, {"queue": str(made.pk), "sample": "2", "seed": "2"}).content.decode()

        assert "wait until it is there" in html
