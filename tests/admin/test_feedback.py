"""Triage of feedback."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from ai import tenancy
from ai.models import AuditEntry, Feedback, Tenant
from tests import factories
from tests.admin import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(db: None) -> world.World:
    return world.build(Tenant.objects.create(name="Some"), count=3)


def reviewer(made: world.World, *more: str) -> Client:
    client = Client()
    names = ("view_feedback", "view_message", "view_chatthread", *more)
    client.force_login(factories.staff(*names, tenants=(made.tenant,)))
    return client


def states(made: world.World) -> list[str]:
    with tenancy.scope(made.tenant.pk):
        return sorted(Feedback.objects.values_list("state", flat=True))


class TestPage:
    def test_shows_the_message_in_its_surroundings(self, made: world.World) -> None:
        html = reviewer(made).get(f"/admin/ai/feedback/{made.rows[Feedback].pk}/change/").content.decode()

        assert "zanzibar was bad" in html
        assert "zanzibar answers" in html
        assert "zanzibar asks" in html
        assert "Resolve" not in html

    def test_offers_the_other_states_to_those_who_triage(self, made: world.World) -> None:
        client = reviewer(made, "change_feedback")

        html = client.get(f"/admin/ai/feedback/{made.rows[Feedback].pk}/change/").content.decode()

        assert "Resolve" in html
        assert "Dismiss" in html
        assert "Reopen" not in html


class TestMove:
    def test_asks_first_then_moves_and_remembers(self, made: world.World) -> None:
        client, row = reviewer(made, "change_feedback"), made.rows[Feedback]
        url = f"/admin/ai/feedback/{row.pk}/move/resolved/"

        asked = client.get(url)
        assert "csrfmiddlewaretoken" in asked.content.decode()
        assert states(made) == ["open"] * 3
        response = client.post(url)

        assert response.status_code == 302
        assert states(made) == ["open", "open", "resolved"]
        page = client.get(f"/admin/ai/feedback/{row.pk}/change/").content.decode()
        assert "moved by" in page
        with tenancy.scope(made.tenant.pk):
            assert AuditEntry.objects.filter(action="feedback.moved").count() == 1

    def test_refuses_who_may_not(self, made: world.World) -> None:
        url = f"/admin/ai/feedback/{made.rows[Feedback].pk}/move/resolved/"

        assert reviewer(made).post(url).status_code == 403
        assert states(made) == ["open"] * 3

    def test_says_that_there_is_no_such_state(self, made: world.World) -> None:
        url = f"/admin/ai/feedback/{made.rows[Feedback].pk}/move/nonsense/"

        response = reviewer(made, "change_feedback").post(url, follow=True)

        assert "There is no state" in response.content.decode()


class TestSeveral:
    def chosen(self, made: world.World) -> dict[str, Any]:
        with tenancy.scope(made.tenant.pk):
            keys = [str(key) for key in Feedback.objects.order_by("pk").values_list("pk", flat=True)[:2]]
        return {"action": "move_to_dismissed", "_selected_action": keys, "index": "0"}

    def test_asks_first_then_moves_the_ticked_ones(self, made: world.World) -> None:
        client = reviewer(made, "change_feedback")

        asked = client.post("/admin/ai/feedback/", self.chosen(made)).content.decode()
        assert "2 chosen" in asked
        assert states(made) == ["open"] * 3
        client.post("/admin/ai/feedback/", {**self.chosen(made), "confirmed": "yes"})

        assert states(made) == ["dismissed", "dismissed", "open"]

    def test_never_moves_more_than_was_ticked(self, made: world.World) -> None:
        client = reviewer(made, "change_feedback")

        client.post("/admin/ai/feedback/", {**self.chosen(made), "confirmed": "yes", "select_across": "1"})

        assert states(made) == ["dismissed", "dismissed", "open"]

    def test_is_not_there_for_who_may_not(self, made: world.World) -> None:
        client = reviewer(made)

        client.post("/admin/ai/feedback/", {**self.chosen(made), "confirmed": "yes"})

        assert states(made) == ["open"] * 3
