"""Clients and workers that do things to one thread at the same moment, each on a connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from ai import ids
from ai.exceptions import AIError, InvalidInput, ThreadBusy
from ai.models import Assistant, ChatThread, Message, Run, RunStep, Tenant
from ai.models.runs import ACTIVE, FINAL
from ai.runner import results
from ai.runner.calls import Call
from ai.runner.loading import load
from ai.runner.order import Limits
from ai.runner.state import RunState
from ai.services import actors, assistant_runs, messages, runs
from tests import factories
from tests.runs.states import check_run, check_sequence, check_steps

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]

BY = actors.SYSTEM
ROUNDS = 5
"""How often a race is run: who wins is chance."""


@pytest.fixture
def thread(tenant: Tenant) -> ChatThread:
    return factories.thread(tenant, {"role": "user", "content": "Hi"})


@pytest.fixture
def assistant(tenant: Tenant) -> Assistant:
    factories.language_model(alias="scripted")
    made: Assistant = Assistant.objects.create(tenant_id=tenant.pk, model="scripted")
    return made


def at_once(*functions: Callable[[], Any]) -> list[Any]:
    """What each returns or raises when all begin together."""
    start = Barrier(len(functions))

    def call(function: Callable[[], Any]) -> Any:
        start.wait(10)
        try:
            return function()
        except AIError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(functions)) as pool:
        contexts = [copy_context() for _ in functions]
        futures = [pool.submit(context.run, call, each) for context, each in zip(contexts, functions, strict=True)]
        return [future.result(30) for future in futures]


def create(thread: ChatThread, assistant: Assistant, **values: Any) -> Run:
    return assistant_runs.create(thread_id=thread.pk, assistant_id=assistant.pk, by=BY, at=timezone.now(), **values)


def say(thread: ChatThread) -> Message:
    return messages.create(thread_id=thread.pk, role="user", content="More", by=BY, at=timezone.now())


def check(thread: ChatThread) -> list[Run]:
    """The thread's runs, all in a state that may be."""
    thread.refresh_from_db()
    check_sequence(thread, list(Message.objects.list_thread_messages(thread.pk)))
    found = list(Run.objects.filter(thread_id=str(thread.pk)).order_by("created", "pk"))
    assert sum(run.status in ACTIVE for run in found) <= 1
    for run in found:
        check_run(run)
        check_steps(run, list(RunStep.objects.of_run(run.pk)))
    return found


class Held:
    """A run that a worker executes, up to the moment when its result is written."""

    def __init__(self, thread: ChatThread, assistant: Assistant) -> None:
        run = create(thread, assistant)
        claimed = Run.objects.claim(run.pk, worker="w", at=timezone.now())
        assert claimed is not None
        self.run = claimed
        self.state = RunState(load([claimed])[0].order(None, limits=Limits()), now=timezone.now)
        self.state.begin()

    def completes(self) -> Held:
        """The model has answered."""
        self.state.text("Hello")
        self.state.message_over()
        self.state.end("completed")
        return self

    def calls(self) -> Held:
        """The model has called a tool of the client's."""
        call = Call("c1", "ask", "{}")
        self.state.call_begun(0, call)
        self.state.calls_over([call])
        self.state.answered([call], [None])
        return self

    def write(self) -> str:
        """Store the result; the state of the run."""
        return results.write([results.of_state(self.run, self.state)], at=timezone.now())[self.run.pk]

    def cancel(self) -> Run:
        """Somebody cancels it."""
        return assistant_runs.cancel(
            thread_id=ids.parse(str(self.run.thread_id)), run_id=self.run.pk, by=BY, at=timezone.now()
        )

    def submit(self, output: str) -> str:
        """The client answers the call; which answer it was."""
        assistant_runs.submit_outputs(
            thread_id=ids.parse(str(self.run.thread_id)),
            run_id=self.run.pk,
            outputs=[{"tool_call_id": "c1", "output": output}],
            by=BY,
            at=timezone.now(),
        )
        return output


class TestTwentyClients:
    def test_that_start_runs_on_one_thread_start_one(self, thread: ChatThread, assistant: Assistant) -> None:
        found = at_once(*[lambda: create(thread, assistant)] * 20)

        made = [each for each in found if isinstance(each, Run)]
        refused = [each for each in found if isinstance(each, ThreadBusy)]
        assert (len(made), len(refused)) == (1, 19)
        assert {str(each) for each in refused} == {
            f"Thread {ids.public('thread', thread.pk)} already has an active run {ids.public('run', made[0].pk)}."
        }
        assert check(thread) == made

    def test_that_bring_messages_along_leave_those_of_the_winner(
        self, thread: ChatThread, assistant: Assistant
    ) -> None:
        more = [{"role": "user", "content": "More"}]

        at_once(*[lambda: create(thread, assistant, additional_messages=more)] * 20)

        (run,) = check(thread)
        assert run.history_until == 2
        assert Message.objects.list_thread_messages(thread.pk).count() == 2

    def test_that_start_runs_by_any_door_start_one(self, thread: ChatThread, assistant: Assistant) -> None:
        def start() -> Run:
            return runs.start(thread_id=thread.pk, model_alias="scripted", by=BY, at=timezone.now())

        found = at_once(
            *[start, lambda: create(thread, assistant), lambda: create(thread, assistant, worker="web")] * 6
        )

        assert sum(isinstance(each, Run) for each in found) == 1
        assert sum(isinstance(each, ThreadBusy) for each in found) == 17
        check(thread)


class TestMessageAndRun:
    @pytest.mark.parametrize("door", ["assistant", "python"])
    def test_no_message_slips_behind_the_runs_history(self, tenant: Tenant, assistant: Assistant, door: str) -> None:
        for _ in range(ROUNDS):
            thread = factories.thread(tenant, {"role": "user", "content": "Hi"})

            def start(thread: ChatThread = thread) -> Run:
                if door == "assistant":
                    return create(thread, assistant)
                return runs.start(thread_id=thread.pk, model_alias="scripted", by=BY, at=timezone.now())

            found = at_once(*[lambda thread=thread: say(thread)] * 3, start, *[lambda thread=thread: say(thread)] * 3)

            (run,) = check(thread)
            accepted = sum(isinstance(each, Message) for each in found)
            assert run.history_until == 1 + accepted
            assert sum(isinstance(each, ThreadBusy) for each in found) == 6 - accepted


class TestCancel:
    @pytest.mark.parametrize("how", ["completes", "calls"])
    def test_against_the_end_leaves_a_state_that_is_true(self, tenant: Tenant, assistant: Assistant, how: str) -> None:
        for _ in range(ROUNDS):
            thread = factories.thread(tenant, {"role": "user", "content": "Hi"})
            held = getattr(Held(thread, assistant), how)()

            written, cancelled = at_once(held.write, held.cancel)

            (run,) = check(thread)
            assert run.status in FINAL
            if how == "calls":
                assert run.status == "cancelled"
            if run.status == "completed":
                assert written == "completed"
                assert isinstance(cancelled, InvalidInput | Run)
            assert say(thread).sequence == 3

    def test_against_the_clients_answer_leaves_a_state_that_is_true(self, tenant: Tenant, assistant: Assistant) -> None:
        for _ in range(ROUNDS):
            thread = factories.thread(tenant, {"role": "user", "content": "Hi"})
            held = Held(thread, assistant).calls()
            held.write()

            answered, cancelled = at_once(lambda held=held: held.submit("yes"), held.cancel)  # type: ignore[misc]

            (run,) = check(thread)
            assert cancelled.status == run.status == "cancelled"
            (step,) = RunStep.objects.of_run(run.pk)
            count = Message.objects.list_thread_messages(thread.pk).count()
            if answered == "yes":
                assert (step.status, count) == ("completed", 3)
            else:
                assert (step.status, count) == ("cancelled", 2)


class TestSubmit:
    def test_of_many_clients_one_answers(self, tenant: Tenant, assistant: Assistant) -> None:
        for _ in range(ROUNDS // 2):
            thread = factories.thread(tenant, {"role": "user", "content": "Hi"})
            held = Held(thread, assistant).calls()
            held.write()

            found = at_once(*[lambda held=held, index=index: held.submit(f"answer {index}") for index in range(6)])

            (run,) = check(thread)
            winners = [each for each in found if isinstance(each, str)]
            assert len(winners) == 1
            assert all(isinstance(each, InvalidInput) for each in found if each not in winners)
            assert run.status == "queued"
            (step,) = RunStep.objects.of_run(run.pk)
            assert step.details["tool_calls"][0]["function"]["output"] == winners[0]
            last = Message.objects.list_thread_messages(thread.pk).last()
            assert last is not None
            assert (last.message or {})["content"] == winners[0]

    def test_of_what_postgresql_cannot_store_is_stored_as_it_can(
        self, thread: ChatThread, assistant: Assistant
    ) -> None:
        held = Held(thread, assistant).calls()
        held.write()

        held.submit("a\x00b\ud800")

        (step,) = RunStep.objects.of_run(held.run.pk)
        assert step.details["tool_calls"][0]["function"]["output"] == "a\ufffdb\ufffd"
