"""`marvin.run` on a Django thread: what people read, what the console records, what Marvin gets back."""

from __future__ import annotations

from typing import Any

import marvin
import pytest

from ai.marvin import DjangoHandler, DjangoThread
from ai.models import ChatThread, Message, Run, RunStep, Tenant
from tests import factories
from tests.marvin import agents

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loop_for_marvin")] + [
    pytest.mark.filterwarnings(each) for each in agents.KNOWN_WARNINGS
]


def conversation(thread: DjangoThread) -> list[tuple[str, Any]]:
    row = thread.store.find()
    assert row
    return [(m.role, (m.message or {}).get("content")) for m in Message.objects.list_thread_messages(row.pk)]


class TestOneTurn:
    def test_reads_like_a_conversation(self, tenant: Tenant) -> None:
        thread = DjangoThread()

        answer: Any = marvin.run("Where is my parcel?", agents=[agents.agent("In Hamburg.")], thread=thread)

        assert answer == "In Hamburg."
        assert conversation(thread) == [("user", "Where is my parcel?"), ("assistant", "In Hamburg.")]

    def test_is_a_run_with_a_step(self, tenant: Tenant) -> None:
        thread = DjangoThread()

        marvin.run("Where is it?", agents=[agents.agent("Here.")], thread=thread, handlers=[DjangoHandler()])

        run = Run.objects.get()
        assert (run.status, run.model, run.response_model) == ("completed", "function:script", "script")
        assert (run.instructions, run.metadata) == ("You help the customers of a shop.", {"agent": "Support"})
        assert run.total_tokens == run.prompt_tokens + run.completion_tokens > 0
        assert run.first_token_ms is not None
        assert run.duration_ms is not None
        assert run.ended_at
        [step] = RunStep.objects.of_run(run.pk)
        answer = Message.objects.get(role="assistant")
        assert (step.type, step.status) == ("message_creation", "completed")
        assert step.details["message_creation"]["message_id"] == f"msg_{answer.pk.hex}"
        assert step.usage
        assert step.usage["total_tokens"] == run.total_tokens
        assert answer.run_id == str(run.pk)
        assert ChatThread.objects.get().model == "function:script"

    def test_shows_a_tool_call_and_its_result(self, tenant: Tenant) -> None:
        thread = DjangoThread()
        agent = agents.agent(agents.looks_up_first, tools=[agents.look_up])

        marvin.run("Where is it?", agents=[agent], thread=thread, handlers=[DjangoHandler()])

        rows = list(Message.objects.order_by("sequence"))
        assert [row.role for row in rows] == ["user", "assistant", "tool", "assistant"]
        assert [row.is_listed for row in rows] == [True, False, False, True]
        [call] = (rows[1].message or {})["tool_calls"]
        assert call["function"] == {"name": "look_up", "arguments": '{"order": 7}'}
        assert (rows[2].message or {})["tool_call_id"] == call["id"]
        assert (rows[3].message or {})["content"] == "Order 7 left Hamburg."
        steps = list(RunStep.objects.of_run(Run.objects.get().pk))
        assert [(step.type, step.status) for step in steps] == [
            ("tool_calls", "completed"), ("message_creation", "completed")
        ]  # fmt: skip
        [shown] = steps[0].details["tool_calls"]
        assert shown["function"]["output"] == "Order 7 left Hamburg."
        assert all(step.usage and step.started_at and step.ended_at for step in steps)
        assert [step.started_at for step in steps] == sorted(step.started_at for step in steps if step.started_at)

    def test_shows_what_is_said_before_a_call(self, tenant: Tenant) -> None:
        thread = DjangoThread()

        marvin.run("Where is it?", agents=[agents.chatty], thread=thread, handlers=[DjangoHandler()])

        assert conversation(thread)[1:] == [
            ("assistant", "Let me see."), ("tool", "Order 7 left Hamburg."), ("assistant", "In Hamburg.")
        ]  # fmt: skip
        steps = list(RunStep.objects.of_run(Run.objects.get().pk))
        assert [step.type for step in steps] == ["message_creation", "tool_calls", "message_creation"]
        assert [bool(step.usage) for step in steps] == [False, True, True]

    def test_notes_the_tools_that_the_agent_has(self, tenant: Tenant) -> None:
        agent = agents.agent("Done.", tools=[agents.look_up], model_settings={"temperature": 0.3})

        marvin.run("Go.", agents=[agent], thread=DjangoThread(), handlers=[DjangoHandler()])

        run = Run.objects.get()
        assert run.settings == {"temperature": 0.3}
        [tool] = run.tools
        assert tool["function"]["name"] == "look_up"
        assert tool["function"]["parameters"]["properties"] == {"order": {"type": "integer"}}

    def test_shows_what_has_another_shape_than_text(self, tenant: Tenant) -> None:
        thread = DjangoThread()
        judge = agents.agent({"result": 1})  # the label's number
        task: marvin.Task[Any] = marvin.Task(instructions="Good or bad?", result_type=["good", "bad"], agents=[judge])

        assert task.run(thread=thread) == "bad"
        assert conversation(thread)[-1] == ("assistant", "bad")

    def test_shows_the_context_of_a_task(self, tenant: Tenant) -> None:
        thread = DjangoThread()
        context = {"order": 7}

        marvin.run("Where is it?", context=context, agents=[agents.agent("Here.")], thread=thread)

        assert conversation(thread)[0] == ("user", "Where is it?\n\norder: 7")


class TestSeveralTurns:
    def test_go_on_where_the_last_one_ended(self, tenant: Tenant) -> None:
        first = DjangoThread()
        agent = agents.agent(agents.looks_up_first, tools=[agents.look_up])
        marvin.run("Where is order 7?", agents=[agent], thread=first, handlers=[DjangoHandler()])
        other = agents.agent(lambda messages: f"{len(messages)} messages, {agents.results(messages)}")

        answer: Any = marvin.run("And now?", agents=[other], thread=DjangoThread(first.id), handlers=[DjangoHandler()])

        assert answer.endswith("['Order 7 left Hamburg.', 'Final result processed.']")
        assert [role for role, _ in conversation(first)] == [
            "user",
            "assistant",
            "tool",
            "assistant",
            "user",
            "assistant",
        ]
        assert Run.objects.filter(status="completed").count() == 2

    def test_of_one_run_are_numbered_on(self, tenant: Tenant) -> None:
        agent = agents.agent("Done.")
        first: marvin.Task[Any] = marvin.Task(instructions="One.", agents=[agent])
        second: marvin.Task[Any] = marvin.Task(instructions="Two.", agents=[agent], depends_on=[first])
        thread = DjangoThread()

        second.run(thread=thread, handlers=[DjangoHandler()])

        steps = list(RunStep.objects.of_run(Run.objects.get().pk))
        assert [step.index for step in steps] == [0, 1]
        assert [role for role, _ in conversation(thread)] == ["user", "assistant", "user", "assistant"]

    def test_continue_a_conversation_of_others(self, tenant: Tenant) -> None:
        call = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"order": 1}'}}
        row = factories.thread(
            tenant,
            {"role": "system", "content": "You are brief."},
            {"role": "user", "content": "Where is order 1?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "name": "look_up", "content": "In Bremen."},
            {"role": "assistant", "content": "In Bremen."},
        )
        agent = agents.agent("Still there.")

        marvin.run("And today?", agents=[agent], thread=DjangoThread(id=row.pk))

        [[*history, _last]] = [agents.read(agent)[0]]
        kinds = [part.part_kind for message in history for part in message.parts]
        assert kinds == ["system-prompt", "system-prompt", "user-prompt", "tool-call", "tool-return", "text"]
        assert agents.question(agents.read(agent)[0]).count("And today?") == 1

    def test_say_something_without_showing_the_task(self, tenant: Tenant) -> None:
        thread = DjangoThread()

        marvin.say("Hello!", agent=agents.agent("Hi."), thread=thread)

        assert conversation(thread) == [("user", "Hello!"), ("assistant", "Hi.")]
        assert "Respond to the user" in str(thread.get_messages()[1].message)


class TestMarvinsOwn:
    def test_messages_come_back_as_they_were(self, tenant: Tenant) -> None:
        ours, theirs = DjangoThread(), marvin.Thread()
        for thread in (ours, theirs):
            agent = agents.agent(agents.looks_up_first, tools=[agents.look_up])
            marvin.run("Where is it?", agents=[agent], thread=thread)

        def shapes(thread: marvin.Thread) -> list[Any]:
            found = thread.get_messages(include_system_messages=True)
            return [(m.message.kind, [part.part_kind for part in m.message.parts]) for m in found]

        assert shapes(DjangoThread(ours.id)) == shapes(theirs)

    def test_prompts_are_left_out_unless_asked_for(self, tenant: Tenant) -> None:
        thread = DjangoThread()
        marvin.run("Where is it?", agents=[agents.agent("Here.")], thread=thread)

        without, whole = thread.get_messages(), thread.get_messages(include_system_messages=True)

        assert len(whole) == len(without) + 1
        assert [m.id for m in thread.get_messages(limit=2)] == [m.id for m in without[-2:]]
        assert thread.get_messages(limit=0) == thread.get_messages(before=without[0].created_at) == []

    def test_calls_are_kept_with_what_was_read_and_said(self, tenant: Tenant) -> None:
        thread = DjangoThread()
        agent = agents.agent(agents.looks_up_first, tools=[agents.look_up])
        for text in ("Where is it?", "And now?"):
            marvin.run(text, agents=[agent], thread=thread)

        first, second = thread.get_llm_calls()

        assert (first.usage.requests, first.thread_id) == (2, thread.id)
        prompt, completion = first.get_messages().prompt, first.get_messages().completion
        assert [m.message.parts[0].part_kind for m in prompt] == ["system-prompt"]
        assert [m.message.kind for m in completion] == ["response", "request", "response", "request"]
        assert [m.message.parts[0].part_kind for m in second.get_messages().prompt] == [
            "system-prompt", "user-prompt", "tool-call", "tool-return", "tool-call", "tool-return"
        ]  # fmt: skip
        assert thread.get_usage().requests == first.usage.requests + second.usage.requests
        assert thread.get_llm_calls(limit=1, after=first.timestamp) == [second]

    def test_notes_are_read_as_system_messages(self, tenant: Tenant) -> None:
        thread = DjangoThread()
        thread.add_system_message("Be brief.")
        thread.add_user_message("Hello")
        thread.add_info_message("The shop is closed.")
        thread.add_agent_message("Hi.")

        assert conversation(thread) == [
            ("system", "Be brief."),
            ("user", "Hello"),
            ("system", "INFO MESSAGE: The shop is closed."),
            ("assistant", "Hi."),
        ]
        assert [m.message.parts[0].part_kind for m in thread.get_messages()] == [
            "system-prompt", "user-prompt", "user-prompt", "text"
        ]  # fmt: skip
