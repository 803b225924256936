"""Views at the head of a list: saving, choosing, sharing, changing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from ai import tenancy
from ai.models import SavedView, Tenant
from ai.services import saved_views
from tests import factories
from tests.admin import world
from tests.admin.viewing import DOOR, LIST, do, headings, person, query_of, save, signed_in, view_of

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>\u202egnp"


@pytest.fixture
def made(db: None) -> Iterator[world.World]:
    found = world.build(Tenant.objects.create(name="Some"), count=3)
    with tenancy.scope(found.tenant.pk):
        yield found


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

    @pytest.mark.parametrize("name", ["x", "", "01a2187e-0000-7000-8000-000000000000", "%00"])
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

    def test_says_so_where_the_address_of_the_shown_list_was_sent(self, made: world.World) -> None:
        ana = signed_in(person(made))
        save(ana)
        where = ana.get(LIST, {"view": str(view_of().pk)})["Location"]

        colleague = signed_in(person(made)).get(where)

        assert headings(colleague) == ["title", "activity"]
        assert "is not shared with you, or it was deleted; its filters are shown" in colleague.content.decode()
        assert "Slim" not in colleague.content.decode()
        assert "is not shared" not in ana.get(where).content.decode()

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
