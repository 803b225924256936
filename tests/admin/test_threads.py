"""The list of threads and what can be done with a selection."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ai import tenancy
from ai.models import AuditEntry, ChatThread, Job, Message, SearchDocument, Tenant
from tests.admin.conversations import EVERYTHING, HOSTILE, NOW, answered, operator, same_rows, signed_in, somebody
from tests.factories import staff, thread

LIST = "/admin/ai/chatthread/"

pytestmark = pytest.mark.django_db


def titles(html: str) -> list[str]:
    """The titles on the page, in order."""
    return re.findall(r'<bdi class="c-title">(.*?)</bdi>', html)


def found(client: Any, query: str = "") -> list[str]:
    """The titles that the list shows."""
    response = client.get(f"{LIST}?{query}")
    assert response.status_code == 200
    return titles(response.content.decode())


@pytest.fixture
def other(db: None) -> Tenant:
    """A second tenant."""
    return Tenant.objects.create(name="Kestrel")


class TestList:
    def test_shows_the_latest_active_thread_first(self, tenant: Tenant) -> None:
        thread(tenant, name="Old", last_activity_at=NOW)
        thread(tenant, name="New", last_activity_at=NOW + timedelta(hours=1))

        assert found(operator(tenant, "view_chatthread")) == ["New", "Old"]

    def test_shows_user_tags_model_feedback_and_the_remote_side(self, tenant: Tenant) -> None:
        thread(
            tenant,
            user_id="customer-7",
            tags=["billing", "vip", "late"],
            model="gpt-4o",
            feedback="down",
            sync_state="linked",
            external_id="thread_x1",
        )

        html = operator(tenant, "view_chatthread").get(LIST).content.decode()

        for shown in ("customer-7", "?tag=billing", "+1", "gpt-4o", "Thumbs down", "thread_x1"):
            assert shown in html

    def test_costs_the_same_for_one_thread_and_two_hundred(self, tenant: Tenant) -> None:
        second = Tenant.objects.create(name="Second")
        clients = [signed_in(somebody(user, tenant, second)) for user in ("member", "superuser")]
        addresses = [f"{LIST}?{query}" for query in ("", "q=parcel", "q=parcel&feedback=up")]
        answered(tenant, feedback="up")

        def costs() -> list[int]:
            found = []
            for client, address in itertools.product(clients, addresses):
                client.get(address)
                with CaptureQueriesContext(connection) as seen:
                    client.get(address)
                found.append(len(seen))
            return found

        one = costs()
        for number in range(199):
            answered(tenant, name=f"Thread {number}", feedback="up", tags=["a", "b"])

        assert costs() == one
        assert max(one) <= 8

    def test_never_counts_and_never_shows_an_invented_number(self, tenant: Tenant) -> None:
        for number in range(120):
            thread(tenant, name=f"Thread {number}")
        client = operator(tenant, *EVERYTHING)

        with CaptureQueriesContext(connection) as queries:
            pages = [client.get(f"{LIST}?p={page}").content.decode() for page in (1, 2, 3)]

        assert [len(titles(page)) for page in pages] == [50, 50, 20]
        assert not any("COUNT(" in query["sql"].upper() for query in queries)
        assert not any("9999999999" in re.sub(r"[,.\s]", "", page) for page in pages)
        assert not any(
            "Select all" in page.replace("Select all rows", "").replace("Select all objects", "") for page in pages
        )

    def test_says_what_to_do_when_there_is_nothing(self, tenant: Tenant) -> None:
        html = operator(tenant, "view_chatthread").get(LIST).content.decode()

        assert "No conversations yet" in html
        assert "load_demo" in html

    def test_says_what_to_do_when_nothing_matches(self, tenant: Tenant) -> None:
        html = operator(tenant, "view_chatthread").get(f"{LIST}?tag=x").content.decode()

        assert "No thread matches" in html
        assert "Show all threads" in html

    @pytest.mark.parametrize("text", HOSTILE)
    def test_shows_hostile_titles_tags_and_users_as_text(self, tenant: Tenant, text: str) -> None:
        thread(tenant, {"role": "user", "content": text}, name=text, tags=[text], user_id=text[:200], model=text[:200])

        html = operator(tenant, *EVERYTHING).get(f"{LIST}?q=alert").content.decode()

        body = html[html.index('id="content"') :]
        assert not re.search(r"<(script>|img|iframe|svg/|style>)", body)
        assert "\u202e" not in body


class TestFilters:
    @pytest.mark.parametrize(
        "query",
        [
            "tag=billing",
            "user=customer-7",
            "model=gpt-4o",
            "feedback=up",
            "files=yes",
            "sync=linked",
            "last_activity_at_from=2026-05-04&last_activity_at_to=2026-05-04",
            "tag=billing&user=customer-7&feedback=up",
        ],
    )
    def test_find_the_thread_and_no_other(self, tenant: Tenant, query: str) -> None:
        wanted: dict[str, Any] = {
            "tags": ["billing", "vip"],
            "user_id": "customer-7",
            "model": "gpt-4o",
            "feedback": "up",
            "has_files": True,
            "sync_state": "linked",
            "last_activity_at": NOW,
        }
        thread(tenant, name="Wanted", **wanted)
        thread(tenant, name="Other", last_activity_at=NOW + timedelta(days=1))

        assert found(operator(tenant, "view_chatthread"), query) == ["Wanted"]

    def test_find_threads_without_files(self, tenant: Tenant) -> None:
        thread(tenant, name="With", has_files=True)
        thread(tenant, name="Without")

        assert found(operator(tenant, "view_chatthread"), "files=no") == ["Without"]

    @pytest.mark.parametrize("query", ["feedback=sideways", "files=perhaps", "last_activity_at_from=yesterday"])
    def test_pass_over_what_is_no_value(self, tenant: Tenant, query: str) -> None:
        thread(tenant, name="A")

        assert found(operator(tenant, "view_chatthread"), query) == ["A"]

    def test_by_tenant_are_offered_to_those_who_see_several(self, tenant: Tenant, other: Tenant) -> None:
        thread(tenant, name="Ours")
        thread(other, name="Theirs")
        both, one = signed_in(staff("view_chatthread", tenants=(tenant, other))), operator(tenant, "view_chatthread")

        assert found(both, f"tenant={other.pk}") == ["Theirs"]
        assert "Kestrel" in both.get(LIST).content.decode()
        assert "Kestrel" not in one.get(LIST).content.decode()

    def test_by_another_tenant_show_nothing(self, tenant: Tenant, other: Tenant) -> None:
        thread(tenant, name="Ours")
        thread(other, name="Theirs", tags=["secret"])
        client = operator(tenant, "view_chatthread")

        for query in (f"tenant={other.pk}", "tag=secret", "q=Theirs"):
            assert "Theirs" not in found(client, query)

    @pytest.mark.parametrize("query", ["data__contains=x", "name__regex=a", "tenant_id=1", "id__in=1"])
    def test_refuse_lookups_that_no_index_answers(self, tenant: Tenant, query: str) -> None:
        assert operator(tenant, "view_chatthread").get(f"{LIST}?{query}").status_code in (302, 400)


class TestSearch:
    def test_finds_words_in_messages_and_quotes_them(self, tenant: Tenant) -> None:
        made = thread(tenant, {"role": "user", "content": "My <b>teapot</b> arrived broken."}, name="Order 7")
        thread(tenant, {"role": "user", "content": "Hello"}, name="Order 8")
        client = operator(tenant, "view_chatthread")

        html = client.get(f"{LIST}?q=teap").content.decode()

        assert titles(html) == ["Order 7"]
        assert "&lt;b&gt;<mark>teapot</mark>&lt;/b&gt; arrived broken." in html
        with tenancy.scope(tenant.pk):
            message = Message.objects.list_thread_messages(made.pk).get()
        link = re.search(rf'href="(/admin/ai/chatthread/{made.pk}/change/[^"]*)"', html)
        assert link
        assert link[1].endswith(f"#m-{message.pk}")
        assert f"message={message.pk}" in link[1]

    def test_finds_words_in_titles(self, tenant: Tenant) -> None:
        thread(tenant, name="Broken teapot")

        assert found(operator(tenant, "view_chatthread"), "q=teapot+broken") == ["Broken teapot"]

    def test_finds_a_thread_by_its_id(self, tenant: Tenant) -> None:
        made = thread(tenant, name="A")
        thread(tenant, name="B")
        client = operator(tenant, "view_chatthread")

        assert found(client, f"q={made.pk}") == ["A"]
        assert found(client, f"q=thread_{made.pk.hex}") == ["A"]

    @pytest.mark.parametrize("words", ['"', "*", "a AND", "NEAR(", "'; --", "%00x", "(((", "^", "-x", "col:x", "日本"])
    def test_takes_any_words(self, tenant: Tenant, words: str) -> None:
        thread(tenant, name="A")

        assert isinstance(found(operator(tenant, "view_chatthread"), f"q={words}"), list)


class TestActions:
    @pytest.mark.parametrize("action", ["replay_on", "retitle", "delete_threads"])
    def test_lead_to_a_page_that_asks_and_change_nothing(self, tenant: Tenant, action: str) -> None:
        made = [answered(tenant, name=f"Chosen {number}") for number in range(2)]
        client = operator(tenant, *EVERYTHING)
        chosen = {"action": action, "_selected_action": [str(row.pk) for row in made]}

        with same_rows(tenant):
            response = client.post(LIST, chosen, follow=True)

        html = response.content.decode()
        assert response.status_code == 200
        assert "Chosen 0" in html
        assert "Chosen 1" in html

    def test_delete_the_threads_when_confirmed(self, tenant: Tenant) -> None:
        gone, kept = answered(tenant), answered(tenant)
        client = operator(tenant, *EVERYTHING)

        response = client.post(f"{LIST}delete/", {"ids": str(gone.pk)})

        assert response.status_code == 302
        assert list(ChatThread.objects.values_list("pk", flat=True)) == [kept.pk]
        assert not Message.objects.filter(thread_id=str(gone.pk)).exists()
        assert not SearchDocument.objects.filter(thread_id=gone.pk).exists()
        assert AuditEntry.objects.filter(action="thread.deleted", target_id=str(gone.pk)).exists()

    def test_retitle_the_threads_when_confirmed(self, tenant: Tenant) -> None:
        made = answered(tenant)

        response = operator(tenant, *EVERYTHING).post(f"{LIST}retitle/", {"ids": str(made.pk)})

        job = Job.objects.get()
        assert response.headers["Location"] == f"/admin/ai/job/{job.pk}/titles/"
        assert job.total == 1

    @pytest.mark.parametrize(
        ("name", "permission"),
        [("replay", "replay_run"), ("retitle", "retitle_chatthread"), ("delete", "delete_chatthread")],
    )
    def test_need_their_permission(self, tenant: Tenant, name: str, permission: str) -> None:
        made = answered(tenant)
        without = operator(tenant, *(held for held in EVERYTHING if held != permission))

        with same_rows(tenant):
            answers = [
                without.get(f"{LIST}{name}/?ids={made.pk}"),
                without.post(f"{LIST}{name}/", {"ids": str(made.pk), "models": ["local:smollm2"]}),
            ]

        assert [answer.status_code for answer in answers] == [403, 403]

    @pytest.mark.parametrize("name", ["replay", "retitle", "delete"])
    def test_do_not_know_threads_of_another_tenant(self, tenant: Tenant, other: Tenant, name: str) -> None:
        theirs = answered(other)
        client = operator(tenant, *EVERYTHING)

        with same_rows(other):
            answers = [
                client.get(f"{LIST}{name}/?ids={theirs.pk}"),
                client.post(f"{LIST}{name}/", {"ids": str(theirs.pk)}),
            ]

        assert [answer.status_code for answer in answers] == [404, 404]

    def test_of_every_page_at_once_act_on_what_was_ticked(self, tenant: Tenant) -> None:
        ticked, other = answered(tenant, name="Ticked"), answered(tenant, name="Not ticked")
        chosen = {"action": "delete_threads", "select_across": "1", "_selected_action": str(ticked.pk)}

        response = operator(tenant, *EVERYTHING).post(LIST, chosen, follow=True)

        html = response.content.decode()
        assert str(ticked.name) in html
        assert str(other.name) not in html


class TestPermissions:
    @pytest.mark.parametrize("path", ["", "delete/?ids=x", "retitle/?ids=x", "replay/?ids=x"])
    def test_staff_without_permissions_see_nothing(self, tenant: Tenant, path: str) -> None:
        assert operator(tenant).get(f"{LIST}{path}").status_code == 403

    def test_nobody_adds_a_thread_by_hand(self, tenant: Tenant) -> None:
        assert operator(tenant, *EVERYTHING).get(f"{LIST}add/").status_code == 403
