"""Views at the head of a list: saving, choosing, opening with one, and what exports and others see of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai import tenancy
from ai.models import ChatThread, Feedback, Run, SavedView, Tenant, ViewDefault
from ai.services import saved_views
from tests import factories
from tests.admin import world

pytestmark = pytest.mark.django_db

LIST, DOOR = "/admin/ai/chatthread/", "/admin/ai/chatthread/views/"
INBOX = "/admin/ai/feedback/inbox/"
HOSTILE = "<script>alert(1)</script>\u202egnp"


@pytest.fixture
def made(db: None) -> Iterator[world.World]:
    found = world.build(Tenant.objects.create(name="Some"), count=3)
    with tenancy.scope(found.tenant.pk):
        yield found


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def person(made: world.World, *more: str, role: str = "Viewer") -> Any:
    user = factories.staff(*more, tenants=(made.tenant,))
    user.groups.add(Group.objects.get(name=role))
    return user


def save(client: Client, name: str = "Slim", state: str = "q=zanzibar&columns=title,activity", **values: str) -> Any:
    return client.post(DOOR, {"do": "save", "name": name, "state": state, **values})


def view_of(name: str = "Slim") -> SavedView:
    return SavedView._base_manager.get(name=name)


def do(client: Client, word: str, view: SavedView, **values: str) -> Any:
    return client.post(DOOR, {"do": word, "view": str(view.pk), **values}, follow=True)


def headings(response: Any) -> list[str]:
    return [name for name in response.context["cl"].list_display if name != "action_checkbox"]


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


class TestChoosing:
    def test_leads_to_the_filters_columns_and_order_that_were_saved(self, made: world.World) -> None:
        client = signed_in(person(made))
        save(client, state="q=zanzibar&user=&feedback=down&order=reversed&columns=activity,title&p=2&view=x")

        response = client.get(LIST, {"view": str(view_of().pk)})

        assert response.status_code == 302
        assert query_of(response["Location"]) == {
            "q": ["zanzibar"],
            "feedback": ["down"],
            "order": ["reversed"],
            "columns": ["activity,title"],
            "view": [str(view_of().pk)],
        }
        shown = client.get(response["Location"])
        assert headings(shown) == ["activity", "title"]
        assert [row.feedback for row in shown.context["cl"].result_list] == ["down"] * 3
        assert "View: <bdi>Slim</bdi>" in shown.content.decode()

    def test_says_when_something_else_is_shown(self, made: world.World) -> None:
        client = signed_in(person(made))
        save(client)
        where = client.get(LIST, {"view": str(view_of().pk)})["Location"]

        assert "(changed)" not in client.get(where).content.decode()
        assert "(changed)" in client.get(f"{where}&tag=late").content.decode()
        assert "(changed)" in client.get(where.replace("title%2Cactivity", "title")).content.decode()

    def test_turns_the_order_round(self, made: world.World) -> None:
        client = signed_in(person(made))
        latest = [row.pk for row in client.get(LIST).context["cl"].result_list]

        earliest = [row.pk for row in client.get(LIST, {"order": "reversed"}).context["cl"].result_list]

        assert earliest == latest[::-1]
        assert client.get(LIST, {"order": "zzz"}).status_code == 200

    def test_passes_over_columns_that_there_are_not(self, made: world.World) -> None:
        client = signed_in(person(made))

        assert headings(client.get(LIST, {"columns": "thumbs,delete,__class__,pk"})) == ["title", "thumbs"]
        assert "title" in headings(client.get(LIST, {"columns": "nothing"}))
        assert len(headings(client.get(LIST, {"columns": ""}))) > 5

    def test_brings_several_columns_of_a_form_into_one_parameter(self, made: world.World) -> None:
        response = signed_in(person(made)).get(f"{LIST}?columns=title&columns=thumbs&order=&tag=late")

        assert query_of(response["Location"]) == {"columns": ["title,thumbs"], "tag": ["late"]}

    def test_of_a_view_with_filters_that_are_no_more_says_so(self, made: world.World) -> None:
        user = person(made)
        query = {"feedback": "sideways", "instructions__contains": "x", "last_activity_at_from": "someday", "tag": "a"}
        with tenancy.scope(made.tenant.pk):
            view = saved_views.make(of="ai.chatthread", name="Old", query=query, by=user, at=timezone.now())

        response = signed_in(user).get(LIST, {"view": str(view.pk)}, follow=True)

        html = response.content.decode()
        assert response.status_code == 200
        assert "without filters that this list does not know" in html
        for name in ("feedback", "instructions__contains", "last_activity_at_from"):
            assert f"“{name}”" in html
        assert query_of(response.redirect_chain[-1][0])["tag"] == ["a"]
        assert "e=1" not in response.redirect_chain[-1][0]

    def test_of_a_view_that_django_refuses_shows_the_whole_list(self, made: world.World) -> None:
        user = person(made)
        view = saved_views.make(
            of="ai.syncconflict", name="Old", query={"thread_id": "no id"}, by=user, at=timezone.now()
        )

        response = signed_in(user).get("/admin/ai/syncconflict/", {"view": str(view.pk)}, follow=True)

        assert response.redirect_chain[-1][0].endswith("?view=all")
        assert "cannot be read any longer" in response.content.decode()

    @pytest.mark.parametrize("name", ["x", "", str(uuid4()), "%00"])
    def test_of_an_unknown_one_shows_the_whole_list_and_says_so(self, made: world.World, name: str) -> None:
        response = signed_in(person(made)).get(LIST, {"view": name} if name else {"view": "y"}, follow=True)

        assert response.redirect_chain == [(f"{LIST}?view=all", 302)]
        assert "not shared with you" in response.content.decode()


class TestSharing:
    def test_is_offered_to_operators_and_refused_to_others(self, made: world.World) -> None:
        viewer, operator = signed_in(person(made)), signed_in(person(made, role="Operator"))

        assert "Share with the tenant's people" not in viewer.get(LIST).content.decode()
        assert "Share with the tenant's people" in operator.get(LIST).content.decode()
        assert save(viewer, shared="yes").status_code == 403
        assert save(operator, shared="yes").status_code == 302

    def test_works_for_colleagues_by_address_and_for_nobody_else(self, made: world.World) -> None:
        other = world.build(Tenant.objects.create(name="Other"), word="ordinary")
        save(signed_in(person(made, role="Operator")), shared="yes")
        address = {"view": str(view_of().pk)}

        colleague = signed_in(person(made)).get(LIST, address, follow=True)
        stranger = signed_in(person(other)).get(LIST, address, follow=True)
        root = signed_in(get_user_model().objects.create_superuser("root", "", "x")).get(LIST, address, follow=True)

        assert headings(colleague) == headings(root) == ["title", "activity"]
        assert "not shared with you" in stranger.content.decode()
        assert "Slim" not in stranger.content.decode()

    def test_keeps_a_private_view_from_everybody(self, made: world.World) -> None:
        save(signed_in(person(made)))
        root = get_user_model().objects.create_superuser("root", "", "x")

        for user in (person(made, role="Lead"), root):
            client = signed_in(user)
            assert "Slim" not in client.get(LIST).content.decode()
            for word in ("rename", "update", "share", "unshare", "delete", "default"):
                assert do(client, word, view_of(), name="Mine", confirmed="yes").status_code == 404
        assert view_of().owner_name != "root"

    def test_shows_nothing_of_a_tenant_that_a_filter_names(self, made: world.World) -> None:
        other = world.build(Tenant.objects.create(name="Other"), word="ordinary")
        root = signed_in(get_user_model().objects.create_superuser("root", "", "x"))
        save(root, state=f"tenant={other.tenant.pk}", shared="yes", tenant=str(made.tenant.pk))

        response = signed_in(person(made)).get(LIST, {"view": str(view_of().pk)}, follow=True)

        assert list(response.context["cl"].result_list) == []
        assert "ordinary" not in response.content.decode()
        assert root.get(LIST, {"view": str(view_of().pk)}, follow=True).context["cl"].result_list


class TestChanging:
    def test_renames_updates_and_deletes_ones_own(self, made: world.World) -> None:
        client = signed_in(person(made))
        save(client)

        do(client, "rename", view_of(), name="Narrow")
        do(client, "update", view_of("Narrow"), state="tag=late&columns=title")

        now = view_of("Narrow")
        assert (now.query, now.columns) == ({"tag": "late"}, ["title"])
        asked = do(client, "delete", now)
        assert "Delete the view “Narrow”?" in asked.content.decode()
        assert SavedView._base_manager.exists()
        do(client, "delete", now, confirmed="yes")
        assert not SavedView._base_manager.exists()

    def test_of_others_views_is_refused_but_leads_may_delete(self, made: world.World) -> None:
        save(signed_in(person(made, role="Operator")), shared="yes")
        operator, lead = signed_in(person(made, role="Operator")), signed_in(person(made, role="Lead"))

        for word in ("rename", "update", "unshare", "delete"):
            assert do(operator, word, view_of(), name="Mine", confirmed="yes").status_code == 403
        for word in ("rename", "update", "unshare"):
            assert do(lead, word, view_of(), name="Mine").status_code == 403
        page = operator.get(LIST, {"view": str(view_of().pk)}, follow=True).content.decode()
        assert 'value="delete"' not in page
        do(lead, "delete", view_of(), confirmed="yes")
        assert not SavedView._base_manager.exists()

    def test_tells_what_is_wrong_and_stays_at_what_was_shown(self, made: world.World) -> None:
        client = signed_in(person(made))
        save(client)

        response = client.post(DOOR, {"do": "save", "name": "Slim", "state": "tag=late&columns=title"}, follow=True)

        assert "You have a view with this name already" in response.content.decode()
        assert query_of(response.redirect_chain[-1][0])["tag"] == ["late"]
        assert headings(response) == ["title"]

    def test_is_not_for_those_who_do_not_see_the_list(self, made: world.World) -> None:
        client = signed_in(factories.staff("view_run", tenants=(made.tenant,)))

        assert save(client).status_code == 403
        assert not SavedView._base_manager.exists()

    @pytest.mark.parametrize(
        "posted", [{}, {"do": "explode"}, {"do": "save", "name": ""}, {"do": "default", "view": "x"}]
    )
    def test_of_nonsense_changes_nothing(self, made: world.World, posted: dict[str, str]) -> None:
        before = world.fingerprint()

        assert signed_in(person(made)).post(DOOR, posted).status_code in {302, 404}

        after = world.fingerprint()
        for table in ("ai_saved_view", "ai_view_default"):
            assert after[table] == before[table]

    def test_shows_names_as_text(self, made: world.World) -> None:
        client = signed_in(person(made))
        save(client, name=HOSTILE)

        html = client.get(LIST, {"view": str(view_of(HOSTILE).pk)}, follow=True).content.decode()

        assert "<script>alert(1)" not in html
        assert "View: <bdi>&lt;script&gt;alert(1)&lt;/script&gt;[U+202E]gnp</bdi>" in html


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
        file = client.post(buttons["Export these 1…"], {"format": "csv"})
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

        for model in world.ai_pages():
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
