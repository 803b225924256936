"""The door through which pages say who is there."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from ai import tenancy
from ai.models import ChatThread, Feedback, Presence, ReviewItem, ReviewQueue, Tenant
from ai.models.presences import PresenceKind
from ai.services import presence
from tests import factories
from tests.admin import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(db: None) -> world.World:
    return world.build(Tenant.objects.create(name="Some"))


def person(made: world.World, role: str = "Viewer", **names: str) -> Any:
    user = factories.staff(tenants=(made.tenant,))
    user.groups.add(Group.objects.get(name=role))
    for name, value in names.items():
        setattr(user, name, value)
    user.save()
    return user


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def doors(made: world.World) -> dict[str, str]:
    with tenancy.scope(made.tenant.pk):
        item = ReviewItem.objects.get(queue_id=made.rows[ReviewQueue].pk)
    return {
        PresenceKind.THREAD: f"/admin/ai/chatthread/{made.rows[ChatThread].pk}/here/",
        PresenceKind.FEEDBACK: f"/admin/ai/feedback/{made.rows[Feedback].pk}/here/",
        PresenceKind.REVIEW: f"/admin/ai/reviewqueue/decide/{item.pk}/here/",
    }


class TestDoor:
    @pytest.mark.parametrize("kind", PresenceKind)
    def test_tells_each_of_the_other_and_that_somebody_left(self, made: world.World, kind: str) -> None:
        url = doors(made)[kind]
        ana = signed_in(person(made, "Lead", first_name="Ana", last_name="Blum"))
        ben = signed_in(person(made, "Lead", username="ben"))

        assert ana.post(url).json() == {"others": []}
        (seen,) = ben.post(url).json()["others"]
        assert (seen["name"], seen["initials"]) == ("Ana Blum", "AB")
        assert re.fullmatch(r"\d\d:\d\d", seen["clock"])
        assert [each["initials"] for each in ana.post(url).json()["others"]] == ["BE"]
        assert ana.post(url, {"leave": "yes"}).status_code == 204
        assert ben.post(url).json() == {"others": []}

    def test_is_for_those_who_may_look(self, made: world.World) -> None:
        stranger, viewer = signed_in(factories.staff(tenants=(made.tenant,))), signed_in(person(made))
        urls = doors(made)

        assert [stranger.post(url).status_code for url in urls.values()] == [403] * 3
        assert viewer.post(urls[PresenceKind.REVIEW]).status_code == 403
        assert viewer.post(urls[PresenceKind.THREAD]).status_code == 200

    def test_is_nowhere_for_another_tenant(self, made: world.World) -> None:
        other = world.build(Tenant.objects.create(name="Other"), word="ordinary")
        lead = signed_in(person(other, "Lead"))

        assert [lead.post(url).status_code for url in doors(made).values()] == [404] * 3
        assert not Presence._base_manager.exists()

    def test_cannot_be_read(self, made: world.World) -> None:
        lead = signed_in(person(made, "Lead"))

        assert [lead.get(url).status_code for url in doors(made).values()] == [404] * 3

    def test_needs_the_pages_own_token(self, made: world.World) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(person(made))

        assert client.post(doors(made)[PresenceKind.THREAD]).status_code == 403

    def test_says_when_to_come_back_after_too_many(self, made: world.World) -> None:
        client, url = signed_in(person(made)), doors(made)[PresenceKind.THREAD]
        answers = [client.post(url) for _ in range(presence.MOST_A_MINUTE + 2)]

        refused = [each for each in answers if each.status_code == 429]
        # A minute of the clock may have ended in between.
        assert all(1 <= int(each["Retry-After"]) <= 60 for each in refused)
        assert len({each.status_code for each in answers} - {200, 429}) == 0

    def test_shows_hostile_names_as_they_are(self, made: world.World) -> None:
        url = doors(made)[PresenceKind.THREAD]
        signed_in(person(made, first_name="<img src=x>", last_name="\u202egnp")).post(url)

        answer = signed_in(person(made)).post(url)

        assert answer["Content-Type"] == "application/json"
        assert answer.json()["others"][0]["name"] == "<img src=x> [U+202E]gnp"
        assert answer.json()["others"][0]["initials"].isalnum()

    def test_is_a_handful_of_queries(self, made: world.World) -> None:
        client, url = signed_in(person(made)), doors(made)[PresenceKind.THREAD]
        client.post(url)

        with CaptureQueriesContext(connection) as seen:
            client.post(url)

        sql = [query["sql"].split()[0] for query in seen.captured_queries]
        assert len([word for word in sql if word not in {"SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"}]) <= 8


class TestPages:
    def pages(self, made: world.World) -> list[str]:
        return [
            f"/admin/ai/chatthread/{made.rows[ChatThread].pk}/change/",
            "/admin/ai/feedback/inbox/",
            doors(made)[PresenceKind.REVIEW].removesuffix("here/"),
        ]

    def test_say_where_their_door_is_and_write_nothing(self, made: world.World) -> None:
        client = signed_in(person(made, "Lead"))

        html = [client.get(url).content.decode() for url in self.pages(made)]

        for page, door in zip(html, doors(made).values(), strict=True):
            assert f'data-here="{door}"' in page
        assert not Presence._base_manager.exists()

    @override_settings(AI_PRESENCE="off")
    def test_say_nothing_where_it_is_off(self, made: world.World) -> None:
        client = signed_in(person(made, "Lead"))

        assert not any("data-here" in client.get(url).content.decode() for url in self.pages(made))
        assert client.post(doors(made)[PresenceKind.THREAD]).status_code == 404

    def test_of_blind_reviews_tell_nobody(self, made: world.World) -> None:
        client = signed_in(person(made, "Reviewer"))
        url = f"/admin/ai/reviewqueue/{made.rows[ReviewQueue].pk}/next/"

        page = client.post(url, follow=True)

        assert page.status_code == 200
        assert 'id="r-form"' in page.content.decode()
        assert "data-here" not in page.content.decode()
