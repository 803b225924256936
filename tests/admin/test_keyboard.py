"""The page of keys, and the pages on which they are in force."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from django.contrib.auth.models import Group
from django.test import Client, override_settings

from ai.models import ChatThread, PersonKeys, ReviewQueue, Tenant
from ai.services import keys
from tests import factories
from tests.admin import world

pytestmark = pytest.mark.django_db

PAGE = "/admin/ai/chatthread/keyboard/"


@pytest.fixture
def made(db: None) -> world.World:
    return world.build(Tenant.objects.create(name="Some"))


def member(made: world.World, role: str) -> Client:
    user = factories.staff(tenants=(made.tenant,))
    user.set_password("x")
    user.save()
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def in_force(html: str) -> dict[str, str]:
    """What the page says to its script."""
    found = re.search(r'data-keys="([^"]*)"', html)
    assert found is not None
    return dict(json.loads(unescape(found[1])))


class TestPage:
    def test_lists_what_the_pages_one_may_open_can_do(self, made: world.World) -> None:
        viewer, lead = (member(made, role).get(PAGE).content.decode() for role in ("Viewer", "Lead"))

        assert [f'id="{name}"' in viewer for name in keys.PAGES] == [True, False, True, True, False]
        assert all(f'id="{name}"' in lead for name in keys.PAGES)
        assert all(action.name in lead for page in keys.PAGES.values() for action in page.actions)

    def test_is_nothing_for_those_who_may_open_none(self, made: world.World) -> None:
        client = Client()
        client.force_login(factories.staff("view_job", tenants=(made.tenant,)))

        assert client.get(PAGE).status_code == 403
        assert client.post(PAGE, {"do": "reset"}).status_code == 403
        assert PAGE not in client.get("/admin/").content.decode()

    def test_is_in_the_accounts_menu_beside_the_password(self, made: world.World) -> None:
        html = member(made, "Viewer").get("/admin/").content.decode()

        assert f'href="{PAGE}"' in html
        assert 'href="/admin/password_change/"' in html

    def test_keeps_keys_and_gives_them_back(self, made: world.World) -> None:
        client = member(made, "Reviewer")
        client.post(PAGE, {"do": "save", "inbox.resolve": "d", "inbox.next": "j", "thread.replay": ""})
        kept = PersonKeys.objects.get().keys

        client.post(PAGE, {"do": "reset"})

        assert kept == {"inbox.resolve": "d", "thread.replay": ""}
        assert not PersonKeys.objects.exists()

    def test_keeps_those_of_pages_that_one_may_open_no_longer(self, made: world.World) -> None:
        client = member(made, "Viewer")
        user = client.get("/admin/").wsgi_request.user
        PersonKeys.objects.keep(str(user.pk), {"review.pass": "q"})

        client.post(PAGE, {"do": "save", "inbox.next": "n", "inbox.note": "j"})

        assert PersonKeys.objects.get().keys == {"review.pass": "q", "inbox.next": "n", "inbox.note": "j"}

    def test_says_which_two_have_the_same_and_keeps_what_was_written(self, made: world.World) -> None:
        response = member(made, "Reviewer").post(PAGE, {"do": "save", "inbox.resolve": "a"})

        html = response.content.decode()
        assert response.status_code == 400
        assert "“a” is the key of two things: Assign to me — and — Resolve." in html
        assert re.search(r'name="inbox.resolve" value="a"', html)
        assert not PersonKeys.objects.exists()

    def test_shows_what_was_written_as_text(self, made: world.World) -> None:
        response = member(made, "Reviewer").post(PAGE, {"do": "save", "inbox.resolve": '"><script>'})

        assert response.status_code == 400
        assert "<script>&" not in response.content.decode()
        assert "&quot;&gt;&lt;script&gt;" in response.content.decode()

    @override_settings(AI_FEEDBACK_MACROS=[{"name": "Known <bug>", "key": "b"}])
    def test_shows_keys_that_the_installation_has_set(self, made: world.World) -> None:
        assert "Known &lt;bug&gt;" in member(made, "Reviewer").get(PAGE).content.decode()


class TestInForce:
    def test_on_each_page_for_its_script_its_buttons_and_its_dialog(self, made: world.World) -> None:
        client = member(made, "Lead")
        client.post(PAGE, {"do": "save", "inbox.resolve": "d", "inbox.merge": ""})

        html = client.get("/admin/ai/feedback/inbox/").content.decode()

        assert (in_force(html)["resolve"], in_force(html)["merge"]) == ("d", "")
        assert "Resolve <kbd>d</kbd>" in html
        assert "<dt><kbd>d</kbd></dt><dd>Resolve</dd>" in html
        assert "Merge duplicates</dd>" not in html
        assert in_force(member(made, "Lead").get("/admin/ai/feedback/inbox/").content.decode())["resolve"] == "e"

    def test_on_transcripts_comparisons_and_reviews(self, made: world.World) -> None:
        client = member(made, "Lead")
        changed = {"thread.replay": "p", "compare.diff": "d", "review.submit": "Alt+Enter", "review.answer_1": "q"}
        client.post(PAGE, {"do": "save", **changed})

        thread = client.get(f"/admin/ai/chatthread/{made.rows[ChatThread].pk}/change/").content.decode()
        compare = client.get(f"/admin/ai/run/{made.rows['replay'].pk}/compare/").content.decode()
        queue = made.rows[ReviewQueue].pk
        review = client.post(f"/admin/ai/reviewqueue/{queue}/next/", follow=True).content.decode()

        assert in_force(thread)["replay"] == "p"
        assert in_force(compare)["diff"] == "d"
        assert in_force(review)["submit"] == "Alt+Enter"
        assert "Submit and go on <kbd>Alt ↵</kbd>" in review
        assert '<kbd aria-hidden="true">q</kbd>' in review

    def test_no_list_asks_for_them(self, made: world.World) -> None:
        html = member(made, "Lead").get("/admin/ai/chatthread/").content.decode()

        assert "data-keys" not in html
