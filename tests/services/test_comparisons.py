"""Original and replays side by side, and a replay that goes on as a thread of its own."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from ai.exceptions import Conflict, Forbidden, NotFound
from ai.models import ChatThread, Message, Run, RunStep, Tenant
from ai.services import actors, comparisons, replays
from ai.services.replays import Target
from tests import factories
from tests.fakes.vendors import Failure, VendorServer
from tests.services.replaying import AT, CALL, TALK, ask, dump, original, replay

pytestmark = pytest.mark.django_db


class TestComparison:
    def test_shows_original_and_replays_side_by_side(
        self, thread: ChatThread, scripted: VendorServer, django_assert_max_num_queries: Any
    ) -> None:
        run = replay(thread)

        with django_assert_max_num_queries(6):
            found = replays.comparison(run_id=run.pk)

        assert found.question == "Weather in Oslo?"
        assert found.history_count == 4
        assert found.original.text == "It rains."
        tool = {"kind": "tool_call", "name": "weather", "arguments": '{"city": "Oslo"}', "output": "rain"}
        assert found.original.steps == [{**tool, "recorded": True}, {"kind": "message", "text": "It rains."}]
        assert [(answer.model, answer.text) for answer in found.replays] == [("scripted", "Hello there.")]

    def test_shows_what_a_running_replay_has_said_so_far(self, thread: ChatThread) -> None:
        from ai.runner import live

        factories.language_model(alias="scripted")
        run = Run.objects.get(job_id=ask(Target(thread.pk)).pk)
        live.show([(run.pk, [{"role": "assistant", "content": "So fa"}])])

        answer = replays.comparison(run_id=run.pk).replays[0]

        assert (answer.is_active, answer.text) == (True, "So fa")

    def test_finds_the_replays_of_an_original_run(self, thread: ChatThread, scripted: VendorServer) -> None:
        run_before = original(thread)
        run = replay(thread)

        found = replays.comparison(run_id=run_before.pk)

        assert found.original.run_id == run_before.pk
        assert found.instructions == "Be quick."
        assert [answer.run_id for answer in found.replays] == [run.pk]

    def test_shows_tool_calls_that_are_in_steps_alone(
        self, tenant: Tenant, scripted: VendorServer, django_assert_max_num_queries: Any
    ) -> None:
        thread = factories.thread(tenant, *factories.talk(1))
        run_before = original(thread)
        Message.objects.filter(thread_id=str(thread.pk), sequence=2).update(run_id=str(run_before.pk))
        call = {**CALL, "function": {**CALL["function"], "output": "snow"}}
        step = RunStep(run_id=run_before.pk, tenant_id=tenant.pk, type="tool_calls", details={"tool_calls": [call]})
        RunStep.objects.write([step])
        run = replay(thread)

        with django_assert_max_num_queries(6):
            found = replays.comparison(run_id=run.pk)

        assert [(s["kind"], s.get("output")) for s in found.original.steps] == [
            ("tool_call", "snow"),
            ("message", None),
        ]

    def test_of_nothing(self, thread: ChatThread) -> None:
        with pytest.raises(NotFound):
            replays.comparison(run_id=uuid4())


class TestPromote:
    def test_makes_a_thread_of_the_history_and_the_answer(self, thread: ChatThread, scripted: VendorServer) -> None:
        before = dump(thread)
        run = replay(thread)

        fork = replays.promote(run_id=run.pk, by=actors.SYSTEM, at=AT)

        messages = fork.to_json_with_messages()["messages"]
        assert messages == [*TALK[:4], {"role": "assistant", "content": "Hello there."}]
        assert (fork.forked_from, fork.message_count, fork.model) == (thread.pk, 5, "scripted")
        assert dump(thread) == before
        assert fork.add_message({"role": "user", "content": "Thanks"}).sequence == 6

    def test_happens_once(self, thread: ChatThread, scripted: VendorServer) -> None:
        run = replay(thread)

        first, second = (replays.promote(run_id=run.pk, by=actors.SYSTEM, at=AT) for _ in range(2))

        assert first == second
        assert ChatThread.objects.count() == 2

    def test_refuses_a_replay_without_an_answer(self, thread: ChatThread, scripted: VendorServer) -> None:
        scripted.script(Failure("unauthorized"))
        run = replay(thread)

        with pytest.raises(Conflict):
            replays.promote(run_id=run.pk, by=actors.SYSTEM, at=AT)

    def test_needs_the_permission(self, thread: ChatThread, scripted: VendorServer) -> None:
        run = replay(thread)

        with pytest.raises(Forbidden):
            replays.promote(run_id=run.pk, by=factories.staff("replay_run"), at=AT)

    def test_of_a_run_that_does_not_exist(self, tenant: Tenant) -> None:
        with pytest.raises(NotFound):
            replays.promote(run_id=uuid4(), by=actors.SYSTEM, at=AT)


def test_the_text_of_an_answer_leaves_tool_results_out() -> None:
    text = comparisons.text_of_answer(json.loads(json.dumps(TALK[4:])))

    assert text == "It rains."
