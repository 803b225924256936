"""Review queues over HTTP: made, filled and followed by programs; what reviewers said comes out when nobody can be told by it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai import ids
from ai.api.urls import api
from ai.exceptions import Forbidden
from ai.models import AuditEntry, ChatThread, Message, ReviewItem, ReviewQueue, Tenant
from ai.services import actors
from ai.services.reviews import deciding, queues, reviewing
from ai.services.selections import Selection
from tests import factories
from tests.api import worlds
from tests.api.calling import Caller, make_key
from tests.services.reviews.making import NO, NOW, YES, lead, queue, review, reviewer

pytestmark = pytest.mark.django_db

QUESTIONS: list[dict[str, Any]] = [
    {"id": "helped", "type": "yes_no", "text": "Was it?"},
    {"id": "mark", "type": "number", "text": "A mark", "minimum": 1, "maximum": 10, "required": False},
    {"id": "tone", "type": "choice", "text": "The tone?", "options": ["kind", "cold"], "help": "As its reader."},
]
#: What a reviewer writes that nobody may read too early.
SECRET = "zanzibar"


def path_of(made: ReviewQueue, rest: str = "") -> str:
    return f"/review_queues/{ids.public('review_queue', made.pk)}{rest}"


def make(caller: Caller, **values: Any) -> dict[str, Any]:
    found = caller.post("/review_queues", {"name": "Helped?", "unit": "thread", "questions": QUESTIONS, **values})
    assert found.status_code == 200, found.data
    data: dict[str, Any] = found.data
    return data


def answers(caller: Caller, made: ReviewQueue, query: str = "") -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = caller.get(path_of(made, f"/answers?order=asc{query}")).data["data"]
    return data


class TestCreate:
    def test_makes_an_open_queue_with_its_rubric(self, caller: Caller) -> None:
        made = make(caller, instructions="Read it.", reviews_per_item=2)

        row = ReviewQueue.objects.get()
        assert (made["id"], made["object"]) == (ids.public("review_queue", row.pk), "review_queue")
        assert (made["state"], made["reviews_per_item"], made["rubric_version"]) == ("open", 2, 1)
        assert [question["id"] for question in made["questions"]] == ["helped", "mark", "tone"]
        assert made["progress"] == {"reviews": 0, "answered": 0}
        assert made["sample"] is None
        assert AuditEntry.objects.get(action="review_queue.added").actor_id.startswith("key:")

    @pytest.mark.parametrize(
        ("values", "param"),
        [
            ({"name": ""}, "name"),
            ({"name": " "}, "name"),
            ({"unit": "file"}, "unit"),
            ({"questions": []}, "questions"),
            ({"questions": [{"id": "a", "type": "yes_no"}]}, "questions[0].text"),
            ({"questions": [{"id": "a", "type": ["yes_no"], "text": "?"}]}, "questions[0].type"),
            ({"questions": [{"id": "A B", "type": "yes_no", "text": "?"}]}, "questions"),
            ({"questions": [{"id": "a", "type": "choice", "text": "?"}]}, "questions"),
            ({"questions": [{"id": "a", "type": "number", "text": "?", "minimum": 5, "maximum": 1}]}, "questions"),
            ({"questions": [QUESTIONS[0], QUESTIONS[0]]}, "questions"),
            ({"reviews_per_item": 11}, "reviews_per_item"),
            ({"reservation_minutes": 0}, "reservation_minutes"),
            ({"state": "closed"}, "state"),
        ],
    )
    def test_says_what_is_wrong(self, caller: Caller, values: dict[str, Any], param: str) -> None:
        found = caller.post("/review_queues", {"name": "N", "unit": "thread", "questions": QUESTIONS, **values})

        assert found.status_code == 400
        assert found.data["error"]["param"] == param
        assert not ReviewQueue.objects.exists()

    def test_of_a_name_that_there_is_is_refused(self, caller: Caller) -> None:
        make(caller)

        found = caller.post("/review_queues", {"name": "Helped?", "unit": "thread", "questions": QUESTIONS})

        assert found.status_code == 400
        assert "already" in found.data["error"]["message"]


class TestFill:
    def test_adds_what_is_named_once(self, caller: Caller, tenant: Tenant) -> None:
        made = make(caller)
        rows = [ids.public("thread", factories.thread(tenant, *factories.talk(1)).pk) for _ in range(3)]

        first = caller.post(f"/review_queues/{made['id']}/items", {"thread_ids": rows[:2]}).data
        second = caller.post(f"/review_queues/{made['id']}/items", {"thread_ids": rows}).data

        assert first == {"object": "review_queue.filling", "review_queue_id": made["id"], "added": 2}
        assert second["added"] == 1
        shown = caller.get(f"/review_queues/{made['id']}/items?order=asc").data["data"]
        assert [item["about"] for item in shown] == rows
        assert {item["state"] for item in shown} == {"open"}

    def test_of_messages_names_their_threads(self, caller: Caller, tenant: Tenant) -> None:
        made = make(caller, unit="message")
        thread = factories.thread(tenant, *factories.talk(1))
        answer = Message.objects.list_thread_messages(thread.pk).last()
        assert answer is not None
        named = ids.public("message", answer.pk)

        caller.post(f"/review_queues/{made['id']}/items", {"message_ids": [named]})

        (item,) = caller.get(f"/review_queues/{made['id']}/items").data["data"]
        assert (item["about"], item["thread_id"]) == (named, ids.public("thread", thread.pk))

    def test_with_what_is_not_there_adds_nothing(self, caller: Caller, tenant: Tenant) -> None:
        made = make(caller)
        ours = ids.public("thread", factories.thread(tenant).pk)
        theirs = ids.public("thread", factories.thread(factories.tenant()).pk)

        found = caller.post(f"/review_queues/{made['id']}/items", {"thread_ids": [ours, theirs]})

        assert found.status_code == 404
        assert theirs in found.data["error"]["message"]
        assert not ReviewItem.objects.exists()

    @pytest.mark.parametrize(
        "body",
        [{}, {"message_ids": ["msg_1"]}, {"thread_ids": []}, {"thread_ids": "x"}, {"thread_ids": ["x"] * 1001}],
    )
    def test_says_what_is_wrong(self, caller: Caller, body: dict[str, Any]) -> None:
        made = make(caller)

        assert caller.post(f"/review_queues/{made['id']}/items", body).status_code == 400

    def test_of_a_closed_queue_is_refused(self, caller: Caller, tenant: Tenant) -> None:
        made = make(caller)
        caller.post(f"/review_queues/{made['id']}", {"state": "closed"})
        named = ids.public("thread", factories.thread(tenant).pk)

        found = caller.post(f"/review_queues/{made['id']}/items", {"thread_ids": [named]})

        assert found.status_code == 400
        assert "closed" in found.data["error"]["message"]


class TestModify:
    def test_pauses_closes_and_opens(self, caller: Caller) -> None:
        made = make(caller)

        states = [
            caller.post(f"/review_queues/{made['id']}", {"state": state}).data["state"]
            for state in ("paused", "closed", "open")
        ]

        assert states == ["paused", "closed", "open"]
        assert caller.post(f"/review_queues/{made['id']}", {"state": "lost"}).status_code == 400
        assert caller.post(f"/review_queues/{made['id']}", {}).status_code == 400


class TestRead:
    def test_has_progress_agreement_and_rates_for_those_who_lead(self, caller: Caller, tenant: Tenant) -> None:
        made = queue(tenant, items=2, reviews_per_item=2)
        ana, ben = reviewer(tenant), reviewer(tenant)
        review(made, ana, YES)
        review(made, ben, YES)
        review(made, ana, YES)

        found = caller.get(path_of(made)).data

        assert found["progress"] == {"reviews": 4, "answered": 3}
        assert found["items"] == {"agreed": 1, "open": 1}
        assert found["agreement"] == [{"question": "helpful", "percent": 1.0, "alpha": None}]
        yes = next(rate for rate in found["rates"] if rate["answer"] == "yes")
        assert (yes["count"], yes["total"], yes["rate"]) == (1, 1, 1.0)
        assert 0 <= yes["low"] <= yes["rate"] <= yes["high"] <= 1

    def test_says_what_a_sample_was_taken_from(self, caller: Caller, tenant: Tenant) -> None:
        made = queue(tenant, items=0)
        for _ in range(5):
            factories.thread(tenant)
        chosen = Selection.of_list("threads", {})
        later = timezone.now() + timedelta(minutes=1)
        queues.fill(queue_id=made.pk, selection=chosen, sample=3, seed=7, by=actors.SYSTEM, at=later)

        found = caller.get(path_of(made)).data

        assert found["sample"] == {"selection": "all threads", "size": 3, "seed": 7, "population": 5}

    def test_lists_cost_the_same_for_one_as_for_twenty(self, caller: Caller, tenant: Tenant) -> None:
        caller.get("/review_queues")  # the key is noted as used
        costs = []
        for count in (1, 19):
            for _ in range(count):
                queue(tenant, items=1, name=f"Queue {ReviewQueue.objects.count()}")
            with CaptureQueriesContext(connection) as seen:
                assert caller.get("/review_queues").data["data"]
            costs.append(len(seen))

        assert costs[0] == costs[1] <= 5

    def test_answers_cost_the_same_for_one_as_for_twenty(self, caller: Caller, tenant: Tenant) -> None:
        made = queue(tenant, items=20)
        ana = reviewer(tenant)
        answers(caller, made)  # the key is noted as used
        costs = []
        for count in (1, 19):
            for _ in range(count):
                review(made, ana, YES)
            with CaptureQueriesContext(connection) as seen:
                found = answers(caller, made)
            costs.append(len(seen))

        assert len(found) == 20
        assert costs[0] == costs[1] <= 7


class TestAnswers:
    def test_have_the_verdict_and_what_each_reviewer_said(self, caller: Caller, tenant: Tenant) -> None:
        made = queue(tenant, items=1, reviews_per_item=2)
        ana, ben = reviewer(tenant), reviewer(tenant)
        review(made, ana, {**YES, "why": "It was."})
        item = review(made, ben, YES, at=NOW + timedelta(minutes=1))

        (found,) = answers(caller, made)

        assert found["id"] == ids.public("review_item", item.pk)
        assert (found["state"], found["position"]) == ("agreed", 0)
        assert found["verdict"]["is_agreement"]
        assert found["verdict"]["answers"]["helpful"] is True
        assert [each["reviewer"] for each in found["reviews"]] == [
            {"id": str(person.pk), "name": person.username} for person in (ana, ben)
        ]
        assert found["reviews"][0]["answers"] == {"helpful": True, "why": "It was."}
        assert {each["rubric_version"] for each in found["reviews"]} == {1}

    def test_come_in_pages(self, caller: Caller, tenant: Tenant) -> None:
        made = queue(tenant, items=5)
        ana = reviewer(tenant)
        for _ in range(5):
            review(made, ana, YES)

        first = caller.get(path_of(made, "/answers?limit=2&order=asc")).data
        second = caller.get(path_of(made, f"/answers?limit=2&order=asc&after={first['last_id']}")).data
        back = caller.get(path_of(made, f"/answers?limit=2&order=asc&before={second['first_id']}")).data

        assert [item["position"] for page in (first, second) for item in page["data"]] == [0, 1, 2, 3]
        assert back["data"] == first["data"]
        assert second["has_more"]

    def test_of_who_has_left_go_by_their_id(self, caller: Caller, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1), reviewer(tenant)
        review(made, ana, YES)
        key = str(ana.pk)
        ana.delete()

        (found,) = answers(caller, made)

        assert found["reviews"][0]["reviewer"] == {"id": key, "name": key}


class TestBlindness:
    """A reviewer may hold a key, of whatever scopes: it says nothing of what others answered while that could still help."""

    def everything(self, tenant: Tenant) -> str:
        """All that GET answers to a key of every scope."""
        caller, shown, named = Caller(make_key(tenant)[1]), [], worlds.build(tenant)
        paths = [path for path, operations in api.get_openapi_schema()["paths"].items() if "get" in operations]
        for made in ReviewQueue.objects.all():
            known = {**named, "review_queue_id": ids.public("review_queue", made.pk)}
            shown += [caller.get(path.removeprefix("/v1").format(**known)) for path in paths]
        assert {answer.status_code for answer in shown} <= {200, 400}  # some files have no content to download
        return "".join(answer.content.decode() for answer in shown)

    def test_nothing_is_told_before_all_reviews_are_there(self, caller: Caller, tenant: Tenant) -> None:
        made = queue(tenant, items=1, reviews_per_item=2)
        review(made, reviewer(tenant), {**YES, "why": SECRET})

        assert answers(caller, made) == []
        assert SECRET not in self.everything(tenant)
        found = caller.get(path_of(made)).data
        assert {rate["total"] for rate in found["rates"]} <= {0}
        assert found["agreement"][0]["percent"] is None

    def test_nothing_is_told_where_reviewers_disagree_until_somebody_decides(
        self, caller: Caller, tenant: Tenant
    ) -> None:
        made = queue(tenant, items=1, reviews_per_item=2)
        review(made, reviewer(tenant), {**YES, "why": SECRET})
        item = review(made, reviewer(tenant), NO)

        before, everywhere = answers(caller, made), self.everything(tenant)
        deciding.decide(item_id=item.pk, answers=NO, by=lead(tenant), at=NOW, reason="No parcel")
        (after,) = answers(caller, made)

        assert before == []
        assert SECRET not in everywhere
        assert (after["state"], after["verdict"]["answers"], after["verdict"]["reason"]) == ("decided", NO, "No parcel")
        assert not after["verdict"]["is_agreement"]
        assert {each["answers"]["helpful"] for each in after["reviews"]} == {True, False}

    def test_an_answer_that_was_taken_back_is_told_no_more(self, caller: Caller, tenant: Tenant) -> None:
        made = queue(tenant, items=1)
        ana = reviewer(tenant)
        review(made, ana, {**YES, "why": SECRET})
        slot = reviewing.last_answered(queue_id=made.pk, by=ana)
        assert slot is not None

        before = answers(caller, made)
        reviewing.take_back(slot_id=slot.pk, by=ana, at=NOW)

        assert len(before) == 1
        assert answers(caller, made) == []
        assert SECRET not in self.everything(tenant)

    def test_a_draft_is_nobodys_to_read(self, tenant: Tenant) -> None:
        made, ana = queue(tenant, items=1), reviewer(tenant)
        task = reviewing.next_task(queue_id=made.pk, by=ana, at=NOW)
        assert task is not None
        reviewing.keep_draft(slot_id=task.slot.pk, answers={"why": SECRET}, by=ana, at=NOW)

        assert SECRET not in self.everything(tenant)

    def test_no_key_reviews_or_decides(self, tenant: Tenant) -> None:
        made = queue(tenant, items=1, reviews_per_item=2)
        key = actors.KeyActor.of(make_key(tenant)[0])

        assert not key.has_perm("ai.review_reviewqueue")
        with pytest.raises(Forbidden):
            reviewing.next_task(queue_id=made.pk, by=key, at=NOW)
        with pytest.raises(Forbidden):
            deciding.decide(item_id=ReviewItem.objects.get().pk, answers=YES, by=key, at=NOW)

    @pytest.mark.parametrize("scopes", [["read"], ["read", "write", "admin"]])
    def test_a_key_for_conversations_learns_neither_answers_nor_who_disagrees(
        self, tenant: Tenant, scopes: list[str]
    ) -> None:
        made = queue(tenant, items=1, reviews_per_item=2)
        review(made, reviewer(tenant), YES)
        review(made, reviewer(tenant), NO)
        caller = Caller.of(tenant, scopes=scopes)

        found = caller.get(path_of(made)).data

        assert found["progress"] == {"reviews": 2, "answered": 2}
        assert (found["items"], found["agreement"], found["rates"]) == (None, None, None)
        assert "disputed" not in str(found)
        for rest in ("/items", "/answers"):
            assert caller.get(path_of(made, rest)).status_code == 403

    def test_a_key_for_conversations_makes_and_fills_nothing(self, tenant: Tenant) -> None:
        made, caller = queue(tenant, items=0), Caller.of(tenant, scopes=["read", "write", "admin"])
        named = ids.public("thread", factories.thread(tenant).pk)

        found = [
            caller.post("/review_queues", {"name": "N", "unit": "thread", "questions": QUESTIONS}),
            caller.post(path_of(made), {"state": "closed"}),
            caller.post(path_of(made, "/items"), {"thread_ids": [named]}),
        ]

        assert [each.status_code for each in found] == [403] * 3
        assert ReviewQueue.objects.get().state == "open"


class TestKeys:
    def test_for_reviews_open_nothing_else(self, tenant: Tenant) -> None:
        caller = Caller.of(tenant, scopes=["reviews"])
        thread: ChatThread = factories.thread(tenant, *factories.talk(1))

        assert caller.get("/review_queues").status_code == 200
        for path in ("/threads", f"/threads/{ids.public('thread', thread.pk)}", "/feedback", "/models"):
            assert caller.get(path).status_code == 403, path

    def test_for_feedback_see_no_queues(self, tenant: Tenant) -> None:
        assert Caller.of(tenant, scopes=["feedback"]).get("/review_queues").status_code == 403
