"""Feedback over HTTP: given by applications, and listed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai import ids
from ai.models import AuditEntry, ChatThread, Feedback, FeedbackReceipt, Message, Run, Tenant
from ai.services import actors, feedback, threads
from tests import factories
from tests.api.calling import Caller
from tests.api.opinions import about, answer_of, give

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
            "fixed_by": None,
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
        assert first.data["external_id"] == ("click-1" if way == "body" else None)
        assert first.data["earlier"] == []
        assert FeedbackReceipt.objects.count() == 1

    def test_of_another_application_is_something_else(self, caller: Caller, answer: Message, tenant: Tenant) -> None:
        other = Caller.of(tenant, scopes=["feedback"])
        first = caller.post("/feedback", about(answer), idempotency_key="1")

        second = other.post("/feedback", about(answer, user="somebody else"), idempotency_key="1")
        disguised = other.post("/feedback", about(answer, external_id="idempotency-key/1"))

        assert second.status_code == 200
        assert second.data["id"] != first.data["id"]
        assert (disguised.status_code, disguised.data["error"]["param"]) == (400, "external_id")

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
        rows = [give(caller, answer_of(tenant), user=f"user-{n}", external_id=f"e{n}") for n in range(4)]
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
        old, new = (give(caller, answer_of(tenant), user=name) for name in ("old", "new"))
        Feedback.objects.filter(user_id="old").update(created=timezone.now() - timedelta(days=2))
        since = int((timezone.now() - timedelta(days=1)).timestamp())

        assert [row["id"] for row in caller.get(f"/feedback?since={since}").data["data"]] == [new["id"]]
        assert old["id"] in {row["id"] for row in caller.get("/feedback?since=0").data["data"]}

    def test_pages_in_both_directions(self, caller: Caller, tenant: Tenant) -> None:
        rows = [give(caller, answer_of(tenant))["id"] for _ in range(5)]

        first = caller.get("/feedback?limit=2&order=asc").data
        second = caller.get(f"/feedback?limit=2&order=asc&after={first['last_id']}").data
        back = caller.get(f"/feedback?limit=2&order=asc&before={second['first_id']}").data

        assert [row["id"] for page in (first, second) for row in page["data"]] == rows[:4]
        assert [row["id"] for row in back["data"]] == rows[:2]
        assert (second["has_more"], back["has_more"]) == (True, False)

    def test_stays_in_its_order_when_somebody_thinks_again(self, caller: Caller, tenant: Tenant) -> None:
        answers = [answer_of(tenant) for _ in range(3)]
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
                given = give(caller, answer_of(tenant), external_id=f"e{count + number}")
                caller.post(f"/feedback/{given['id']}", {"labels": ["a"]})
            with CaptureQueriesContext(connection) as seen:
                assert caller.get(f"/feedback{query}").data["data"]
            costs.append(len(seen))
            assert not [each for each in seen.captured_queries if "COUNT(" in each["sql"]]

        assert costs[0] == costs[1] <= 5
