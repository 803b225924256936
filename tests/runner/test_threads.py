"""A model answers a thread from Python: stored, told to handlers, with and without an event loop."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from ai.exceptions import ThreadBusy
from ai.models import ChatThread, Message, Run, RunStep, Tenant
from ai.runner import Runner
from ai.runner.handlers import EventHandler, PrintHandler
from tests import factories
from tests.fakes.vendors import Call, Reply, VendorServer
from tests.runner.scripted import scripted_model

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def scripted(db: None) -> Iterator[VendorServer]:
    with scripted_model() as (server, _):
        yield server


@pytest.fixture
def thread(tenant: Tenant) -> ChatThread:
    return factories.thread(tenant, {"role": "user", "content": "Hi"})


def said(thread: ChatThread) -> list[Any]:
    return [(row.message or {})["content"] for row in Message.objects.list_thread_messages(thread.pk)]


@pytest.mark.django_db
class TestUntilDone:
    def test_stores_the_answer_and_tells_handlers(self, thread: ChatThread, scripted: VendorServer) -> None:
        out = io.StringIO()

        run = Runner.on_thread(thread, model="scripted", handlers=[PrintHandler(out)]).until_done()

        assert (run.status, run.total_tokens, run.requested_by) == ("completed", 18, "python")
        assert said(thread) == ["Hi", "Hello there."]
        assert out.getvalue() == "Hello there.\n"
        assert RunStep.objects.get().status == "completed"

    def test_stops_where_the_caller_has_to_answer(self, thread: ChatThread, scripted: VendorServer) -> None:
        scripted.script(Reply(chunks=(), calls=(Call("weather"),)))

        run = Runner.on_thread(thread, model="scripted", tools=[WEATHER]).until_done()

        assert run.status == "requires_action"
        waiting = (run.required_action or {})["submit_tool_outputs"]["tool_calls"]
        assert [call["function"]["name"] for call in waiting] == ["weather"]
        assert RunStep.objects.get().status == "in_progress"

    def test_refuses_a_thread_that_is_busy(self, thread: ChatThread, scripted: VendorServer) -> None:
        Run.objects.create(thread_id=str(thread.pk), tenant_id=thread.tenant_id, model="scripted")

        with pytest.raises(ThreadBusy):
            Runner.on_thread(thread.pk, model="scripted").until_done()

    def test_a_handler_that_raises_breaks_nothing(
        self, thread: ChatThread, scripted: VendorServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Broken(EventHandler):
            def on_text_delta(self, delta: Any, snapshot: Any) -> None:
                raise LookupError

        run = Runner.on_thread(thread, model="scripted", handlers=[Broken(), PrintHandler(io.StringIO())]).until_done()

        assert run.status == "completed"
        assert "Broken.on_text_delta failed" in caplog.text

    def test_an_unknown_model_fails_the_run(self, thread: ChatThread, scripted: VendorServer) -> None:
        run = Runner.on_thread(thread, model="nowhere").until_done()

        assert (run.status, run.error_code) == ("failed", "model_not_found")


@pytest.mark.django_db(transaction=True)
class TestStream:
    def test_comes_piece_by_piece_without_an_event_loop(self, thread: ChatThread, scripted: VendorServer) -> None:
        events = list(Runner.on_thread(thread, model="scripted").stream_sync())

        assert [e.name for e in events if e.name.startswith("thread.message")] == [
            "thread.message.created",
            "thread.message.in_progress",
            *["thread.message.delta"] * 3,
            "thread.message.completed",
        ]
        assert events[-1].name == "done"
        assert said(thread) == ["Hi", "Hello there."]

    async def test_the_end_is_told_when_it_is_stored(self, thread: ChatThread, scripted: VendorServer) -> None:
        runner = Runner.on_thread(thread, model="scripted")

        statuses = [
            (await Run.objects.aget()).status async for event in runner.stream() if event.name == "thread.run.completed"
        ]

        assert statuses == ["completed"]
