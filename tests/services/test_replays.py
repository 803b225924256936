"""Replays: the answer of another model, and not a byte of the conversation changed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections

from ai import ids, tenancy
from ai.exceptions import Forbidden, InvalidInput, NotFound
from ai.models import AuditEntry, ChatThread, Job, LanguageModel, Message, Run, RunStep, SearchDocument, Tenant
from ai.services.replays import Target
from tests import factories
from tests.fakes.vendors import Call, Reply, VendorServer
from tests.services.replaying import AT, CALL, TALK, ask, dump, original, replay, work

pytestmark = pytest.mark.django_db


class TestRequest:
    def test_sends_the_history_up_to_the_last_question(self, thread: ChatThread, scripted: VendorServer) -> None:
        replay(thread)

        sent = scripted.requests[0].json["messages"]
        assert [(m["role"], m["content"]) for m in sent] == [
            ("system", "Be nice."),
            ("user", "Hello"),
            ("assistant", "Hi!"),
            ("user", "Weather in Oslo?"),
        ]

    def test_sends_what_the_original_run_sent(self, thread: ChatThread, scripted: VendorServer) -> None:
        run = original(thread)

        replay(thread)

        sent = scripted.requests[0].json
        assert sent["messages"][1] == {"role": "system", "content": "Be quick."}
        assert sent["temperature"] == 0.5
        assert sent["tools"][0]["function"]["name"] == "weather"
        assert Run.objects.replays().get().replay_of == run.pk

    def test_leaves_the_conversation_byte_for_byte(self, thread: ChatThread, scripted: VendorServer) -> None:
        original(thread)
        before, documents = dump(thread), SearchDocument.objects.count()

        run = replay(thread)

        assert run.status == "completed"
        assert dump(thread) == before
        assert SearchDocument.objects.count() == documents

    def test_replaces_instructions_and_temperature(self, thread: ChatThread, scripted: VendorServer) -> None:
        original(thread)

        replay(thread, instructions="Be rude.", temperature=0)

        sent = scripted.requests[0].json
        system = [m["content"] for m in sent["messages"] if m["role"] == "system"]
        assert system == ["Be rude."]
        assert sent["temperature"] == 0

    def test_keeps_answer_steps_usage_and_cost_on_the_run(self, thread: ChatThread, scripted: VendorServer) -> None:
        LanguageModel.objects.update(input_price=1, output_price=2)

        run = replay(thread)

        assert [m["content"] for m in run.output] == ["Hello there."]
        assert (run.prompt_tokens, run.completion_tokens, run.total_tokens) == (11, 7, 18)
        assert str(run.cost) == "0.00002500"
        assert run.first_token_ms is not None
        assert run.duration_ms is not None
        assert [(s.type, s.status) for s in RunStep.objects.of_run(run.pk)] == [("message_creation", "completed")]

    def test_answers_tool_calls_from_the_conversation(self, thread: ChatThread, scripted: VendorServer) -> None:
        original(thread)
        scripted.script(Reply(chunks=(), calls=(Call("weather", '{"city":"Oslo"}'),)), Reply(chunks=("Take a coat.",)))

        run = replay(thread)

        assert [(m["role"], m["content"]) for m in run.output] == [
            ("assistant", None),
            ("tool", "rain"),
            ("assistant", "Take a coat."),
        ]
        assert run.output[1]["recorded"] is True

    def test_answers_tool_calls_from_the_original_runs_steps(self, tenant: Tenant, scripted: VendorServer) -> None:
        thread = factories.thread(tenant, *factories.talk(1))
        run = original(thread)
        Message.objects.filter(thread_id=str(thread.pk), sequence=2).update(run_id=str(run.pk))
        call = {**CALL, "function": {**CALL["function"], "output": "snow"}}
        details = {"type": "tool_calls", "tool_calls": [call]}
        RunStep.objects.write([RunStep(run_id=run.pk, tenant_id=tenant.pk, type="tool_calls", details=details)])
        scripted.script(Reply(chunks=(), calls=(Call("weather", '{"city":"Oslo"}'),)), Reply(chunks=("Cold.",)))

        assert replay(thread).output[1]["content"] == "snow"

    def test_offers_the_tools_of_a_conversation_without_a_run(self, thread: ChatThread, scripted: VendorServer) -> None:
        replay(thread)

        sent = scripted.requests[0].json
        assert [tool["function"]["name"] for tool in sent["tools"]] == ["weather"]

    def test_replays_the_answer_of_a_run(self, thread: ChatThread, scripted: VendorServer) -> None:
        first = Run(tenant_id=thread.tenant_id, thread_id=str(thread.pk), model="old", status="completed", ended_at=AT)
        first.save(force_insert=True)
        Message.objects.filter(thread_id=str(thread.pk), sequence=3).update(run_id=ids.public("run", first.pk))

        ask(Target(thread.pk, first.pk))
        work()

        run = Run.objects.replays().get()
        assert (run.history_until, run.replay_from, run.replay_to) == (2, 3, 3)
        assert len(scripted.requests[0].json["messages"]) == 2

    def test_replaying_a_replay_replays_the_original(self, thread: ChatThread, scripted: VendorServer) -> None:
        run_before = original(thread)
        first = replay(thread, temperature=2)

        ask(Target(thread.pk, first.pk))
        work()

        second = Run.objects.replays().exclude(pk=first.pk).get()
        assert second.replay_of == run_before.pk
        assert (second.replay_from, second.replay_to) == (first.replay_from, first.replay_to)
        assert second.settings == {"temperature": 0.5}

    def test_replays_a_run_that_failed_before_it_answered(self, tenant: Tenant, scripted: VendorServer) -> None:
        thread = factories.thread(tenant, {"role": "user", "content": "Hello"})
        failed = {"status": "failed", "error_code": "timeout", "ended_at": AT, "history_until": 1}
        run = Run(tenant_id=tenant.pk, thread_id=str(thread.pk), model="old", **failed)
        run.save(force_insert=True)

        ask(Target(thread.pk, run.pk))
        work()

        assert Run.objects.replays().get().status == "completed"

    def test_the_same_form_twice_makes_one_replay(self, thread: ChatThread) -> None:
        factories.language_model(alias="scripted")

        first, second = (ask(Target(thread.pk), key="form-1") for _ in range(2))

        assert first == second
        assert Run.objects.replays().count() == 1
        assert AuditEntry.objects.filter(action="run.replayed").count() == 1

    def test_another_form_makes_another(self, thread: ChatThread) -> None:
        factories.language_model(alias="scripted")

        ask(Target(thread.pk))
        ask(Target(thread.pk))

        assert Run.objects.replays().count() == 2

    def test_makes_one_run_of_each_target_on_each_model(self, tenant: Tenant) -> None:
        for alias in ("a", "b"):
            factories.language_model(alias=alias)
        threads = [factories.thread(tenant, *TALK) for _ in range(3)]

        job = ask(*(Target(thread.pk) for thread in threads + threads[:1]), model_aliases=["a", "b", "a"])

        assert job.total == 6
        assert Run.objects.filter(job_id=job.pk).count() == 6

    def test_of_several_tenants_is_for_who_sees_everything(self, thread: ChatThread) -> None:
        factories.language_model(alias="scripted")
        other = factories.thread(factories.tenant(), *TALK)
        targets = [Target(thread.pk), Target(other.pk)]

        with (
            tenancy.scope(str(thread.tenant_id), str(other.tenant_id)),
            pytest.raises(InvalidInput, match="one tenant"),
        ):
            ask(*targets)
        with tenancy.everything(reason="as a superuser"):
            job = ask(*targets)
            assert set(Run.objects.values_list("tenant_id", flat=True)) == {thread.tenant_id, other.tenant_id}

        assert (job.tenant_id, job.total) == (None, 2)

    def test_the_number_of_queries_does_not_grow_with_the_targets(
        self, tenant: Tenant, django_assert_max_num_queries: Any
    ) -> None:
        factories.language_model(alias="scripted")
        threads = [factories.thread(tenant, *TALK) for _ in range(40)]

        with django_assert_max_num_queries(16):
            ask(*(Target(thread.pk) for thread in threads))

    @pytest.mark.parametrize(("count", "task"), [(1, "ai.tasks.runs.execute"), (3, "ai.tasks.runs.drain")])
    def test_wakes_workers_when_it_commits(
        self, tenant: Tenant, sent_tasks: list[Any], django_capture_on_commit_callbacks: Any, count: int, task: str
    ) -> None:
        factories.language_model(alias="scripted")
        threads = [factories.thread(tenant, *TALK) for _ in range(count)]

        with django_capture_on_commit_callbacks(execute=True):
            ask(*(Target(thread.pk) for thread in threads))
            assert sent_tasks == []

        assert [name for name, _ in sent_tasks] == [task]

    @pytest.mark.parametrize(
        ("values", "error"),
        [
            ({"model_aliases": []}, InvalidInput),
            ({"model_aliases": ["unknown"]}, NotFound),
            ({"temperature": 3}, InvalidInput),
        ],
    )
    def test_refuses_what_makes_no_sense(self, thread: ChatThread, values: Any, error: Any) -> None:
        factories.language_model(alias="scripted")

        with pytest.raises(error):
            ask(Target(thread.pk), **values)

        assert not Job.objects.exists()

    def test_refuses_a_conversation_in_which_nothing_was_asked(self, tenant: Tenant) -> None:
        factories.language_model(alias="scripted")
        thread = factories.thread(tenant, {"role": "assistant", "content": "Welcome!"})

        with pytest.raises(InvalidInput, match="nobody has asked"):
            ask(Target(thread.pk))

    def test_another_tenants_conversation_does_not_exist(self, thread: ChatThread) -> None:
        factories.language_model(alias="scripted")

        with tenancy.scope(uuid4()), pytest.raises(NotFound):
            ask(Target(thread.pk))

    def test_needs_the_permission(self, thread: ChatThread) -> None:
        with pytest.raises(Forbidden, match=r"ai\.replay_run"):
            ask(Target(thread.pk), by=factories.staff("view_run"))


@pytest.mark.django_db(transaction=True)
def test_a_form_sent_ten_times_at_once_makes_one_replay(tenant: Tenant) -> None:
    factories.language_model(alias="scripted")
    thread = factories.thread(tenant, *TALK)

    def send(_: int) -> Job:
        try:
            with tenancy.scope(tenant.pk):
                return ask(Target(thread.pk), key="form-1")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        jobs = set(pool.map(send, range(10)))

    assert len(jobs) == 1
    assert Run.objects.count() == 1
