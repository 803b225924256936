"""Runs: started, executed by one worker, ended once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.utils import timezone

from ai import tenancy, tools
from ai.exceptions import Forbidden, NotFound, RunNotActive, ThreadBusy
from ai.models import ChatThread, Job, LanguageModel, Message, Run, RunStep, Tenant
from ai.runner import results
from ai.runner.pool import Pool
from ai.services import actors, replays, runs
from tests import factories
from tests.fakes.vendors import Call, Failure, Reply, VendorServer
from tests.runner.scripted import scripted_model

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}]


@pytest.fixture
def scripted(db: None) -> Iterator[VendorServer]:
    with scripted_model() as (server, _):
        yield server


@pytest.fixture
def thread(tenant: Tenant) -> ChatThread:
    return factories.thread(tenant, {"role": "user", "content": "Hi"})


def start(thread: ChatThread, **values: Any) -> Run:
    fixed: dict[str, Any] = {"model_alias": "scripted", "by": actors.SYSTEM, "at": timezone.now()}
    return runs.start(thread_id=thread.pk, **(fixed | values))


def execute(run: Run) -> Run:
    assert runs.execute(run_id=run.pk, worker="w", now=timezone.now)
    run.refresh_from_db()
    return run


def drain(**values: Any) -> int:
    return runs.drain(worker="w", now=timezone.now, **values)


def queue_replays(tenant: Tenant, count: int) -> Job:
    targets = [replays.Target(factories.thread(tenant, *factories.talk(1)).pk) for _ in range(count)]
    return replays.request(targets=targets, model_aliases=["scripted"], by=actors.SYSTEM, at=timezone.now())


class TestStart:
    def test_has_a_worker_execute_it(
        self, thread: ChatThread, sent_tasks: list[Any], django_capture_on_commit_callbacks: Any
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            run = start(thread)

        assert sent_tasks == [("ai.tasks.runs.execute", {"run_id": str(run.pk)})]

    def test_refuses_a_second_active_run(self, thread: ChatThread) -> None:
        start(thread)

        with pytest.raises(ThreadBusy):
            start(thread)

    def test_needs_the_permission(self, thread: ChatThread) -> None:
        with pytest.raises(Forbidden):
            start(thread, by=factories.staff("view_run"))

    def test_of_a_thread_that_does_not_exist(self, tenant: Tenant) -> None:
        with pytest.raises(NotFound):
            runs.start(thread_id=uuid4(), model_alias="m", by=actors.SYSTEM, at=AT)


class TestExecute:
    def test_appends_the_answer_to_the_thread(self, thread: ChatThread, scripted: VendorServer) -> None:
        run = execute(start(thread))

        assert run.status == "completed"
        assert run.response_model
        last = Message.objects.list_thread_messages(thread.pk).last()
        assert last is not None
        assert last.message is not None
        assert (last.message["content"], last.run_id) == ("Hello there.", str(run.pk))
        thread.refresh_from_db()
        assert (thread.message_count, thread.model) == (2, "scripted")

    @pytest.mark.parametrize(
        ("reply", "status", "code"),
        [
            (Failure("unauthorized"), "failed", "authentication_failed"),
            (Failure("no_model"), "failed", "model_not_found"),
            (Failure("context"), "failed", "context_length_exceeded"),
            (Reply(broken="disconnect"), "failed", "server_error"),
            (Reply(finish="length"), "incomplete", ""),
        ],
    )
    def test_ends_in_one_final_state(
        self, thread: ChatThread, scripted: VendorServer, reply: Any, status: str, code: str
    ) -> None:
        scripted.script(reply)

        run = execute(start(thread))

        assert (run.status, run.error_code) == (status, code)
        assert run.ended_at is not None
        assert run.leased_by == ""
        assert not RunStep.objects.filter(run_id=run.pk, status="in_progress").exists()

    def test_expires_when_its_time_is_over(self, thread: ChatThread, scripted: VendorServer, settings: Any) -> None:
        scripted.script(Reply(chunks=("a",) * 100, chunk_delay=0.1))
        run = start(thread)
        Run.objects.filter(pk=run.pk).update(expires_at=timezone.now() + timedelta(seconds=0.5))

        assert execute(run).status == "expired"

    def test_a_model_that_does_not_exist_fails_the_run(self, thread: ChatThread) -> None:
        run = execute(start(thread, model_alias="unknown"))

        assert (run.status, run.error_code) == ("failed", "model_not_found")
        assert "unknown" in run.error_message

    def test_calls_registered_functions_in_the_tenants_scope(self, thread: ChatThread, scripted: VendorServer) -> None:
        seen = []

        @tools.register(name="add")
        def add(a: int, b: int) -> int:
            seen.append(tenancy.get_current_tenant_id())
            return a + b

        scripted.script(Reply(chunks=(), calls=(Call("add", '{"a": 1, "b": 2}'),)), Reply(chunks=("3",)))
        with tenancy.everything(reason="as a worker"):
            run = execute(start(thread, tools=TOOLS))

        assert seen == [thread.tenant_id]
        assert run.status == "completed"
        roles = Message.objects.list_thread_messages(thread.pk).values_list("role", flat=True)
        assert list(roles) == ["user", "assistant", "tool", "assistant"]

    def test_waits_for_the_client_to_answer_other_calls(self, thread: ChatThread, scripted: VendorServer) -> None:
        scripted.script(Reply(chunks=(), calls=(Call("unheard_of"),)))

        run = execute(start(thread, tools=TOOLS))

        assert run.status == "requires_action"
        assert run.required_action is not None
        assert run.leased_by == ""

    def test_happens_once(self, thread: ChatThread, scripted: VendorServer) -> None:
        run = execute(start(thread))

        assert not runs.execute(run_id=run.pk, worker="other", now=timezone.now)
        assert len(scripted.requests) == 1

    def test_stores_what_postgresql_cannot_as_it_can(self, thread: ChatThread, scripted: VendorServer) -> None:
        scripted.script(Reply(chunks=("a\x00b",)))

        execute(start(thread))

        last = Message.objects.list_thread_messages(thread.pk).last()
        assert last is not None
        assert last.message is not None
        assert last.message["content"] == "a\ufffdb"


class TestDrain:
    def test_executes_everything_queued(self, tenant: Tenant, scripted: VendorServer) -> None:
        job = queue_replays(tenant, 7)

        assert drain() == 7

        job.refresh_from_db()
        assert (job.status, job.done, job.failed, job.total) == ("completed", 7, 0, 7)

    def test_counts_what_failed(self, tenant: Tenant, scripted: VendorServer) -> None:
        scripted.script(Failure("unauthorized"), Reply())
        job = queue_replays(tenant, 3)

        drain()

        job.refresh_from_db()
        assert (job.status, job.done, job.failed) == ("completed", 2, 1)

    def test_can_be_kept_to_one_job(self, tenant: Tenant, scripted: VendorServer) -> None:
        first, second = queue_replays(tenant, 2), queue_replays(tenant, 2)

        assert drain(job_id=second.pk) == 2

        assert set(Run.objects.filter(job_id=first.pk).values_list("status", flat=True)) == {"queued"}

    def test_never_carries_more_than_it_may(self, tenant: Tenant, scripted: VendorServer, settings: Any) -> None:
        settings.AI_RUN_CONCURRENCY = 3
        scripted.script(Reply(first_byte_delay=0.1))
        queue_replays(tenant, 9)

        assert drain() == 9

        assert scripted.most_thinking == 3

    def test_serves_every_tenant(self, tenant: Tenant, scripted: VendorServer) -> None:
        other = factories.tenant()
        queue_replays(tenant, 1)
        with tenancy.scope(other.pk):
            queue_replays(other, 1)

        assert drain() == 2

    def test_reads_each_batch_with_a_few_queries(
        self, tenant: Tenant, scripted: VendorServer, django_assert_max_num_queries: Any
    ) -> None:
        queue_replays(tenant, 20)

        with django_assert_max_num_queries(110):  # 20 answers, each written by one UPDATE and, in batches, its steps
            drain()

    def test_drops_an_answer_that_is_no_longer_its_own(self, tenant: Tenant, scripted: VendorServer) -> None:
        def steal(_: Any) -> Reply:
            return Reply(first_byte_delay=0.5)

        scripted.script(steal)
        queue_replays(tenant, 1)
        taken: list[Run] = []

        def claim(most: int) -> list[Run]:
            if taken:
                return []
            taken.extend(Run.objects.claim_next(worker="w", at=timezone.now(), most=most))
            Run.objects.update(leased_by="thief#1")
            return taken

        from asgiref.sync import async_to_sync

        with tenancy.everything(reason="a worker"):
            ended = async_to_sync(Pool(claim, now=timezone.now).run)()

        assert ended == 0
        assert Run.objects.get().leased_by == "thief#1"
        assert not RunStep.objects.exists()

    def test_one_result_that_cannot_be_stored_fails_alone(self, tenant: Tenant, scripted: VendorServer) -> None:
        queue_replays(tenant, 2)
        taken = Run.objects.claim_next(worker="w", at=AT, most=2)
        good, bad = (results.Result(run, "completed", {"prompt_tokens": 1}) for run in taken)
        bad.values["response_model"] = "x" * 300 if connections["default"].vendor == "postgresql" else None

        written = results.write([good, bad], at=AT)

        assert len(written) == 2
        statuses = dict(Run.objects.values_list("pk", "status"))
        assert statuses == {good.run.pk: "completed", bad.run.pk: "failed"}


class TestCancel:
    def test_ends_a_waiting_run_at_once(self, tenant: Tenant) -> None:
        factories.language_model(alias="scripted")
        job = queue_replays(tenant, 1)

        run = runs.cancel(run_id=Run.objects.get().pk, by=actors.SYSTEM, at=AT)

        assert run.status == "cancelled"
        job.refresh_from_db()
        assert (job.status, job.failed) == ("completed", 1)

    def test_refuses_a_run_that_has_ended(self, thread: ChatThread, scripted: VendorServer) -> None:
        run = execute(start(thread))

        with pytest.raises(RunNotActive):
            runs.cancel(run_id=run.pk, by=actors.SYSTEM, at=AT)

    def test_needs_the_permission(self, thread: ChatThread) -> None:
        with pytest.raises(Forbidden):
            runs.cancel(run_id=start(thread).pk, by=factories.staff("view_run"), at=AT)


@pytest.mark.django_db(transaction=True)
class TestWhileRunning:
    """What one thread does to the runs that another executes."""

    @pytest.fixture
    def busy(self, tenant: Tenant, scripted: VendorServer) -> Iterator[VendorServer]:
        scripted.script(Reply(chunks=("a",) * 500, chunk_delay=0.02))
        queue_replays(tenant, 3)
        worker = threading.Thread(target=self.work)
        worker.start()
        self.until(lambda: len(scripted.requests) == 3)
        yield scripted
        runs.resume()
        worker.join(20)
        assert not worker.is_alive()

    def work(self) -> None:
        try:
            drain()
        finally:
            connections.close_all()

    def until(self, done: Any) -> None:
        end = time.monotonic() + 20
        while not done():
            assert time.monotonic() < end
            time.sleep(0.02)

    def statuses(self) -> list[str]:
        return sorted(Run.objects.values_list("status", flat=True))

    def test_a_cancelled_run_hangs_up_within_a_second(self, busy: VendorServer) -> None:
        time.sleep(0.5)
        for run in Run.objects.all():
            runs.cancel(run_id=run.pk, by=actors.SYSTEM, at=timezone.now())

        for request in busy.requests:
            assert request.wait_for_hang_up(1)
        self.until(lambda: self.statuses() == ["cancelled"] * 3)
        assert all(run.output[0]["content"].startswith("aa") for run in Run.objects.all())
        assert Job.objects.get().failed == 3

    def test_shows_what_has_been_said_so_far(self, busy: VendorServer) -> None:
        run = Run.objects.all()[0]
        self.until(lambda: replays.comparison(run_id=run.pk).replays[0].text.startswith("aaa"))

        runs.stop()
        self.until(lambda: self.statuses() == ["queued"] * 3)

    def test_a_process_that_stops_gives_its_runs_back(self, busy: VendorServer) -> None:
        runs.stop()

        self.until(lambda: self.statuses() == ["queued"] * 3)
        assert set(Run.objects.values_list("attempt", "leased_by")) == {(0, "")}
        for request in busy.requests:
            assert request.wait_for_hang_up(1)

    def test_a_second_drain_leaves_the_work_to_the_first(self, busy: VendorServer) -> None:
        assert drain() == 0

        runs.stop()


def test_a_models_key_is_never_in_a_runs_error(thread: ChatThread, scripted: VendorServer) -> None:
    row = LanguageModel.objects.get(alias="scripted")
    row.set_api_key("sk-live-0123456789abcdef")
    row.save()
    scripted.script(Failure("unauthorized"))

    run = execute(start(thread))

    assert "0123456789abcdef" not in run.error_message
