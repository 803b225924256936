"""Comments beside a transcript: what the page shows, what its forms do, and to whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ai import tenancy
from ai.models import ChatThread, Comment, Message, Tenant
from ai.services import actors
from ai.services.comments import writing
from ai.services.reviews import queues
from ai.services.selections import Selection
from tests import factories
from tests.admin.conversations import HOSTILE, NOW
from tests.admin.test_rendering import ACTIVE, Seen
from tests.services.reviews import making

pytestmark = pytest.mark.django_db

READS = ("view_chatthread", "view_message")
SCRIPT = {"X-Requested-With": "comments"}


@dataclass
class Place:
    """A thread of a tenant, and somebody who comments on its answer."""

    tenant: Tenant
    thread: ChatThread
    answer: Message
    user: Any
    client: Client

    def url(self, door: str = "change") -> str:
        return f"/admin/ai/chatthread/{self.thread.pk}/{door}/"

    def post(self, do: str, **values: Any) -> Any:
        data = {"do": do, "message": str(self.answer.pk), **values}
        return self.client.post(self.url("comments/act"), data, headers=SCRIPT)

    def say(self, text: str = "Is this so?", **more: Any) -> Comment:
        on = {"thread_id": self.thread.pk, "message_id": self.answer.pk}
        with tenancy.scope(self.tenant.pk):
            return writing.add(**on, text=text, by=self.user, at=NOW, **more)


@pytest.fixture
def place(db: None) -> Iterator[Place]:
    tenant = factories.tenant("Some")
    thread = factories.thread(
        tenant, {"role": "user", "content": "Where?"}, {"role": "assistant", "content": "In **Lyon** now."}
    )
    user = factories.staff(*READS, "comment_message", tenants=(tenant,))
    client = Client()
    client.force_login(user)
    with tenancy.scope(tenant.pk):
        answer = Message.objects.list_thread_messages(thread.pk).get(role="assistant")
        yield Place(tenant, thread, answer, user, client)


def reader(place: Place, *permissions: str) -> Client:
    client = Client()
    client.force_login(factories.staff(*(permissions or READS), tenants=(place.tenant,)))
    return client


class TestTranscript:
    def test_shows_how_many_there_are_beside_each_message(self, place: Place) -> None:
        for number in range(3):
            place.say(f"Comment {number}")

        html = place.client.get(place.url()).content.decode()

        assert 'aria-label="Comments on message 2: 3"' in html
        assert 'aria-label="Comments on message 1"' in html
        assert "Comment 0" not in html

    def test_counts_what_is_open_as_the_panel_does(self, place: Place) -> None:
        open_, settled, deleted = (place.say(text) for text in ("Open", "Settled", "Deleted"))
        for row in (open_, settled, deleted):
            place.post("reply", comment=str(row.pk), text="Yes.")
        place.post("resolve", comment=str(settled.pk))
        html = place.post("delete", comment=str(deleted.pk)).content.decode()

        page = place.client.get(place.url()).content.decode()

        assert 'data-count="3"' in html
        assert 'aria-label="Comments on message 2: 3"' in page

    def test_opens_the_comments_of_a_message(self, place: Place) -> None:
        place.say("Is this so?", quote="Lyon now", start=3)

        html = place.client.get(f"{place.url()}?comments={place.answer.pk}").content.decode()

        assert "Is this so?" in html
        assert "Lyon now</blockquote>" in html
        assert "The message says something else now." not in html

    def test_costs_the_same_with_many_comments(self, place: Place) -> None:
        costs = []
        for count in (1, 40):
            for number in range(count):
                place.say(f"Comment {number}", quote="Lyon", start=3)
            place.client.get(place.url())
            with CaptureQueriesContext(connection) as seen:
                place.client.get(place.url())
            with CaptureQueriesContext(connection) as opened:
                place.client.get(f"{place.url()}?comments={place.answer.pk}")
            costs.append((len(seen), len(opened)))

        assert costs[0] == costs[1]
        assert max(costs[0]) <= 12

    def test_whoever_may_not_read_messages_sees_none(self, place: Place) -> None:
        place.say("Is this so?")
        client = reader(place, "view_chatthread")

        html = client.get(f"{place.url()}?comments={place.answer.pk}").content.decode()

        assert "Is this so?" not in html
        assert "data-comments=" not in html
        for door in ("comments", "quotes"):
            assert client.get(f"{place.url(door)}?message={place.answer.pk}").status_code == 403

    def test_who_only_reads_has_no_forms(self, place: Place) -> None:
        place.say("Is this so?")

        html = reader(place).get(f"{place.url()}?comments={place.answer.pk}").content.decode()

        assert "Is this so?" in html
        assert "comments/act" not in html

    @pytest.mark.parametrize("text", HOSTILE)
    def test_is_hostile_until_shown_otherwise(self, place: Place, text: str) -> None:
        client, url = reader(place), f"{place.url('comments')}?message={place.answer.pk}"
        row = place.say("Harmless")
        harmless = client.get(url, headers=SCRIPT).content.decode()
        Comment.objects.filter(pk=row.pk).update(text=text)

        html = client.get(url, headers=SCRIPT).content.decode()

        assert Seen(html).tags == Seen(harmless).tags
        assert not ACTIVE & set(Seen(html).tags)
        assert "\u202e" not in html

    def test_says_which_words_are_commented_on(self, place: Place) -> None:
        place.say(quote="Lyon", start=3)

        said = place.client.get(f"{place.url('quotes')}?from=1&to=9").json()

        assert said == {"quotes": [{"message": str(place.answer.pk), "start": 3, "quote": "Lyon"}]}


class TestForms:
    def test_comment_reply_resolve_and_take_back(self, place: Place) -> None:
        html = place.post("add", text="Is this so?", quote="Lyon", start="3").content.decode()
        assert "Your comment is kept." in html
        first = Comment.objects.get()
        assert (first.quote, first.start) == ("Lyon", 3)

        assert "It is." in place.post("reply", comment=str(first.pk), text="It is.").content.decode()
        assert "Resolved" in place.post("resolve", comment=str(first.pk)).content.decode()
        html = place.post("delete", comment=str(first.pk)).content.decode()
        assert "Deleted." in html
        assert "Is this so?" not in html
        event = html.split('name="event" value="')[1][:36]

        assert "Is this so?" in place.post("undo", event=event).content.decode()

    def test_what_was_refused_keeps_its_words(self, place: Place) -> None:
        html = place.post("add", text="My long thoughts", quote="Berlin", start="3").content.decode()

        assert "does not say these words" in html
        assert "My long thoughts</textarea>" in html

    def test_without_a_script_the_page_comes_again(self, place: Place) -> None:
        data = {"do": "add", "message": str(place.answer.pk), "text": "Plain"}

        response = place.client.post(place.url("comments/act"), data, follow=True)

        assert response.redirect_chain[0][0].endswith("#k-panel")
        assert "Plain" in response.content.decode()

    @pytest.mark.parametrize("headers", [{}, SCRIPT])
    def test_says_at_the_field_why_it_was_refused(self, place: Place, headers: dict[str, str]) -> None:
        data = {
            "do": "add",
            "message": str(place.answer.pk),
            "text": "My long thoughts",
            "quote": "Berlin",
            "start": "3",
        }

        response = place.client.post(place.url("comments/act"), data, headers=headers)

        html = response.content.decode()
        assert response.status_code == (200 if headers else 400)
        field, _, after = html.partition("My long thoughts</textarea>")
        assert field.rpartition("<textarea")[2].count('id="k-text"') == 1
        assert after.split("</p>")[0].strip().startswith('<p class="ai-error" id="k-fault" role="alert">')
        assert html.count("does not say these words") == 1
        assert "Berlin</blockquote>" in html
        assert not Comment.objects.exists()

    @pytest.mark.parametrize("verb", ["reply", "edit"])
    def test_without_a_script_refused_words_are_in_their_own_field(self, place: Place, verb: str) -> None:
        row = place.say()
        data = {"do": verb, "message": str(place.answer.pk), "comment": str(row.pk), "text": "x" * 5001, "version": "0"}

        html = place.client.post(place.url("comments/act"), data).content.decode()

        assert f"{'x' * 5001}</textarea>" in html.partition(f'id="k-{verb}-{row.pk}"')[2]
        assert html.count('<details class="k-fold" open>') == 1
        assert html.count("Write a comment of at most 5,000 characters.") == 1
        assert Comment.objects.get().text == "Is this so?"

    def test_without_a_script_a_refused_reply_to_what_is_settled_becomes_a_new_comment(self, place: Place) -> None:
        row = place.say()
        place.post("resolve", comment=str(row.pk))
        data = {"do": "reply", "message": str(place.answer.pk), "comment": str(row.pk), "text": "My long thoughts"}

        html = place.client.post(place.url("comments/act"), data).content.decode()

        assert "My long thoughts</textarea>" in html.partition('id="k-text"')[2]
        assert "resolved this comment meanwhile" in html

    def test_reading_them_changes_nothing(self, place: Place) -> None:
        place.say()
        before = list(Comment.objects.values())

        for door in ("comments", "comments/act", "people", "quotes"):
            place.client.get(f"{place.url(door)}?message={place.answer.pk}&do=delete", headers=SCRIPT)

        assert list(Comment.objects.values()) == before

    def test_are_not_for_who_only_reads(self, place: Place) -> None:
        data = {"do": "add", "message": str(place.answer.pk), "text": "x"}

        assert reader(place).post(place.url("comments/act"), data).status_code == 403
        assert not Comment.objects.exists()

    def test_do_not_reach_another_tenant_or_message(self, place: Place) -> None:
        row = place.say()
        other = factories.tenant()
        stranger = Client()
        stranger.force_login(factories.staff(*READS, "comment_message", "moderate_comment", tenants=(other,)))
        data = {"do": "delete", "message": str(place.answer.pk), "comment": str(row.pk)}
        for door in ("comments", "people", "quotes"):
            assert stranger.get(f"{place.url(door)}?message={place.answer.pk}").status_code == 404
        assert stranger.post(place.url("comments/act"), data).status_code == 404

        question = Message.objects.list_thread_messages(place.thread.pk)[0]
        assert place.post("delete", comment=str(row.pk), message=str(question.pk)).status_code == 404

        assert Comment.objects.get().deleted_at is None

    @pytest.mark.parametrize(
        "values", [{"do": "dance"}, {"comment": "nonsense"}, {"comment": ""}, {"event": "x", "do": "undo"}]
    )
    def test_nonsense_is_refused(self, place: Place, values: dict[str, str]) -> None:
        place.say()

        response = place.post(**{"do": "delete", **values})

        assert response.status_code in {200, 404}
        assert Comment.objects.get().deleted_at is None


class TestPeople:
    def test_are_those_who_may_read_the_thread(self, place: Place) -> None:
        ana = factories.staff(*READS, tenants=(place.tenant,))
        factories.staff("view_run", tenants=(place.tenant,))
        factories.staff(*READS, tenants=(factories.tenant(),))

        said = place.client.get(f"{place.url('people')}?q={ana.username[:5]}").json()

        assert [each["name"] for each in said["people"]] == sorted([ana.username, place.user.username])


class TestBlindness:
    def test_the_page_of_a_review_shows_no_comments(self, place: Place) -> None:
        place.say("The answer is yes")
        reviewer = factories.staff(
            *READS, "view_reviewqueue", "review_reviewqueue", "comment_message", tenants=(place.tenant,)
        )
        client = Client()
        client.force_login(reviewer)
        queue = making.queue(place.tenant, items=0)
        queues.fill(
            queue_id=queue.pk, selection=Selection.of_ids("threads", [place.thread.pk]), by=actors.SYSTEM, at=NOW
        )
        start = client.post(f"/admin/ai/reviewqueue/{queue.pk}/next/", follow=True)

        html = start.content.decode()

        assert "In <strong>Lyon</strong> now." in html
        assert "The answer is yes" not in html
        assert "data-comments=" not in html
