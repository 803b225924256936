"""What is stored of a run while it goes on, and what another process makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from ai import tools
from ai.models import ChatThread, Message, Run, RunStep, Tenant
from ai.runner import loading, results
from ai.runner.calls import Answer, Call
from ai.runner.order import Limits
from ai.runner.state import RunState
from tests import factories
from tests.fakes.vendors import Call as ModelsCall
from tests.fakes.vendors import Reply, VendorServer
from tests.runner.scripted import scripted_model
from tests.runs.brain import Brain
from tests.runs.executing import Execution

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(60)]

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
SEARCH = Call("c1", "search", "{}")


@pytest.fixture
def thread(tenant: Tenant) -> ChatThread:
    return factories.thread(tenant, {"role": "user", "content": "Hi"})


@pytest.fixture
def server(db: None) -> Iterator[VendorServer]:
    with scripted_model() as (running, _):
        yield running


def held(thread: ChatThread, **values: Any) -> Run:
    run = Run(thread_id=str(thread.pk), tenant_id=thread.tenant_id, model="scripted", history_until=1, **values)
    return Run.objects.hold(run, worker="w", at=timezone.now())


def state_of(run: Run) -> RunState:
    state = RunState(loading.load([run])[0].order(None, limits=Limits()), now=lambda: AT)
    state.begin()
    return state


def end(run: Run, state: RunState) -> None:
    state.message_over()
    state.end("completed")
    results.write([results.of_state(run, state)], at=AT)


def contents(thread: ChatThread) -> list[Any]:
    return [message.message["content"] for message in Message.objects.list_thread_messages(thread.pk)]  # type: ignore[index]


class TestCheckpoint:
    def test_leaves_the_step_that_has_begun_meanwhile_for_later(self, thread: ChatThread) -> None:
        run = held(thread)
        state = state_of(run)
        state.code("c1", "print()")
        state.text("Done")  # closes the code's step, and opens the message's

        results.checkpoint(run, state, at=AT)
        before = list(RunStep.objects.of_run(run.pk).values_list("type", "status"))
        end(run, state)

        assert before == [("tool_calls", "completed")]
        assert list(RunStep.objects.of_run(run.pk).values_list("index", "status")) == [
            (0, "completed"),
            (1, "completed"),
        ]
        assert contents(thread) == ["Hi", "Done"]

    def test_keeps_calls_apart_from_a_text_that_is_stored_already(self, thread: ChatThread) -> None:
        run = held(thread)
        state = state_of(run)
        state.text("Let me see.")
        state.code("c1", "print()")
        state.call_begun(2, call := Call("c2", "search", "{}"))

        results.checkpoint(run, state, at=AT)
        state.calls_over([call])
        state.answered([call], [Answer("found")])
        end(run, state)

        said = [row.message or {} for row in Message.objects.list_thread_messages(thread.pk)]
        assert [each["role"] for each in said] == ["user", "assistant", "assistant", "tool"]
        assert [each["id"] for each in said[2]["tool_calls"]] == [said[3]["tool_call_id"]] == ["c2"]

    def test_that_failed_loses_nothing(self, thread: ChatThread) -> None:
        run = held(thread)
        state = state_of(run)
        state.call_begun(0, SEARCH)
        state.calls_over([SEARCH])
        state.answered([SEARCH], [Answer("found")])
        foreign = RunStep(run_id=run.pk, tenant_id=thread.tenant_id, index=0)
        RunStep.objects.write([foreign])

        with pytest.raises(Exception, match=r"ai_run_step"):
            results.checkpoint(run, state, at=AT)
        RunStep.objects.filter(pk=foreign.pk).delete()
        state.text("Done")
        end(run, state)

        assert contents(thread) == ["Hi", None, "found", "Done"]
        assert RunStep.objects.of_run(run.pk).count() == 2

    def test_tells_the_next_process_which_ids_of_calls_were_used(self, thread: ChatThread) -> None:
        run = held(thread)
        state = state_of(run)
        state.code("c1", "print()")
        state.text("D")
        results.checkpoint(run, state, at=AT)

        again = loading.load([run])[0]

        assert (again.done.steps, again.done.call_ids) == (1, frozenset({"c1"}))


class TestRunThatCannotBeStored:
    def test_ends_and_says_so(self, thread: ChatThread, server: VendorServer) -> None:
        def spoil() -> str:
            RunStep.objects.write([RunStep(run_id=run.pk, tenant_id=thread.tenant_id, index=0)])
            return "spoiled"

        tool = tools.default.add(_in_database(spoil), name="spoil")
        run = held(thread, tools=[tool.to_json()])
        server.script(Reply(chunks=(), calls=(ModelsCall("spoil"),)), Reply(chunks=("Done",)))
        execution = Execution(run, Brain(), timezone.now)

        execution.go()

        run = Run.objects.get(pk=run.pk)
        assert (run.status, run.error_code) == ("failed", "server_error")
        assert "could not be stored" in run.error_message
        assert execution.ending == ["error", "done"]
        assert contents(thread) == ["Hi"]


def _in_database(function: Any) -> Any:
    """The function for a model: it runs on the thread that has the database."""
    from asgiref.sync import sync_to_async

    async def call() -> str:
        return str(await sync_to_async(function)())

    return call
