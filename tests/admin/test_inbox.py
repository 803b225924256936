"""The feedback inbox: what it shows, what its buttons do, and to whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai import tenancy
from ai.models import Feedback, FeedbackEvent, Tenant
from ai.services.triage import inbox
from tests import factories
from tests.admin import world

pytestmark = pytest.mark.django_db

INBOX, ACT = "/admin/ai/feedback/inbox/", "/admin/ai/feedback/inbox/act/"
READS = ("view_feedback", "view_message", "view_chatthread")


@pytest.fixture
def made(db: None) -> Iterator[world.World]:
    found = world.build(Tenant.objects.create(name="Some"), count=3)
    with tenancy.scope(found.tenant.pk):
        yield found


def signed_in(made: world.World, *more: str) -> tuple[Client, Any]:
    client, user = Client(), factories.staff(*READS, *more, tenants=(made.tenant,))
    client.force_login(user)
    return client, user


def triager(made: world.World) -> Client:
    return signed_in(made, "change_feedback")[0]


def rows() -> list[Feedback]:
    """As the inbox lists them."""
    return list(Feedback.objects.order_by("-given_at", "-pk"))


def do(client: Client, word: str, row: Feedback, headers: Any = None, **values: Any) -> Any:
    return client.post(ACT, {"do": word, "item": str(row.pk), **values}, follow=True, headers=headers)


class TestPage:
    def test_shows_the_list_and_the_first_card_in_its_conversation(self, made: world.World) -> None:
        html = triager(made).get(INBOX).content.decode()

        assert html.count('<li class="i-card') == 3
        assert "zanzibar was bad" in html
        assert "zanzibar asks" in html
        assert "Resolve" in html

    def test_shows_the_card_of_the_address(self, made: world.World) -> None:
        last = rows()[-1]

        html = triager(made).get(INBOX, {"item": str(last.pk)}).content.decode()

        assert f'data-item="{last.pk}"' in html

    def test_has_no_buttons_for_those_who_only_read(self, made: world.World) -> None:
        html = signed_in(made)[0].get(INBOX).content.decode()

        assert "zanzibar was bad" in html
        assert "Resolve <kbd>" not in html
        assert '<form method="post" action="/admin/ai/feedback/inbox/act/' not in html

    def test_shows_no_conversation_to_those_who_may_not_read_any(self, made: world.World) -> None:
        client = Client()
        client.force_login(factories.staff("view_feedback", tenants=(made.tenant,)))

        html = client.get(INBOX).content.decode()

        assert "zanzibar was bad" in html
        assert "zanzibar asks" not in html

    def test_says_when_all_is_done_and_when_nothing_matches(self, made: world.World) -> None:
        client = triager(made)
        Feedback.objects.update(state="resolved")

        assert "All is done" in client.get(INBOX).content.decode()
        assert "Nothing matches" in client.get(INBOX, {"rating": "up"}).content.decode()

    def test_refuses_whoever_may_not_see_feedback(self, made: world.World) -> None:
        client = Client()
        client.force_login(factories.staff("view_chatthread", tenants=(made.tenant,)))

        assert client.get(INBOX).status_code == 403

    @pytest.mark.parametrize("item", ["nonsense", "00000000-0000-0000-0000-000000000000"])
    def test_does_not_know_what_is_not_there(self, made: world.World, item: str) -> None:
        assert triager(made).get(INBOX, {"item": item}).status_code == 404

    def test_has_no_script_of_its_own(self, made: world.World) -> None:
        html = triager(made).get(INBOX).content.decode()
        main = html[html.index('id="i-page"') :]

        assert "onclick" not in main
        assert "style=" not in main[: main.index("i-keys")]

    def test_costs_the_same_for_three_as_for_fifty(self, made: world.World) -> None:
        client = triager(made)

        def cost() -> int:
            with CaptureQueriesContext(connection) as seen:
                assert client.get(INBOX).status_code == 200
            assert [query["sql"] for query in seen.captured_queries if "COUNT(" in query["sql"]] == []
            return len(seen)

        few = cost()
        world.build(made.tenant, count=60)

        assert cost() == few

    def test_the_list_alone_is_eight_queries_at_most(self, made: world.World) -> None:
        client = triager(made)
        Feedback.objects.update(state="resolved")

        with CaptureQueriesContext(connection) as seen:
            client.get(INBOX, {"state": "snoozed"})

        # Without cards one is not asked: the messages that they show.
        assert len(seen) <= 7

    def test_is_the_one_line_that_the_sidebar_marks(self, made: world.World) -> None:
        client = triager(made)

        def marked(address: str) -> list[str]:
            groups = client.get(address).context["sidebar_navigation"]
            return [item["title"] for group in groups for item in group["items"] if item["active"]]

        assert marked(INBOX) == ["Feedback inbox"]
        assert marked("/admin/ai/feedback/") == ["Feedback"]
        assert marked("/admin/") == ["Dashboard"]

    def test_leaves_the_frame_out_for_its_script(self, made: world.World) -> None:
        html = triager(made).get(INBOX, headers={"X-Requested-With": "inbox"}).content.decode()

        assert 'id="i-page"' in html
        assert "Resolve" in html
        assert "<html" not in html

    def test_answers_its_script_with_the_next_page_and_its_address(self, made: world.World) -> None:
        client = triager(made)
        row = client.get(INBOX).context["row"]

        answered = do(client, "severity:1", row, here="state=all", headers={"X-Requested-With": "inbox"})

        assert answered.status_code == 200
        assert answered.headers["X-Address"].startswith(f"{INBOX}?state=all")
        assert str(row.pk) in answered.headers["X-Address"]
        assert "Severity: critical." in answered.content.decode()

    def test_goes_on_to_older_ones(self, made: world.World) -> None:
        world.build(made.tenant, count=inbox.PAGE_SIZE)
        client = triager(made)
        first = client.get(INBOX)

        second = client.get(INBOX + first.context["later"]).content.decode()

        assert second.count('<li class="i-card') == 3
        assert "To the newest" in second


class TestButtons:
    @pytest.mark.parametrize(
        ("word", "column", "value"),
        [
            ("state:triaged", "state", "triaged"),
            ("state:resolved", "state", "resolved"),
            ("state:dismissed", "state", "dismissed"),
            ("severity:2", "severity", 2),
            ("label:slow", "labels", ["slow"]),
            ("snooze", "state", "snoozed"),
            ("macro:Known fault", "severity", 3),
        ],
    )
    def test_do_what_they_say(self, made: world.World, word: str, column: str, value: Any) -> None:
        row = rows()[0]

        response = do(triager(made), word, row)

        assert response.status_code == 200
        assert getattr(Feedback.objects.get(pk=row.pk), column) == value

    def test_assign_to_me_and_to_others(self, made: world.World) -> None:
        (client, me), other = (
            signed_in(made, "change_feedback"),
            factories.staff("change_feedback", tenants=(made.tenant,)),
        )
        row = rows()[0]

        assert "Assigned to you." in do(client, "assign", row).content.decode()
        assert Feedback.objects.get(pk=row.pk).assignee == me.username
        do(client, "assign_to", row, to=other.username)

        assert Feedback.objects.get(pk=row.pk).assignee == other.username

    def test_open_the_next_card_when_this_one_leaves_the_list(self, made: world.World) -> None:
        first, second, _ = rows()

        gone = do(triager(made), "state:resolved", first, next=str(second.pk))
        stays = do(triager(made), "severity:1", second, next="")

        assert f'data-item="{second.pk}"' in gone.content.decode()
        assert f'data-item="{second.pk}"' in stays.content.decode()

    def test_keep_the_filters(self, made: world.World) -> None:
        response = do(triager(made), "severity:1", rows()[0], here="state=all&rating=down")

        assert response.redirect_chain[0][0].startswith(f"{INBOX}?state=all&rating=down&item=")

    def test_do_it_to_all_that_are_chosen(self, made: world.World) -> None:
        first, second, third = rows()

        response = do(triager(made), "state:resolved", third, pick=[str(first.pk), str(second.pk)])

        assert "2 feedback: resolved." in response.content.decode()
        assert [row.state for row in rows()] == ["resolved", "resolved", "open"]

    def test_keep_notes_for_colleagues(self, made: world.World) -> None:
        response = do(triager(made), "note", rows()[0], note="<b>Ask</b> Cora")

        assert "&lt;b&gt;Ask&lt;/b&gt; Cora" in response.content.decode()

    def test_take_back_and_show_the_card_again(self, made: world.World) -> None:
        client, row = triager(made), rows()[0]
        do(client, "state:resolved", row)

        response = do(client, "undo", rows()[1])

        assert f'data-item="{row.pk}"' in response.content.decode()
        assert Feedback.objects.get(pk=row.pk).state == "open"
        assert "nothing in the last 30 days" in do(client, "undo", row).content.decode()

    def test_take_back_one_change_of_the_history(self, made: world.World) -> None:
        client, row = triager(made), rows()[0]
        do(client, "severity:1", row)
        event = FeedbackEvent.objects.get()

        assert f'value="undo:{event.pk}"' in client.get(INBOX).content.decode()
        do(triager(made), f"undo:{event.pk}", row)

        assert Feedback.objects.get(pk=row.pk).severity == 0

    def test_say_who_was_quicker(self, made: world.World) -> None:
        row, (other, ben) = rows()[0], signed_in(made, "change_feedback")
        do(other, "severity:1", row)

        response = do(triager(made), "state:dismissed", row, version="0")

        assert f"{ben.username} changed it at" in response.content.decode()
        assert Feedback.objects.get(pk=row.pk).state == "open"

    def test_snooze_until_a_time(self, made: world.World) -> None:
        row, until = rows()[0], timezone.localtime() + timedelta(days=3)

        do(triager(made), "snooze", row, until=f"{until:%Y-%m-%dT%H:%M}")

        assert Feedback.objects.get(pk=row.pk).snoozed_until == until.replace(second=0, microsecond=0)

    @pytest.mark.parametrize(
        ("word", "values"),
        [
            ("nonsense", {}),
            ("severity:x", {}),
            ("state:nonsense", {}),
            ("state:snoozed", {}),
            ("snooze", {"until": "2026-99-99T00:00"}),
            ("snooze", {"until": "2001-01-01T00:00"}),
            ("note", {"note": " "}),
            ("label", {"label": ""}),
            ("macro:nonsense", {}),
            ("merge", {}),
            ("assign_to", {"to": "nobody-known"}),
        ],
    )
    def test_say_what_is_wrong(self, made: world.World, word: str, values: dict[str, str]) -> None:
        row = rows()[0]

        response = do(triager(made), word, row, **values)

        assert response.status_code == 200
        assert "ai-note ai-red" in response.content.decode()
        assert Feedback.objects.get(pk=row.pk).version == 0

    def test_refuse_whoever_may_only_read(self, made: world.World) -> None:
        row = rows()[0]

        assert do(signed_in(made)[0], "state:resolved", row).status_code == 403
        assert Feedback.objects.get(pk=row.pk).state == "open"

    def test_only_a_post_opens_the_door(self, made: world.World) -> None:
        assert triager(made).get(ACT).status_code == 404


class TestAnotherTenant:
    @pytest.fixture
    def client(self, made: world.World) -> Client:
        ours = world.build(Tenant.objects.create(name="Ours"), word="ordinary")
        return triager(ours)

    def test_shows_none_of_theirs(self, made: world.World, client: Client) -> None:
        pages = [INBOX, f"{INBOX}?tenant={made.tenant.pk}", f"{INBOX}?state=all&after={rows()[0].pk}"]

        for page in pages:
            assert world.SECRET not in client.get(page).content.decode().lower().replace("zanzibar ltd", "")
        assert client.get(INBOX, {"item": str(rows()[0].pk)}).status_code == 404

    @pytest.mark.parametrize("word", ["state:resolved", "assign", "severity:1", "label:x", "snooze", "note", "merge"])
    def test_reaches_none_of_theirs(self, made: world.World, client: Client, word: str) -> None:
        row = rows()[0]

        assert do(client, word, row, note="Hello").status_code == 404
        assert do(client, word, row, note="Hello", pick=[str(row.pk)]).status_code == 404
        assert Feedback.objects.get(pk=row.pk).version == 0
        assert not FeedbackEvent.objects.exists()

    def test_takes_back_nothing_of_theirs(self, made: world.World, client: Client) -> None:
        row = rows()[0]
        do(triager(made), "severity:1", row)

        do(client, f"undo:{FeedbackEvent.objects.get().pk}", row)

        assert Feedback.objects.get(pk=row.pk).severity == 1
