"""Replays that fixed feedback, and labels that a model suggests, where people meet them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai import tenancy
from ai.models import Feedback, Message, Run, Tenant
from tests import factories
from tests.admin.conversations import ask_and_replay
from tests.admin.test_rendering import ACTIVE, Seen

pytestmark = pytest.mark.django_db

INBOX, ACT = "/admin/ai/feedback/inbox/", "/admin/ai/feedback/inbox/act/"
READS = ("view_feedback", "view_message", "view_chatthread", "view_run")
HOSTILE = "<script>alert(1)</script>\u202e"


def given(tenant: Tenant, thread_id: Any, *, user: str = "cora", comment: str = "It is wrong") -> Feedback:
    with tenancy.scope(tenant.pk):
        answer = Message.objects.list_thread_messages(thread_id).last()
        return Feedback.objects.give(message=answer, feedback={"rating": "down", "comment": comment}, user_id=user)


def replayed(tenant: Tenant) -> tuple[Feedback, Run]:
    """Feedback on an answer, and a replay of it."""
    thread, _, replays = ask_and_replay(tenant, "It is in Paris.")
    return given(tenant, thread.pk), replays[0]


def signed_in(tenant: Tenant, *more: str) -> Client:
    client = Client()
    client.force_login(factories.staff(*READS, *more, tenants=(tenant,)))
    return client


def do(client: Client, word: str, row: Feedback, **values: Any) -> Any:
    said = {"do": word, "item": str(row.pk), "here": "state=all", **values}
    return client.post(ACT, said, follow=True)


def now_of(row: Feedback) -> Feedback:
    with tenancy.everything(reason="test"):
        found: Feedback = Feedback.objects.get(pk=row.pk)
        return found


def compare(run: Run, door: str = "") -> str:
    return f"/admin/ai/run/{run.pk}/compare/{door}"


class TestFixedBy:
    def test_is_said_of_a_replay_and_taken_off_in_the_pane(self, tenant: Tenant) -> None:
        row, replay = replayed(tenant)
        client = signed_in(tenant, "change_feedback")

        before = client.get(INBOX).content.decode()
        linked = do(client, f"fixed:{replay.pk}", row).content.decode()
        key = now_of(row).fixed_by
        off = do(client, "unfixed", row).content.decode()

        assert f'value="fixed:{replay.pk}"' in before
        assert key == replay.pk
        assert "Fixed by a replay on <bdi>model-0</bdi>" in linked
        assert compare(replay) in linked
        assert "Not fixed by this" in linked
        assert now_of(row).fixed_by is None
        assert "Fixed by a replay" not in off

    def test_is_shown_on_the_page_of_the_feedback(self, tenant: Tenant) -> None:
        row, replay = replayed(tenant)
        do(signed_in(tenant, "change_feedback"), f"fixed:{replay.pk}", row)

        html = signed_in(tenant).get(f"/admin/ai/feedback/{row.pk}/change/").content.decode()

        assert "Fixed by a replay on <bdi>model-0</bdi>" in html

    def test_says_when_the_replay_has_been_deleted(self, tenant: Tenant) -> None:
        row, replay = replayed(tenant)
        client = signed_in(tenant, "change_feedback")
        do(client, f"fixed:{replay.pk}", row)
        with tenancy.scope(tenant.pk):
            Run.objects.filter(pk=replay.pk).delete()

        html = client.get(INBOX, {"item": str(row.pk)}).content.decode()
        page = client.get(f"/admin/ai/feedback/{row.pk}/change/").content.decode()

        assert "Fixed by a replay that has been deleted since" in html
        assert "Fixed by a replay that has been deleted since" in page
        assert compare(replay) not in html

    def test_has_no_buttons_for_those_who_only_read(self, tenant: Tenant) -> None:
        row, replay = replayed(tenant)
        client = signed_in(tenant)

        html = client.get(INBOX).content.decode()

        assert "Replay on <bdi>model-0</bdi>" in html
        assert "This fixed it" not in html
        assert do(client, f"fixed:{replay.pk}", row).status_code == 403
        assert client.post(compare(replay, "fix/")).status_code == 403
        assert "This fixes" not in client.get(compare(replay)).content.decode()
        assert now_of(row).fixed_by is None

    def test_links_to_no_comparison_for_those_who_may_not_see_runs(self, tenant: Tenant) -> None:
        row, replay = replayed(tenant)
        do(signed_in(tenant, "change_feedback"), f"fixed:{replay.pk}", row)
        reader = Client()
        reader.force_login(factories.staff("view_feedback", "view_message", tenants=(tenant,)))

        html = reader.get(INBOX, {"item": str(row.pk)}).content.decode()

        assert "Fixed by a replay on" in html
        assert compare(replay) not in html

    def test_is_no_replay_of_another_tenant(self, tenant: Tenant) -> None:
        row, _ = replayed(tenant)
        _, theirs = replayed(factories.tenant("Elsewhere"))

        html = do(signed_in(tenant, "change_feedback"), f"fixed:{theirs.pk}", row).content.decode()

        assert "no replay of the answer" in html
        assert now_of(row).fixed_by is None

    def test_refuses_what_is_no_id(self, tenant: Tenant) -> None:
        row, _ = replayed(tenant)

        assert do(signed_in(tenant, "change_feedback"), "fixed:nonsense", row).status_code == 404

    def test_a_model_may_be_called_anything(self, tenant: Tenant) -> None:
        row, replay = replayed(tenant)
        client = signed_in(tenant, "change_feedback")
        do(client, f"fixed:{replay.pk}", row)
        with tenancy.scope(tenant.pk):
            Run.objects.filter(pk=replay.pk).update(model=HOSTILE)

        html = client.get(INBOX, {"item": str(row.pk)}).content.decode()

        assert "<script>alert" not in html
        assert "\u202e" not in html


class TestComparison:
    def test_resolves_the_feedback_in_one_step_which_the_inbox_takes_back(self, tenant: Tenant) -> None:
        row, replay = replayed(tenant)
        second = given(tenant, row.thread_id, user="dan")
        client = signed_in(tenant, "change_feedback")

        before = client.get(compare(replay)).content.decode()
        after = client.post(compare(replay, "fix/"), follow=True).content.decode()
        states = [(now_of(each).state, now_of(each).fixed_by) for each in (row, second)]
        do(client, "undo", row)

        assert "This fixes 2 feedback" in before
        assert "What was said of the original" in before
        assert states == [("resolved", replay.pk)] * 2
        assert "2 feedback are resolved" in after
        assert "Fixed feedback of <bdi>cora</bdi>" in after
        assert "This fixes" not in after
        assert [(now_of(each).state, now_of(each).fixed_by) for each in (row, second)] == [("open", None)] * 2

    def test_getting_the_door_changes_nothing(self, tenant: Tenant) -> None:
        row, replay = replayed(tenant)

        assert signed_in(tenant, "change_feedback").get(compare(replay, "fix/")).status_code == 404
        assert now_of(row).state == "open"

    def test_offers_nothing_where_nothing_is_open_or_not_to_be_read(self, tenant: Tenant) -> None:
        row, replay = replayed(tenant)
        blind = Client()
        blind.force_login(factories.staff("view_run", "view_chatthread", tenants=(tenant,)))

        unseen = blind.get(compare(replay)).content.decode()
        Feedback._base_manager.filter(pk=row.pk).update(state="resolved")
        done = signed_in(tenant, "change_feedback").get(compare(replay)).content.decode()

        assert "What was said" not in unseen
        assert "It is wrong" not in unseen
        assert "This fixes" not in done

    def test_does_not_reach_another_tenant(self, tenant: Tenant) -> None:
        row, replay = replayed(factories.tenant("Elsewhere"))

        assert signed_in(tenant, "change_feedback").post(compare(replay, "fix/")).status_code == 404
        assert now_of(row).state == "open"

    def test_shows_what_strangers_wrote_as_text(self, tenant: Tenant) -> None:
        thread, _, replays = ask_and_replay(tenant, "x")
        given(tenant, thread.pk, user=HOSTILE, comment=HOSTILE)

        html = signed_in(tenant, "change_feedback").get(compare(replays[0])).content.decode()
        main = html[html.index("What was said") : html.index("c-live")]

        assert not ACTIVE & set(Seen(main).tags)
        assert "\u202e" not in main

    def test_costs_the_same_for_one_as_for_many(self, tenant: Tenant) -> None:
        row, replay = replayed(tenant)
        client = signed_in(tenant, "change_feedback")

        def cost() -> int:
            with CaptureQueriesContext(connection) as seen:
                assert client.get(compare(replay)).status_code == 200
            return len(seen)

        cost()
        one = cost()
        for number in range(12):
            given(tenant, row.thread_id, user=f"user-{number}")

        assert cost() == one


class TestSuggestions:
    @pytest.fixture(autouse=True)
    def model(self, settings: Any) -> None:
        settings.AI_FEEDBACK_MODEL = "scripted"
        factories.language_model(alias="scripted")

    def said(self, row: Feedback, **values: Any) -> None:
        Feedback._base_manager.filter(pk=row.pk).update(**{"suggest_at": None, **values})

    def test_say_who_makes_them_and_become_labels_by_a_button(self, tenant: Tenant) -> None:
        row, _ = replayed(tenant)
        self.said(row, suggestions={"labels": ["tone"], "model": "scripted"})
        client = signed_in(tenant, "change_feedback")

        html = client.get(INBOX).content.decode()
        do(client, "label:tone", row)

        assert 'value="label:tone" class="c-button c-button-small i-suggested" data-key="suggested"' in html
        assert "by <bdi>scripted</bdi>" in html
        assert "by <bdi>rule</bdi>" in html
        assert now_of(row).labels == ["tone"]

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"suggest_at": timezone.now()}, "is asked for labels"),
            ({"suggestions": {"labels": [], "model": "scripted"}}, "suggests no label"),
            ({"suggestions": {"error": HOSTILE, "model": "scripted"}}, "could not suggest labels"),
            ({"suggestions": {"error": "Busy", "model": "m"}, "suggest_at": timezone.now()}, "is asked again: Busy"),
        ],
    )
    def test_say_where_they_are(self, tenant: Tenant, values: dict[str, Any], words: str) -> None:
        row, _ = replayed(tenant)
        self.said(row, **values)

        html = signed_in(tenant).get(INBOX, {"item": str(row.pk)}).content.decode()
        triager = signed_in(tenant, "change_feedback").get(INBOX, {"item": str(row.pk)}).content.decode()

        assert words not in html  # with the buttons only
        assert words in triager
        assert "<script>alert" not in triager

    def test_are_asked_for_by_a_button_for_one_and_for_those_chosen(
        self, tenant: Tenant, sent_tasks: list[Any]
    ) -> None:
        row, _ = replayed(tenant)
        others = [given(tenant, row.thread_id, user=f"user-{number}") for number in range(2)]
        for each in (row, *others):
            self.said(each)
        client = signed_in(tenant, "change_feedback", "suggest_feedback")

        page = client.get(INBOX).content.decode()
        one = do(client, "suggest", row).content.decode()
        waiting = Feedback._base_manager.filter(suggest_at__isnull=False).count()
        do(client, "suggest", row, pick=[str(each.pk) for each in others])

        assert "Suggest labels" in page
        assert "The model is asked for labels of this feedback" in one
        assert waiting == 1
        assert Feedback._base_manager.filter(suggest_at__isnull=False).count() == 3

    def test_are_asked_for_by_nobody_without_the_permission_or_a_model(self, tenant: Tenant, settings: Any) -> None:
        row, _ = replayed(tenant)
        self.said(row)
        without, allowed = (
            signed_in(tenant, "change_feedback"),
            signed_in(tenant, "change_feedback", "suggest_feedback"),
        )

        page, refused = without.get(INBOX).content.decode(), do(without, "suggest", row)
        settings.AI_FEEDBACK_MODEL = ""
        plain, off = allowed.get(INBOX).content.decode(), do(allowed, "suggest", row).content.decode()

        assert "Suggest labels" not in page + plain
        assert refused.status_code == 403
        assert "No model suggests labels here" in off
        assert now_of(row).suggest_at is None

    def test_reach_nothing_of_another_tenant(self, tenant: Tenant) -> None:
        theirs, _ = replayed(factories.tenant("Elsewhere"))
        self.said(theirs)

        answer = do(signed_in(tenant, "change_feedback", "suggest_feedback"), "suggest", theirs)

        assert answer.status_code == 404
        assert now_of(theirs).suggest_at is None
