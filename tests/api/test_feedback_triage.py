"""Triage of feedback over HTTP, what its history tells, and which keys may."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from ai import ids
from ai.models import AuditEntry, ChatThread, Feedback, FeedbackEvent, Message, Notification, Tenant
from ai.services.triage import steps
from tests import factories
from tests.api.calling import Caller
from tests.api.opinions import about, give

pytestmark = pytest.mark.django_db


@pytest.fixture
def thread(tenant: Tenant) -> ChatThread:
    return factories.thread(tenant, *factories.talk(2))


@pytest.fixture
def answer(thread: ChatThread) -> Message:
    """The thread's last answer."""
    found: Message | None = Message.objects.list_thread_messages(thread.pk).filter(role="assistant").last()
    assert found is not None
    return found


@pytest.fixture
def triager(tenant: Tenant) -> Any:
    """Somebody who triages."""
    return factories.staff("change_feedback", "add_feedback", tenants=(tenant,))


def events(caller: Caller, given: dict[str, Any], query: str = "") -> dict[str, Any]:
    data: dict[str, Any] = caller.get(f"/feedback/{given['id']}/history{query}").data
    return data


class TestModify:
    def test_changes_all_at_once_as_the_inbox_does(self, caller: Caller, answer: Message, triager: Any) -> None:
        given = give(caller, answer)
        body = {
            "version": 0,
            "state": "assigned",
            "assignee": triager.username,
            "severity": 2,
            "labels": [" wrong   facts", "tone", "tone"],
            "reason": "Known",
        }

        changed = caller.post(f"/feedback/{given['id']}", body).data

        assert (changed["state"], changed["assignee"], changed["severity"]) == ("assigned", triager.username, 2)
        assert (changed["labels"], changed["reason"], changed["version"]) == (["wrong facts", "tone"], "Known", 1)
        assert changed["due_at"] == changed["given_at"] + 24 * 3600
        (event,) = events(caller, given)["data"]
        assert event["type"] == "change"
        assert event["before"]["state"] == "open"
        assert event["after"]["assignee"] == triager.username
        actions = {"feedback.moved", "feedback.changed"}
        assert set(AuditEntry.objects.filter(action__in=actions).values_list("action", flat=True)) == actions

    def test_of_what_somebody_changed_since_says_who(self, caller: Caller, answer: Message, triager: Any) -> None:
        given = give(caller, answer)
        row = Feedback.objects.get()
        steps.set_severity(feedback_ids=[row.pk], severity=1, by=triager, at=timezone.now())

        found = caller.post(f"/feedback/{given['id']}", {"version": 0, "state": "resolved"})

        assert found.status_code == 409
        error = found.data["error"]
        assert triager.username in error["message"]
        assert (error["param"], error["code"]) == ("version", "changed_meanwhile")
        row.refresh_from_db()
        assert (row.state, row.severity) == ("open", 1)

    def test_of_nothing_changes_nothing(self, caller: Caller, answer: Message) -> None:
        given = give(caller, answer)

        assert caller.post(f"/feedback/{given['id']}", {"version": 0}).data == given
        assert not FeedbackEvent.objects.exists()

    def test_gives_back(self, caller: Caller, answer: Message, triager: Any) -> None:
        given = give(caller, answer)
        caller.post(f"/feedback/{given['id']}", {"assignee": triager.username})

        changed = caller.post(f"/feedback/{given['id']}", {"assignee": ""}).data

        assert (changed["state"], changed["assignee"]) == ("triaged", None)

    def test_resolves_and_says_whose_it_was(self, caller: Caller, answer: Message, triager: Any) -> None:
        given = give(caller, answer)

        changed = caller.post(f"/feedback/{given['id']}", {"state": "resolved", "assignee": triager.username}).data

        assert (changed["state"], changed["assignee"]) == ("resolved", triager.username)

    @pytest.mark.parametrize(
        ("values", "param"),
        [
            ({"state": "lost"}, "state"),
            ({"severity": 5}, "severity"),
            ({"severity": "1"}, "severity"),
            ({"labels": ["x" * 51]}, None),
            ({"labels": [""]}, None),
            ({"labels": [f"l{n}" for n in range(21)]}, "labels"),
            ({"labels": "tone"}, "labels"),
            ({"assignee": "nobody-here"}, "assignee"),
            ({"state": "assigned"}, "assignee"),
            ({"state": "assigned", "assignee": ""}, "assignee"),
            ({"state": "snoozed"}, "snoozed_until"),
            ({"snoozed_until": 4_000_000_000}, "snoozed_until"),
            ({"state": "snoozed", "snoozed_until": 1}, "snoozed_until"),
            ({"state": "snoozed", "snoozed_until": 253_402_300_799}, "snoozed_until"),
            ({"rating": "up"}, "rating"),
            ({"version": -1}, "version"),
        ],
    )
    def test_says_what_is_wrong(
        self, caller: Caller, answer: Message, values: dict[str, Any], param: str | None
    ) -> None:
        given = give(caller, answer)

        found = caller.post(f"/feedback/{given['id']}", values)

        assert found.status_code == 400
        assert found.data["error"]["param"] == param
        assert Feedback.objects.get().version == 0

    def test_tells_who_gets_it_once(self, caller: Caller, answer: Message, triager: Any) -> None:
        given = give(caller, answer)

        for values in ({"assignee": triager.username}, {"assignee": triager.username, "severity": 2}):
            caller.post(f"/feedback/{given['id']}", values)
        caller.post(f"/feedback/{given['id']}", {"assignee": ""})

        told = Notification.objects.get()
        assert (told.user_id, told.kind, told.target_id) == (str(triager.pk), "assigned", str(ids.parse(given["id"])))
        assert told.title.endswith("assigns feedback to you")

    def test_assigns_to_nobody_of_another_tenant(self, caller: Caller, answer: Message) -> None:
        foreigner = factories.staff("change_feedback", tenants=(factories.tenant(),))
        given = give(caller, answer)

        assert caller.post(f"/feedback/{given['id']}", {"assignee": foreigner.username}).status_code == 400


class TestHistory:
    def test_has_changes_and_notes_with_who_made_them(self, caller: Caller, answer: Message) -> None:
        given = give(caller, answer)
        caller.post(f"/feedback/{given['id']}", {"state": "triaged"})
        noted = caller.post(f"/feedback/{given['id']}/notes", {"text": "Ask Lena."})

        page = events(caller, given, "?limit=1")
        rest = events(caller, given, f"?limit=1&after={page['last_id']}")

        assert noted.data["id"] == given["id"]
        (note,), (change,) = page["data"], rest["data"]
        assert (note["type"], note["text"], note["after"]) == ("note", "Ask Lena.", None)
        assert (change["type"], change["after"]["state"]) == ("change", "triaged")
        assert note["by"].startswith("API key")
        assert (page["has_more"], rest["has_more"]) == (True, False)

    @pytest.mark.parametrize("text", ["", " ", "x" * 5001, None, 5])
    def test_takes_no_note_that_is_none(self, caller: Caller, answer: Message, text: Any) -> None:
        given = give(caller, answer)

        assert caller.post(f"/feedback/{given['id']}/notes", {"text": text}).status_code == 400
        assert not FeedbackEvent.objects.exists()


class TestKeys:
    def test_for_feedback_open_nothing_else(self, tenant: Tenant, answer: Message, thread: ChatThread) -> None:
        caller = Caller.of(tenant, scopes=["feedback"])
        given = give(caller, answer)

        assert caller.get(f"/feedback/{given['id']}").status_code == 200
        for path in ("/threads", f"/threads/{ids.public('thread', thread.pk)}/messages", "/files", "/review_queues"):
            assert caller.get(path).status_code == 403, path

    @pytest.mark.parametrize("scopes", [["read"], ["read", "write", "admin"]])
    def test_for_conversations_read_feedback_and_no_more(
        self, caller: Caller, tenant: Tenant, answer: Message, scopes: list[str]
    ) -> None:
        given, reader = give(caller, answer), Caller.of(tenant, scopes=scopes)
        path = f"/feedback/{given['id']}"

        assert reader.get("/feedback").data["data"] == [given]
        assert reader.post("/feedback", about(answer)).status_code == 403
        assert reader.post(path, {"state": "resolved"}).status_code == 403
        assert reader.post(f"{path}/notes", {"text": "x"}).status_code == 403
        assert reader.get(f"{path}/history").status_code == 403
        assert Feedback.objects.get().state == "open"

    def test_for_reviews_see_no_feedback(self, tenant: Tenant) -> None:
        assert Caller.of(tenant, scopes=["reviews"]).get("/feedback").status_code == 403

    def test_have_their_limit(self, tenant: Tenant, answer: Message) -> None:
        caller = Caller.of(tenant, scopes=["feedback"], requests_per_minute=1)

        answers = [caller.post("/feedback", about(answer)).status_code for _ in range(3)]

        assert answers.count(429) >= 1
        assert set(answers) == {200, 429}
