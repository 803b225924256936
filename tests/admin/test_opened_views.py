"""Lists that are opened with a view: what they and their exports show, what it costs, and which lists have views."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai import tenancy
from ai.models import ChatThread, Feedback, Notification, Run, Tenant, ViewDefault
from ai.services import saved_views
from tests import factories
from tests.admin import world
from tests.admin.viewing import DOOR, INBOX, LIST, do, headings, person, query_of, save, signed_in, view_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(db: None) -> Iterator[world.World]:
    found = world.build(Tenant.objects.create(name="Some"), count=3)
    with tenancy.scope(found.tenant.pk):
        yield found


class TestDefault:
    def test_opens_the_bare_list_with_a_way_out(self, made: world.World) -> None:
        client = signed_in(person(made))
        save(client)
        do(client, "default", view_of())

        response = client.get(LIST, follow=True)

        assert headings(response) == ["title", "activity"]
        assert f'href="{LIST}?view=all"' in response.content.decode()
        assert len(headings(client.get(LIST, {"view": "all"}))) > 5
        assert len(headings(client.get(LIST, {"tag": "late"}))) > 5
        do(client, "no_default", view_of())
        assert client.get(LIST).status_code == 200
        assert not ViewDefault.objects.exists()

    def test_is_of_one_person(self, made: world.World) -> None:
        client, other = signed_in(person(made, role="Operator")), signed_in(person(made))
        save(client, shared="yes")

        do(client, "default", view_of())

        assert (client.get(LIST).status_code, other.get(LIST).status_code) == (302, 200)

    def test_leaves_other_lists_alone(self, made: world.World) -> None:
        client = signed_in(person(made))
        save(client)
        do(client, "default", view_of())

        assert client.get("/admin/ai/run/").status_code == 200


class TestExports:
    def test_and_whole_list_actions_take_what_the_view_shows(self, made: world.World) -> None:
        with tenancy.scope(made.tenant.pk):
            late = factories.thread(made.tenant, *factories.talk(1), name="Late", user_id="cora")
        client = signed_in(person(made, role="Operator"))
        save(client, state="user=cora&columns=title")

        page = client.get(LIST, {"view": str(view_of().pk)}, follow=True)

        buttons = {button.label: button.url for button in page.context["cl"].buttons}
        assert "Export these 1…" in buttons
        assert [query_of(url) for label, url in buttons.items() if label.startswith("Export")] == [{"user": ["cora"]}]
        for label, url in buttons.items():
            assert "columns" not in url, label
            assert str(view_of().pk) not in url, label
        file: Any = client.post(buttons["Export these 1…"], {"format": "csv"})
        text = b"".join(file.streaming_content).decode()
        assert str(late.pk) in text
        assert world.SECRET not in text
        assert ChatThread.objects.count() == 4


class TestCost:
    @pytest.mark.parametrize("how", ["bare", "view", "default"])
    def test_is_one_query_whatever_there_is(self, made: world.World, how: str) -> None:
        user = person(made)
        client = signed_in(user)
        save(client)
        address = client.get(LIST, {"view": str(view_of().pk)})["Location"] if how != "bare" else f"{LIST}?view=all"
        one = self.queries(client, address)
        with tenancy.scope(made.tenant.pk):
            for number in range(40):
                saved_views.make(of="ai.chatthread", name=f"More {number}", query={}, by=user, at=timezone.now())
            if how == "default":
                saved_views.open_with(view_id=view_of().pk, by=user)

        many = self.queries(client, address)

        assert len(many) == len(one) <= 8
        assert sum("ai_saved_view" in sql for sql in many) == 1

    def queries(self, client: Client, url: str) -> list[str]:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(url).status_code == 200
        return [query["sql"] for query in seen.captured_queries]

    def test_reading_changes_nothing(self, made: world.World) -> None:
        client = signed_in(person(made))
        save(client)
        do(client, "default", view_of())
        before = world.fingerprint()

        for url in (LIST, f"{LIST}?view={view_of().pk}", f"{LIST}?view=all", DOOR, INBOX):
            client.get(url, follow=True)

        assert world.fingerprint() == before


class TestInbox:
    def test_has_views_of_its_own(self, made: world.World) -> None:
        client = signed_in(person(made, role="Reviewer"))
        Feedback.objects.update(severity=1)
        state = "state=all&severity=1&rating=sideways&item=x"
        client.post(f"{INBOX}views/", {"do": "save", "name": "Critical", "state": state})
        view = view_of("Critical")

        response = client.get(INBOX, {"view": str(view.pk)}, follow=True)

        assert view.of == "ai.feedback.inbox"
        assert view.query == {"state": "all", "severity": "1"}
        assert len(response.context["cards"]) == 3
        assert f"view={view.pk}" in response.context["cards"][0]["href"]
        html = response.content.decode()
        assert "View: <bdi>Critical</bdi>" in html
        assert "(changed)" not in html
        assert "(changed)" in client.get(f"{INBOX}?state=open&view={view.pk}").content.decode()

    def test_opens_with_ones_default_and_keeps_it_while_working(self, made: world.World) -> None:
        client = signed_in(person(made, role="Reviewer"))
        client.post(f"{INBOX}views/", {"do": "save", "name": "Down", "state": "state=todo&rating=down"})
        view = view_of("Down")
        client.post(f"{INBOX}views/", {"do": "default", "view": str(view.pk)})
        opened = client.get(INBOX, follow=True)
        row = opened.context["row"]

        said = {"do": "severity:1", "item": str(row.pk), "here": opened.context["here"]}
        after = client.post(f"{INBOX}act/", said, follow=True)

        assert query_of(opened.redirect_chain[-1][0])["view"] == [str(view.pk)]
        assert query_of(after.redirect_chain[-1][0]) == {
            "state": ["todo"],
            "rating": ["down"],
            "view": [str(view.pk)],
            "item": [str(row.pk)],
        }
        everything = client.get(INBOX, {"view": "all"})
        assert everything.status_code == 200
        assert "view=all" in everything.context["here"]


class TestOtherLists:
    def test_every_list_has_views_and_columns(self, made: world.World) -> None:
        client = signed_in(get_user_model().objects.create_superuser("root", "", "x"))

        # Notifications are a page of one's own, with nothing to filter or to choose.
        for model in set(world.ai_pages()) - {Notification}:
            url = f"/admin/ai/{model._meta.model_name}/"
            response = client.post(
                f"{url}views/", {"do": "save", "name": model.__name__, "state": "columns="}, follow=True
            )
            assert response.status_code == 200, model
            assert f"View: <bdi>{model.__name__}</bdi>" in response.content.decode(), model
            first = headings(response)[-1]
            assert headings(client.get(url, {"columns": first}))[-1] == first, model
            assert client.get(url, {"order": "reversed"}).status_code == 200, model

    def test_no_list_takes_views_of_another(self, made: world.World) -> None:
        client = signed_in(person(made))
        save(client)

        response = client.get("/admin/ai/run/", {"view": str(view_of().pk)}, follow=True)

        assert response.redirect_chain[-1][0] == "/admin/ai/run/?view=all"
        assert Run.objects.exists()
