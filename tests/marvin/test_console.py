"""Agents and Marvin's conversations in the console: executed by workers, read, and replayed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import marvin
import pytest
from django.utils import timezone

from ai.marvin import DjangoHandler, DjangoThread
from ai.models import ChatThread, Message, Run, RunStep, Tenant
from ai.services import actors, replays, runs, transcripts
from ai.services.replays import Target
from tests import factories
from tests.fakes.vendors import Reply
from tests.marvin import agents
from tests.runner.scripted import scripted_model

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loop_for_marvin")] + [
    pytest.mark.filterwarnings(each) for each in agents.KNOWN_WARNINGS
]

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _agents(settings: Any) -> None:
    settings.AI_AGENTS = {name: f"tests.marvin.agents.{name}" for name in ("support", "sales")}
    agents.looked_up.clear()


def execute(thread: ChatThread, alias: str) -> Run:
    run = runs.start(thread_id=thread.pk, model_alias=alias, by=actors.SYSTEM, at=timezone.now())
    assert runs.execute(run_id=run.pk, worker="w", now=timezone.now)
    run.refresh_from_db()
    return run


def replayed(thread: ChatThread, alias: str) -> Run:
    job = replays.request(targets=[Target(thread.pk)], model_aliases=[alias], by=actors.SYSTEM, at=timezone.now())
    runs.drain(worker="w", now=timezone.now)
    found: Run = Run.objects.get(job_id=job.pk)
    return found


def asked(tenant: Tenant) -> ChatThread:
    return factories.thread(tenant, {"role": "user", "content": "Where is order 7?"})


def run_by_marvin(**more: Any) -> ChatThread:
    thread = DjangoThread()
    agent = agents.agent(agents.looks_up_first, tools=[agents.look_up], **more)
    marvin.run("Where is order 7?", agents=[agent], thread=thread, handlers=[DjangoHandler()])
    row = thread.store.find()
    assert row
    return row


class TestRun:
    def test_of_an_agent_shows_its_tools_as_steps(self, tenant: Tenant) -> None:
        thread = asked(tenant)

        run = execute(thread, "support")

        assert (run.status, run.model, run.response_model) == ("completed", "support", "script")
        assert run.total_tokens > 0
        calls, said = RunStep.objects.of_run(run.pk)
        assert [(call["function"]["name"], call["function"]["output"]) for call in calls.details["tool_calls"]] == [
            ("look_up", "Order 7 left Hamburg.")
        ]
        assert (calls.status, said.type) == ("completed", "message_creation")
        [row] = Message.objects.filter(role="assistant")
        assert row.message
        assert (row.message["content"], row.message.get("tool_calls")) == ("Order 7 left Hamburg.", None)

    def test_of_several_agents_in_turn(self, tenant: Tenant) -> None:
        thread = asked(tenant)

        models = [execute(thread, alias).model for alias in ("support", "sales")]

        assert models == ["support", "sales"]
        assert [row.preview for row in Message.objects.filter(role="assistant").order_by("sequence")] == [
            "Order 7 left Hamburg.", "We have three of them."
        ]  # fmt: skip

    def test_of_an_agent_is_its_tenants(self, tenant: Tenant, settings: Any) -> None:
        settings.AI_AGENTS = {"clerk": "tests.marvin.agents.clerk"}

        execute(asked(tenant), "clerk")

        assert Message.objects.get(role="assistant").preview == str(tenant.pk)

    def test_of_an_agent_that_is_nowhere_fails_and_says_why(self, tenant: Tenant, settings: Any) -> None:
        settings.AI_AGENTS = {"support": "tests.marvin.agents.nobody"}

        run = execute(asked(tenant), "support")

        assert run.status == "failed"
        assert "has no nobody" in run.error_message


class TestReplay:
    def test_on_an_agent_executes_no_tool_again(self, tenant: Tenant) -> None:
        thread = asked(tenant)
        execute(thread, "support")
        assert agents.looked_up == [7]

        replay = replayed(thread, "support")

        assert (replay.status, agents.looked_up) == ("completed", [7])
        assert [message["content"] for message in replay.output] == ["Order 7 left Hamburg."]

    def test_on_an_agent_tells_it_what_is_not_recorded(self, tenant: Tenant) -> None:
        thread = factories.thread(
            tenant, {"role": "user", "content": "Where?"}, {"role": "assistant", "content": "I do not know."}
        )

        replay = replayed(thread, "support")

        assert agents.looked_up == []
        assert "No recorded result exists" in replay.output[-1]["content"]

    def test_of_what_marvin_wrote_on_an_agent(self, tenant: Tenant) -> None:
        thread = run_by_marvin()

        replay = replayed(thread, "support")

        assert (replay.status, agents.looked_up) == ("completed", [7])
        assert replay.output[-1]["content"] == "Order 7 left Hamburg."

    def test_of_what_marvin_wrote_on_another_model(self, tenant: Tenant) -> None:
        thread = run_by_marvin(model_settings={"temperature": 0.2})
        with scripted_model() as (server, _):
            server.script(Reply(chunks=("Near Hamburg.",)))

            replay = replayed(thread, "scripted")

        assert replay.output == [{"role": "assistant", "content": "Near Hamburg."}]
        [request] = server.requests
        assert [(m["role"], m["content"]) for m in request.json["messages"]] == [
            ("system", "You help the customers of a shop."), ("user", "Where is order 7?")
        ]  # fmt: skip
        assert [tool["function"]["name"] for tool in request.json["tools"]] == ["look_up"]
        assert request.json["temperature"] == 0.2


class TestTranscript:
    def test_of_what_marvin_wrote_reads_like_any_other(self, tenant: Tenant) -> None:
        thread = run_by_marvin()

        question, call, answer = transcripts.page(thread=thread).turns

        assert (question.role, question.text) == ("user", "Where is order 7?")
        assert [(made.name, made.output) for made in call.calls] == [("look_up", "Order 7 left Hamburg.")]
        assert answer.text == "Order 7 left Hamburg."
        assert answer.run == Run.objects.get()
        assert "<task>" not in question.text

    def test_is_gone_on_with_by_other_models(self, tenant: Tenant) -> None:
        thread = run_by_marvin()

        run = execute(thread, "sales")

        assert run.status == "completed"
        assert len(DjangoThread(thread.pk).get_messages()) == 6

    def test_names_the_agent_that_people_can_choose(self, tenant: Tenant) -> None:
        marvin.run("Hi", agents=[agents.sales], thread=DjangoThread(), handlers=[DjangoHandler()])

        run = Run.objects.get()
        assert (run.model, run.response_model) == ("sales", "script")
