"""Feedback over HTTP: given by applications, triaged by programs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai import ids
from ai.models import AuditEntry, ChatThread, Feedback, FeedbackEvent, FeedbackReceipt, Message, Run, Tenant
from ai.services import actors, feedback, threads
from ai.services.triage import steps
from tests import factories
from tests.api.calling import Caller

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


def about(answer: Message, **values: Any) -> dict[str, Any]:
    return {"message_id": ids.public("message", answer.pk), "user": "cora", "rating": "down", **values}


def give(caller: Caller, answer: Message, **values: Any) -> dict[str, Any]:
    found = caller.post("/feedback", about(answer, **values))
    assert found.status_code == 200, found.data
    data: dict[str, Any] = found.data
    return data


def events(caller: Caller, given: dict[str, Any], query: str = "") -> dict[str, Any]:
    data: dict[str, Any] = caller.get(f"/feedback/{given['id']}/history{query}").data
    return data


class TestCreate:
    def test_keeps_what_a_user_thinks(self, caller: Caller, answer: Message, thread: ChatThread) -> None:
        given = give(caller, answer, score=2, choice="wrong facts", comment="It left Bremen.", metadata={"page": "7"})

        row = Feedback.objects.get()
        assert given == {
            "id": ids.public("feedback", row.pk),
            "object": "feedback",
            "created_at": int(row.created.timestamp()),
            "given_at": int(row.given_at.timestamp()),
            "thread_id": ids.public("thread", thread.pk),
            "message_id": ids.public("message", answer.pk),
            "user": "cora",
            "rating": "down",
            "score": 2.0,
            "choice": "wrong facts",
            "comment": "It left Bremen.",
            "state": "open",
            "severity": 0,
            "labels": [],
            "assignee": None,
            "reason": None,
            "due_at": None,
            "snoozed_until": None,
            "duplicate_of": None,
            "version": 0,
            "external_id": None,
            "metadata": {"page": "7"},
            "earlier": [],
        }
        entry = AuditEntry.objects.get(action="feedback.given")
        assert entry.actor_id.startswith("key:")
        assert entry.data["user"] == "cora"

    @pytest.mark.parametrize("opinion", [{"score": 5}, {"choice": "helpful"}, {"comment": "Fine"}, {"rating": "up"}])
    def test_takes_an_opinion_of_any_kind(self, caller: Caller, answer: Message, opinion: dict[str, Any]) -> None:
        given = give(caller, answer, **{"rating": None, **opinion})

        assert {name: given[name] for name in opinion} == opinion

    def test_finds_the_last_answer_of_a_thread(self, caller: Caller, thread: ChatThread, answer: Message) -> None:
        said = {"thread_id": ids.public("thread", thread.pk), "user": "cora", "rating": "up"}

        assert caller.post("/feedback", said).data["message_id"] == ids.public("message", answer.pk)

    def test_finds_the_last_answer_of_a_run(self, caller: Caller, tenant: Tenant, thread: ChatThread) -> None:
        run = Run(thread_id=str(thread.pk), tenant_id=tenant.pk, model="m", status="completed", ended_at=timezone.now())
        Run.objects.insert([run])
        said = [{"role": "assistant", "content": text} for text in ("First", "Last")]
        rows = Message.objects.append(said, thread_id=thread.pk, run_id=run.pk)

        found = caller.post("/feedback", {"run_id": ids.public("run", run.pk), "user": "cora", "rating": "up"})

        assert found.data["message_id"] == ids.public("message", rows[1].pk)

    def test_finds_a_message_by_the_id_it_has_elsewhere(self, caller: Caller, thread: ChatThread) -> None:
        said = [{"role": "assistant", "content": "Hi"}]
        (row,) = Message.objects.append(said, thread_id=thread.pk, external_id="shop-7")
        where = {"thread_id": ids.public("thread", thread.pk), "message_external_id": "shop-7"}

        found = caller.post("/feedback", {**where, "user": "cora", "rating": "up"})

        assert found.data["message_id"] == ids.public("message", row.pk)

    def test_of_another_user_is_another_one(self, caller: Caller, answer: Message) -> None:
        first = give(caller, answer, comment="Wrong")
        second = give(caller, answer, user="dora", rating="up")

        assert first["id"] != second["id"]
        assert caller.get(f"/feedback/{first['id']}").data["comment"] == "Wrong"

    def test_of_the_same_user_replaces_the_first_which_is_kept(self, caller: Caller, answer: Message) -> None:
        first = give(caller, answer, comment="Wrong")
        second = give(caller, answer, rating="up", comment="Right after all")

        assert (second["id"], second["rating"]) == (first["id"], "up")
        assert [(each["rating"], each["comment"]) for each in second["earlier"]] == [("down", "Wrong")]

    def test_of_a_user_with_the_name_of_a_colleague_leaves_the_colleagues_alone(
        self, caller: Caller, answer: Message, triager: Any
    ) -> None:
        mine = feedback.give(message_id=answer.pk, rating="up", by=triager, at=timezone.now())

        theirs = give(caller, answer, user=triager.username)

        mine.refresh_from_db()
        assert (mine.rating, mine.history) == ("up", [])
        assert theirs["id"] != ids.public("feedback", mine.pk)

    @pytest.mark.parametrize(
        ("values", "param"),
        [
            ({"rating": None}, None),
            ({"rating": "sideways"}, "rating"),
            ({"score": 0}, "score"),
            ({"score": 6}, "score"),
            ({"score": "5"}, "score"),
            ({"user": ""}, "user"),
            ({"user": " \t "}, "user"),
            ({"user": "u" * 300}, "user"),
            ({"comment": "c" * 20_001}, "comment"),
            ({"choice": "c" * 101}, "choice"),
            ({"metadata": {"a": 1}}, "metadata.a"),
            ({"external_id": "e" * 256}, "external_id"),
            ({"run_id": "run_1"}, "message_id"),
            ({"message_id": None}, "message_id"),
            ({"message_external_id": "x"}, "thread_id"),
            ({"stars": 5}, "stars"),
        ],
    )
    def test_says_what_is_wrong(
        self, caller: Caller, answer: Message, values: dict[str, Any], param: str | None
    ) -> None:
        found = caller.post("/feedback", about(answer, **values))

        assert found.status_code == 400
        assert found.data["error"]["param"] == param
        assert not Feedback.objects.exists()

    @pytest.mark.parametrize("text", ["<script>alert(1)</script>", "=1+1", "a\x00b", "\ud800", "﷽" * 100])
    def test_keeps_hostile_words_as_words(self, caller: Caller, answer: Message, text: str) -> None:
        given = give(caller, answer, user=f"u{text}", comment=text, choice=text, metadata={"k": text})

        again = caller.get(f"/feedback/{given['id']}").data
        assert again == given
        assert "\x00" not in again["comment"]

    def test_of_what_is_not_there_is_refused(self, caller: Caller, stranger: Caller, answer: Message) -> None:
        nowhere = ids.public("message", ids.new())

        assert caller.post("/feedback", about(answer, message_id=nowhere)).status_code == 404
        assert stranger.post("/feedback", about(answer)).status_code == 404

    def test_of_a_thread_without_an_answer_is_refused(self, caller: Caller, tenant: Tenant) -> None:
        empty = factories.thread(tenant, {"role": "user", "content": "Hello?"})

        found = caller.post("/feedback", {"thread_id": ids.public("thread", empty.pk), "user": "cora", "rating": "up"})

        assert found.status_code == 404
        assert "no answer" in found.data["error"]["message"]

    def test_is_deleted_with_its_thread(self, caller: Caller, answer: Message, thread: ChatThread) -> None:
        give(caller, answer, external_id="mine")

        threads.delete(thread_ids=[thread.pk], by=actors.SYSTEM, at=timezone.now())

        assert not FeedbackReceipt.objects.exists()


class TestTheSameAgain:
    @pytest.mark.parametrize("way", ["body", "header"])
    def test_gives_the_same_and_changes_nothing(self, caller: Caller, answer: Message, way: str) -> None:
        body = about(answer, **({"external_id": "click-1"} if way == "body" else {}))
        headers = {"idempotency_key": "click-1"} if way == "header" else {}

        first, second = (caller.post("/feedback", body, **headers) for _ in range(2))

        assert first.data == second.data
        assert first.data["external_id"] == "click-1"
        assert first.data["earlier"] == []
        assert FeedbackReceipt.objects.count() == 1

    def test_after_a_second_opinion_changes_nothing_either(self, caller: Caller, answer: Message) -> None:
        give(caller, answer, external_id="click-1")
        give(caller, answer, rating="up", external_id="click-2")

        again = give(caller, answer, external_id="click-1")

        assert (again["rating"], again["external_id"]) == ("up", "click-2")
        assert len(again["earlier"]) == 1

    def test_with_other_words_is_refused(self, caller: Caller, answer: Message) -> None:
        give(caller, answer, external_id="click-1")

        found = caller.post("/feedback", about(answer, rating="up", external_id="click-1"))

        assert found.status_code == 400
        assert found.data["error"]["param"] == "external_id"
        assert Feedback.objects.get().rating == "down"

    def test_of_another_tenant_is_its_own(self, caller: Caller, stranger: Caller, answer: Message) -> None:
        mine = give(caller, answer, external_id="click-1")
        other = factories.tenant("Further")
        theirs = factories.thread(other, *factories.talk(1))
        said = {"thread_id": ids.public("thread", theirs.pk), "user": "cora", "rating": "down"}

        found = Caller.of(other).post("/feedback", {**said, "external_id": "click-1"})

        assert found.status_code == 200
        assert found.data["id"] != mine["id"]

    def test_for_the_last_answer_is_the_same_when_there_is_a_later_one(
        self, caller: Caller, thread: ChatThread, answer: Message
    ) -> None:
        said = {"thread_id": ids.public("thread", thread.pk), "user": "c", "rating": "up", "external_id": "click-1"}
        first = caller.post("/feedback", said)
        Message.objects.append([{"role": "assistant", "content": "More"}], thread_id=thread.pk)

        assert caller.post("/feedback", said).data == first.data

    def test_has_a_key_of_bounded_length(self, caller: Caller, answer: Message) -> None:
        assert caller.post("/feedback", about(answer), idempotency_key="k" * 256).status_code == 400


class TestList:
    def test_filters(self, caller: Caller, tenant: Tenant, triager: Any) -> None:
        rows = [give(caller, _answer(tenant), user=f"user-{n}", external_id=f"e{n}") for n in range(4)]
        for row, values in zip(
            rows,
            (
                {"state": "resolved"},
                {"labels": ["tone", "slow"], "severity": 1},
                {"assignee": triager.username},
                {"state": "snoozed", "snoozed_until": int(timezone.now().timestamp()) + 3600},
            ),
            strict=True,
        ):
            assert caller.post(f"/feedback/{row['id']}", values).status_code == 200

        def shown(query: str) -> list[str]:
            return [row["user"][-1] for row in caller.get(f"/feedback?order=asc&{query}").data["data"]]

        assert shown("") == ["0", "1", "2", "3"]
        assert shown("state=resolved") == ["0"]
        assert shown("state=todo") == ["1", "2"]
        assert shown("label=slow") == ["1"]
        assert shown("label=slo") == []
        assert shown("severity=1") == ["1"]
        assert shown(f"assignee={triager.username}") == ["2"]
        assert shown("user=user-3") == ["3"]
        assert shown("external_id=e1") == ["1"]
        assert shown("rating=up") == []
        assert shown(f"thread_id={rows[2]['thread_id']}") == ["2"]
        assert shown("thread_id=nonsense") == []

    def test_since_is_when_it_was_first_given(self, caller: Caller, tenant: Tenant) -> None:
        old, new = (give(caller, _answer(tenant), user=name) for name in ("old", "new"))
        Feedback.objects.filter(user_id="old").update(created=timezone.now() - timedelta(days=2))
        since = int((timezone.now() - timedelta(days=1)).timestamp())

        assert [row["id"] for row in caller.get(f"/feedback?since={since}").data["data"]] == [new["id"]]
        assert old["id"] in {row["id"] for row in caller.get("/feedback?since=0").data["data"]}

    def test_pages_in_both_directions(self, caller: Caller, tenant: Tenant) -> None:
        rows = [give(caller, _answer(tenant))["id"] for _ in range(5)]

        first = caller.get("/feedback?limit=2&order=asc").data
        second = caller.get(f"/feedback?limit=2&order=asc&after={first['last_id']}").data
        back = caller.get(f"/feedback?limit=2&order=asc&before={second['first_id']}").data

        assert [row["id"] for page in (first, second) for row in page["data"]] == rows[:4]
        assert [row["id"] for row in back["data"]] == rows[:2]
        assert (second["has_more"], back["has_more"]) == (True, False)

    def test_stays_in_its_order_when_somebody_thinks_again(self, caller: Caller, tenant: Tenant) -> None:
        answers = [_answer(tenant) for _ in range(3)]
        rows = [give(caller, each)["id"] for each in answers]
        cursor = caller.get("/feedback?limit=1&order=asc").data["last_id"]

        give(caller, answers[0], rating="up")

        assert [row["id"] for row in caller.get(f"/feedback?order=asc&after={cursor}").data["data"]] == rows[1:]

    @pytest.mark.parametrize(
        ("query", "param"),
        [
            ("state=lost", "state"),
            ("rating=5", "rating"),
            ("severity=9", "severity"),
            ("since=-1", "since"),
            ("since=999999999999999", "since"),
            ("since=today", "since"),
        ],
    )
    def test_says_what_is_wrong(self, caller: Caller, query: str, param: str) -> None:
        found = caller.get(f"/feedback?{query}")

        assert found.status_code == 400
        assert found.data["error"]["param"] == param

    @pytest.mark.parametrize("query", ["", "?label=a&state=todo", "?external_id=e1"])
    def test_costs_the_same_for_one_as_for_twenty_and_counts_nothing(
        self, caller: Caller, tenant: Tenant, query: str
    ) -> None:
        caller.get("/feedback")  # the key is noted as used
        costs = []
        for count in (1, 19):
            for number in range(count):
                given = give(caller, _answer(tenant), external_id=f"e{count + number}")
                caller.post(f"/feedback/{given['id']}", {"labels": ["a"]})
            with CaptureQueriesContext(connection) as seen:
                assert caller.get(f"/feedback{query}").data["data"]
            costs.append(len(seen))
            assert not [each for each in seen.captured_queries if "COUNT(" in each["sql"]]

        assert costs[0] == costs[1] <= 5


def _answer(tenant: Tenant) -> Message:
    thread = factories.thread(tenant, *factories.talk(1))
    found: Message | None = Message.objects.list_thread_messages(thread.pk).last()
    assert found is not None
    return found


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
