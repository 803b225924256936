"""The state machine of runs under whatever may happen to it, in any order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ai import ids, tenancy, tools
from ai.exceptions import InvalidInput, RunNotActive, ThreadBusy
from ai.models import Assistant, Run, Worker
from ai.models.runs import ACTIVE, WAITING
from ai.services import actors, assistant_runs, messages, runs, workers
from tests import factories
from tests.fakes.vendors import VendorServer
from tests.runner.scripted import scripted_model
from tests.runs.brain import ASK, LOOKUP, Brain, Move, said
from tests.runs.executing import Execution, Moment
from tests.runs.states import Watch

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
NO_PROCESS = 2**22 + 1
"""A process id that Linux never gives."""

BY = actors.SYSTEM
THREADS = 2
CLIENTS_TOOL = {"type": "function", "function": {"name": ASK, "parameters": {"type": "object", "properties": {}}}}

calls = st.builds(Move, kind=st.just("call"), asks=st.integers(0, 2), lookups=st.integers(0, 2), words=st.booleans())
endings = st.builds(Move, kind=st.sampled_from(["say", "fail", "cut", "break"]))
plans = st.lists(calls, max_size=3).flatmap(lambda first: endings.map(lambda last: [*first, last]))
threads = st.integers(0, THREADS - 1)
moments = st.builds(
    Moment, do=st.sampled_from(["", "", "act", "wait", "hang up", "kill", "kill"]), at=st.integers(0, 14)
).map(lambda m: Moment(m.do, m.at % 3) if m.do in {"act", "wait"} else m)
outputs = st.sampled_from(["all", "all", "all", "some", "unknown", "more", "none"])


class Machine(RuleBasedStateMachine):
    """Threads, assistants, clients, processes that execute runs, and the time that passes."""

    brain: Brain
    server: VendorServer

    def __init__(self) -> None:
        super().__init__()
        self._atomic = transaction.atomic()
        self._atomic.__enter__()
        self.server.script(self.brain.answer)
        self.brain.said.clear()
        self.brain.problems.clear()
        self.at, self.watch = AT, Watch()
        self.number = 0
        self.threads: list[UUID] = []

    @initialize()
    def begin(self) -> None:
        tenant = factories.tenant()
        self.tenant_id: UUID = tenant.pk
        self._scope = tenancy.scope(tenant.pk)
        self._scope.__enter__()
        self.threads = [factories.thread(tenant).pk for _ in range(THREADS)]
        self.brain.said.update({index: [] for index in range(THREADS)})
        lookup = tools.default.get(LOOKUP)
        assert lookup is not None
        offered: list[list[dict[str, Any]]] = [[], [CLIENTS_TOOL, lookup.to_json()]]
        rows = [Assistant(tenant_id=tenant.pk, model="scripted", tools=each) for each in offered]
        self.assistants: list[UUID] = [row.pk for row in Assistant.objects.bulk_create(rows)]

    def teardown(self) -> None:
        if hasattr(self, "_scope"):
            self._scope.__exit__(None, None, None)
        transaction.set_rollback(True)
        self._atomic.__exit__(None, None, None)

    def now(self) -> datetime:
        return self.at

    # -- What clients do

    @rule(thread=threads, moves=plans)
    def say(self, thread: int, moves: list[Move]) -> None:
        self.number += 1
        refused = self._is_busy(thread)

        try:
            with transaction.atomic():
                text = said(thread, self.number, moves)
                messages.create(thread_id=self.threads[thread], role="user", content=text, by=BY, at=self.at)
        except ThreadBusy:
            assert refused
        else:
            assert not refused
            self.brain.said[thread].append(self.number)

    @rule(thread=threads, assistant=st.integers(0, 1))
    def ask(self, thread: int, assistant: int) -> None:
        self._create(thread, assistant)

    @rule(thread=threads, assistant=st.integers(0, 1), moves=plans, moment=moments)
    def ask_and_stream(self, thread: int, assistant: int, moves: list[Move], moment: Moment) -> None:
        self.say(thread=thread, moves=moves)
        worker = f"web{self.number}"
        run = self._create(thread, assistant, worker=worker)
        if run is not None:
            self._execute(run, worker, moment)

    @rule(thread=threads, which=outputs, moment=moments, streamed=st.booleans())
    def answer_calls(self, thread: int, which: str, moment: Moment, streamed: bool) -> None:
        run = self._last(thread)
        if run is None:
            return
        expected, given = self._outputs(run, which)
        late = run.expires_at is not None and run.expires_at < self.at
        worker = f"web{self.number}" if streamed else ""

        try:
            with transaction.atomic():
                found, step = assistant_runs.submit_outputs(
                    thread_id=self.threads[thread], run_id=run.pk, outputs=given, by=BY, at=self.at, worker=worker
                )
        except InvalidInput:
            assert late or not expected or {each["tool_call_id"] for each in given} != set(expected)
        else:
            assert not late
            assert {each["tool_call_id"] for each in given} == set(expected) != set()
            assert step.status == "completed"
            self.watch.answered(run.pk)
            if streamed:
                self._execute(found, worker, moment)

    @rule(thread=threads)
    def cancel(self, thread: int) -> None:
        run = self._last(thread)
        if run is not None:
            self._cancel(run)

    # -- What processes do

    @rule()
    def work(self) -> None:
        """A worker executes all that is queued."""
        runs.drain(worker="worker", now=self.now)

    @rule(moment=moments)
    def work_on_one(self, moment: Moment) -> None:
        """A worker takes one run, and something happens meanwhile."""
        self.number += 1
        worker = f"worker{self.number}"
        taken = Run.objects.claim_next(worker=worker, at=self.at, most=1)
        for run in taken:
            self._execute(run, worker, moment)

    @rule()
    def sweep(self) -> None:
        with tenancy.everything(reason="a worker looks after what others left"):
            workers.sweep(at=self.at)

    @rule(seconds=st.sampled_from([1, 31, 31, 601]))
    def wait(self, seconds: int) -> None:
        self.at += timedelta(seconds=seconds)

    # -- What must hold

    @invariant()
    def everything_is_true(self) -> None:
        assert not self.brain.problems
        said = {thread_id: self.brain.said[index] for index, thread_id in enumerate(self.threads)}
        self.watch.look(said, self.brain.answers)

    # -- How

    def _last(self, thread: int) -> Run | None:
        found: Run | None = Run.objects.filter(thread_id=str(self.threads[thread])).order_by("created", "pk").last()
        return found

    def _is_busy(self, thread: int) -> bool:
        run = self._last(thread)
        is_late = run is not None and run.expires_at is not None and run.expires_at < self.at
        return run is not None and run.status in ACTIVE and not (run.status in WAITING and is_late)

    def _create(self, thread: int, assistant: int, worker: str = "") -> Run | None:
        refused = self._is_busy(thread)
        try:
            with transaction.atomic():
                made = assistant_runs.create(
                    thread_id=self.threads[thread],
                    assistant_id=self.assistants[assistant],
                    by=BY,
                    at=self.at,
                    worker=worker,
                )
        except ThreadBusy:
            assert refused
            return None
        assert not refused
        self.at += timedelta(milliseconds=1)
        return made

    def _outputs(self, run: Run, which: str) -> tuple[list[str], list[dict[str, str]]]:
        asked = ((run.required_action or {}).get("submit_tool_outputs") or {}).get("tool_calls") or []
        expected = [call["id"] for call in asked]
        given = {
            "all": expected,
            "some": expected[1:],
            "unknown": [*expected[1:], "call_unknown"],
            "more": [*expected, "call_unknown"],
            "none": [],
        }[which]
        return expected, [{"tool_call_id": each, "output": f"the answer to {each}"} for each in given]

    def _cancel(self, run: Run) -> None:
        run = Run.objects.get(pk=run.pk)
        try:
            with transaction.atomic():
                found = assistant_runs.cancel(thread_id=ids.parse(str(run.thread_id)), run_id=run.pk, by=BY, at=self.at)
        except (InvalidInput, RunNotActive):
            assert run.status not in ACTIVE
        else:
            assert run.status in ACTIVE
            assert found.status == ("cancelled" if run.status in WAITING else "cancelling")

    def _execute(self, run: Run, worker: str, moment: Moment) -> None:
        Worker.objects.beat(name=worker, host=workers.host(), pid=NO_PROCESS, at=self.at)
        execution = Execution(run, self.brain, self.now, moment, act=lambda: self._try_to_cancel(run))

        execution.go()

        status = Run.objects.get(pk=run.pk).status
        if not execution.is_killed:
            assert status not in {"in_progress", "cancelling", "queued"}
            assert execution.ending == [f"thread.run.{status}", "done"]

    def _try_to_cancel(self, run: Run) -> None:
        with tenancy.scope(self.tenant_id):
            self._cancel(run)


@pytest.fixture
def machine(db: None, settings: Any) -> Iterator[type[Machine]]:
    """The machine, with a model to ask."""
    settings.AI_MODEL_RETRIES = 0
    settings.AI_RUN_MAX_ROUNDS = 5
    tools.default.add(lambda: "found", name=LOOKUP)
    with scripted_model() as (server, _):
        server.keep_requests = False
        Machine.server, Machine.brain = server, Brain()
        yield Machine


def test_whatever_happens_no_run_is_in_an_illegal_state(machine: type[Machine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
