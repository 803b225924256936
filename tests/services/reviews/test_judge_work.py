"""A judge at work: every item asked about through Marvin, resumed after a crash, and nothing done twice."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from ai import conf, tenancy
from ai.exceptions import Conflict
from ai.models import (
    ChatThread,
    Job,
    JobItem,
    Message,
    ReviewItem,
    ReviewJudge,
    ReviewJudgement,
    ReviewSlot,
    ReviewVerdict,
    Tenant,
)
from ai.services import actors, jobs
from ai.services.reviews import judge_work, judging, queues
from ai.services.selections import Selection
from tests import factories
from tests.fakes.vendors import Call, Failure, Reply, VendorServer
from tests.services.reviews.judges import SAYS_YES, answering, judge, judgements, parameters, run, sent
from tests.services.reviews.making import NOW, QUESTIONS, queue, review, reviewer

pytestmark = pytest.mark.django_db

EVERY: list[dict[str, Any]] = [
    {"id": "helpful", "type": "yes_no", "text": "Was it helpful?"},
    {"id": "tone", "type": "choice", "text": "How was the tone?", "options": ["kind", "cold"]},
    {
        "id": "faults",
        "type": "multi_choice",
        "text": "What was wrong?",
        "options": ["facts", "length"],
        "required": False,
    },
    {"id": "mark", "type": "number", "text": "A mark", "minimum": 1, "maximum": 5},
    {"id": "json", "type": "text", "text": "Why?"},
    {"id": "model_config", "type": "correction", "text": "The better answer?"},
]
GOOD = {
    "helpful": False,
    "tone": "cold",
    "faults": ["length", "facts"],
    "mark": 2,
    "json": "Too long.",
    "model_config": "Short.",
}


class TestRun:
    def test_answers_every_item_once_in_the_rubrics_shape(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=3, questions=EVERY)
        judge(made, prompt="Heed the length.")
        scripted.script(answering(GOOD, reason="It was long."))

        job = run(made)

        assert (job.status, job.done, job.failed, job.total, job.tenant_id) == ("completed", 3, 0, 3, tenant.pk)
        kept = {**GOOD, "faults": ["facts", "length"]}
        assert judgements() == [(kept, "")] * 3
        row = ReviewJudgement.objects.latest("created")
        assert (row.reason, row.judge_version, row.rubric_version, row.input_tokens) == ("It was long.", 1, 1, 11)
        assert len(scripted.requests) == 3
        assert "Heed the length." in sent(scripted.requests[0])

    def test_tells_the_model_exactly_what_each_question_takes(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=1, questions=EVERY)
        judge(made)
        scripted.script(answering(GOOD))

        run(made)

        [tool] = scripted.requests[0].json["tools"]
        asked = parameters(tool)["$defs"]["Judgement"]
        schema = asked["properties"]["answers"]
        assert (list(asked["properties"]), asked["required"]) == (["reason", "answers"], ["reason", "answers"])
        assert schema["properties"]["tone"]["enum"] == ["kind", "cold"]
        assert schema["properties"]["faults"]["items"]["enum"] == ["facts", "length"]
        assert {name: schema["properties"]["mark"][name] for name in ("type", "minimum", "maximum")} == {
            "type": "integer",
            "minimum": 1,
            "maximum": 5,
        }
        assert schema["required"] == ["helpful", "tone", "mark"]

    def test_changes_nothing_that_people_said(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=2, reviews_per_item=2)
        review(made, reviewer(tenant), {"helpful": False})
        judge(made)
        before = [list(model.objects.order_by("pk").values()) for model in (ReviewSlot, ReviewVerdict, ReviewItem)]
        scripted.script(answering(SAYS_YES))

        run(made)

        assert [
            list(model.objects.order_by("pk").values()) for model in (ReviewSlot, ReviewVerdict, ReviewItem)
        ] == before

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({**GOOD, "mark": 9}, "“A mark”: give a number from 1 to 5."),
            ({**GOOD, "tone": "frosty"}, "“How was the tone?”: choose one of kind, cold."),
            ({**GOOD, "faults": ["grammar"]}, "“What was wrong?”: choose some of facts, length."),
            ({**GOOD, "helpful": "perhaps"}, "“Was it helpful?”: answer yes or no."),
            ({"helpful": True}, "“How was the tone?” needs an answer."),
            ("Yes!", "The model gave no answer that fits the questions."),
        ],
    )
    def test_shows_what_is_wrong_with_an_answer_and_goes_on(
        self, tenant: Tenant, scripted: VendorServer, wrong: Any, said: str
    ) -> None:
        made = queue(tenant, items=2, questions=EVERY)
        judge(made)
        first = str(ReviewItem.objects.order_by("position")[0].thread_id)
        Message.objects.filter(thread_id=first, role="user").update(message={"role": "user", "content": "the odd one"})

        def answer(request: Any) -> Reply:
            return answering(wrong if "the odd one" in sent(request) else GOOD)(request)

        scripted.script(answer)
        job = run(made)

        assert (job.status, job.done, job.failed) == ("completed", 1, 1)
        assert sorted(error for _, error in judgements()) == ["", said]
        assert sorted(JobItem.objects.values_list("error", flat=True)) == ["", said]

    def test_takes_an_answer_without_a_reason(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=1)
        judge(made)

        def bare(request: Any) -> Reply:
            [tool] = request.json["tools"]
            call = Call(tool["function"]["name"], json.dumps({"result": {"answers": SAYS_YES}}))
            return Reply(chunks=(), calls=(call,))

        scripted.script(bare)
        run(made)

        assert judgements() == [(SAYS_YES, "")]

    def test_asks_again_about_what_failed_and_about_nothing_else(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=3)
        judge(made)
        scripted.script(answering({"helpful": "perhaps"}))
        run(made)
        scripted.clear()
        scripted.script(answering(SAYS_YES))

        job = run(made)

        assert (job.total, job.done) == (3, 3)
        assert judgements() == [(SAYS_YES, "")] * 3
        with pytest.raises(Conflict, match="answered every item"):
            run(made)
        assert len(scripted.requests) == 3

    def test_lets_the_model_mend_an_answer_once(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=1)
        judge(made)
        scripted.script(answering({"helpful": "perhaps"}), answering(SAYS_YES))

        run(made)

        assert judgements() == [(SAYS_YES, "")]
        assert "answer yes or no" in sent(scripted.requests[1])
        assert ReviewJudgement.objects.get().input_tokens == 22

    def test_answers_items_that_came_later(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=1)
        judge(made)
        scripted.script(answering(SAYS_YES))
        run(made)
        more = factories.thread(tenant, *factories.talk(1))
        queues.fill(queue_id=made.pk, selection=Selection.of_ids("threads", [more.pk]), by=actors.SYSTEM, at=NOW)

        assert run(made).total == 1
        assert ReviewJudgement.objects.count() == 2

    def test_answers_anew_where_the_rubric_changed(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=1)
        judge(made, threshold=0.8)
        scripted.script(answering(SAYS_YES))
        run(made)
        queues.ask(queue_id=made.pk, questions=QUESTIONS[:1], by=actors.SYSTEM, at=NOW)

        run(made)

        current = ReviewJudge.objects.current(made.pk)
        assert current is not None
        assert (current.version, current.rubric_version, current.threshold) == (2, 2, 0.8)
        assert sorted(ReviewJudgement.objects.values_list("judge_version", "rubric_version")) == [(1, 1), (2, 2)]

    def test_keeps_the_questions_as_they_are_from_then_on(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=1)
        judge(made)
        scripted.script(answering(SAYS_YES))
        run(made)

        assert queues.ask(queue_id=made.pk, questions=QUESTIONS[:1], by=actors.SYSTEM, at=NOW).version == 2

    def test_twice_at_once_is_one_job(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant)
        judge(made)

        first, second = (judging.start(queue_id=made.pk, by=actors.SYSTEM, at=NOW) for _ in range(2))

        assert first.pk == second.pk
        assert JobItem.objects.count() == 3

    def test_without_a_judge_is_refused(self, tenant: Tenant) -> None:
        with pytest.raises(Conflict, match="no judge yet"):
            judging.start(queue_id=queue(tenant).pk, by=actors.SYSTEM, at=NOW)

    def test_stops_where_the_key_is_refused(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=20)
        judge(made)
        scripted.script(Failure("unauthorized"))

        job = run(made)

        assert (job.status, job.done, job.failed) == ("failed", 0, 0)
        assert "API key" in job.error
        assert len(scripted.requests) <= conf.current().model_concurrency
        assert not ReviewJudgement.objects.exists()
        scripted.script(answering(SAYS_YES))
        assert run(made).done == 20

    def test_waits_where_the_vendor_asks_for_it(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=1)
        judge(made)
        scripted.script(Failure("rate_limit", retry_after=0.1), Failure("server_error"), answering(SAYS_YES))

        run(made)

        assert judgements() == [(SAYS_YES, "")]

    def test_goes_on_after_a_thread_that_is_gone(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=2)
        judge(made)
        job = judging.start(queue_id=made.pk, by=actors.SYSTEM, at=NOW)
        ChatThread.objects.delete_thread(ReviewItem.objects.order_by("position")[0].thread_id)
        scripted.script(answering(SAYS_YES))

        jobs.carry_on(job_id=job.pk, worker="w", now=lambda: NOW)

        job.refresh_from_db()
        assert (job.status, job.done, job.failed) == ("completed", 1, 1)

    def test_is_cancelled_like_every_job(self, tenant: Tenant, scripted: VendorServer) -> None:
        made = queue(tenant, items=2)
        judge(made)
        job = judging.start(queue_id=made.pk, by=actors.SYSTEM, at=NOW)
        jobs.cancel(job_id=job.pk, by=actors.SYSTEM, at=NOW)

        jobs.carry_on(job_id=job.pk, worker="w", now=lambda: NOW)

        assert not scripted.requests
        scripted.script(answering(SAYS_YES))
        assert run(made).done == 2

    def test_asks_no_more_when_it_is_cancelled_while_the_model_thinks(
        self, tenant: Tenant, scripted: VendorServer, settings: Any
    ) -> None:
        settings.AI_RUN_LEASE_SECONDS = 3
        made = queue(tenant, items=1)
        judge(made)
        job = judging.start(queue_id=made.pk, by=actors.SYSTEM, at=NOW)
        scripted.script(Reply(first_byte_delay=30))
        looks = iter(range(1_000))

        def now() -> datetime:
            if next(looks) == 1:  # the second look is at the lease, while the model thinks
                Job.objects.cancel(job.pk, at=NOW)
            return NOW

        jobs.carry_on(job_id=job.pk, worker="w", now=now)

        assert Job.objects.get(pk=job.pk).status == "cancelled"
        assert scripted.requests[0].wait_for_hang_up()
        assert not ReviewJudgement.objects.exists()

    def test_goes_on_where_a_dead_worker_stopped(self, tenant: Tenant, scripted: VendorServer) -> None:
        count = conf.current().model_concurrency + 2
        made = queue(tenant, items=count)
        judge(made)
        job = judging.start(queue_id=made.pk, by=actors.SYSTEM, at=NOW)
        scripted.script(answering(SAYS_YES))
        dead = Job.objects.take(job.pk, worker="dead", at=NOW)
        assert dead
        with tenancy.scope(tenant.pk):
            work = judge_work._work(dead)
            answered = judge_work._answered(dead, JobItem.objects.next_of(job.pk, most=2), work, now=lambda: NOW)
            assert judge_work._settle(dead, *answered[0], work, now=lambda: NOW)

        jobs.carry_on(job_id=job.pk, worker="alive", now=lambda: NOW)
        assert Job.objects.get(pk=job.pk).done == 1
        jobs.carry_on(job_id=job.pk, worker="alive", now=lambda: NOW + timedelta(minutes=5))

        job.refresh_from_db()
        assert (job.done, job.status) == (count, "completed")
        assert ReviewJudgement.objects.count() == count
        # The dead worker wakes up: its second answer is dropped, for the job is not its own any more.
        assert not judge_work._settle(dead, *answered[1], work, now=lambda: NOW)
        assert Job.objects.get(pk=job.pk).done == count
