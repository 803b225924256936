"""Streams over real HTTP: the events in their order, each with the state of its moment, and what becomes of the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.utils import timezone

from ai.api import database
from ai.events import StreamEvent, decode
from ai.models import Message, Run, RunStep, Tenant
from ai.services import runs
from tests.api.calling import make_key
from tests.api.live import served
from tests.fakes.vendors import Call, Failure, Reply, VendorServer
from tests.runner.scripted import scripted_model

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
BEGUN = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
STEP = ["thread.run.step.created", "thread.run.step.in_progress"]
WRITING = [*STEP, "thread.message.created", "thread.message.in_progress"]


class Api:
    """A client over real HTTP, with an assistant and a thread."""

    def __init__(self, url: str, key: str) -> None:
        self.client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=20)
        self.assistant = self.post("/assistants", {"model": "scripted", "tools": [WEATHER]})["id"]
        self.thread = self.post("/threads", {"messages": [{"role": "user", "content": "Hi"}]})["id"]

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.client.post(f"/v1{path}".removeprefix("/v1"), json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        return self.client.get(path).json()

    def stream(self, path: str, body: Any) -> list[StreamEvent]:
        with self.client.stream("POST", path, json={**body, "stream": True}) as answer:
            assert answer.status_code == 200, answer.read()
            return list(decode(answer.iter_text()))

    def run(self, **options: Any) -> list[StreamEvent]:
        return self.stream(f"/threads/{self.thread}/runs", {"assistant_id": self.assistant, **options})


@pytest.fixture
def scripted(db: None) -> Iterator[VendorServer]:
    with scripted_model() as (server, _):
        yield server


@pytest.fixture
def api(tenant: Tenant, scripted: VendorServer) -> Iterator[Api]:
    key = make_key(tenant)[1]
    with served() as url:
        made = Api(url, key)
        yield made
        made.client.close()
    database.close()


def names(events: list[StreamEvent]) -> list[str]:
    """The names; deltas in a row are one."""
    found: list[str] = []
    for event in events:
        if not (event.name.endswith(".delta") and found and found[-1] == event.name):
            found.append(event.name)
    return found


def data(events: list[StreamEvent], name: str) -> Any:
    return next(event.data for event in events if event.name == name)


def text(events: list[StreamEvent]) -> str:
    deltas = [
        event.data["delta"]["content"][0]["text"]["value"] for event in events if event.name == "thread.message.delta"
    ]
    return "".join(deltas)


class TestText:
    def test_tells_everything_in_order(self, api: Api) -> None:
        events = api.run()

        assert names(events) == [
            *BEGUN,
            *WRITING,
            "thread.message.delta",
            "thread.message.completed",
            "thread.run.step.completed",
            "thread.run.completed",
            "done",
        ]
        assert text(events) == "Hello there."

    def test_shows_each_state_as_it_was(self, api: Api) -> None:
        events = api.run()

        assert [data(events, name)["status"] for name in BEGUN] == ["queued", "queued", "in_progress"]
        assert data(events, "thread.message.created")["content"] == []
        assert data(events, "thread.run.created")["usage"] is None
        assert data(events, "thread.run.completed")["usage"]["total_tokens"] == 18
        assert data(events, "thread.run.step.created")["status"] == "in_progress"

    def test_the_end_is_what_can_be_read(self, api: Api) -> None:
        events = api.run()
        run = data(events, "thread.run.completed")

        assert api.get(f"/threads/{api.thread}/runs/{run['id']}") == run
        step = data(events, "thread.run.step.completed")
        assert api.get(f"/threads/{api.thread}/runs/{run['id']}/steps")["data"] == [step]
        assert api.get(f"/threads/{api.thread}/messages?limit=1")["data"] == [data(events, "thread.message.completed")]

    def test_a_thread_made_on_the_way_is_told_first(self, api: Api) -> None:
        thread = {"messages": [{"role": "user", "content": "Hi"}]}

        events = api.stream("/threads/runs", {"assistant_id": api.assistant, "thread": thread})

        assert names(events)[:2] == ["thread.created", "thread.run.created"]
        assert data(events, "thread.created")["id"] == data(events, "thread.run.completed")["thread_id"]


class TestTools:
    def ask(self, api: Api, scripted: VendorServer) -> tuple[Any, list[StreamEvent]]:
        scripted.script(Reply(chunks=(), calls=(Call("weather", '{"a":1}'),)), Reply())
        events = api.run()
        return data(events, "thread.run.requires_action"), events

    def test_a_call_ends_the_stream(self, api: Api, scripted: VendorServer) -> None:
        _, events = self.ask(api, scripted)

        assert names(events) == [*BEGUN, *STEP, "thread.run.step.delta", "thread.run.requires_action", "done"]

    def test_the_run_waits_when_the_client_hears_of_it(self, api: Api, scripted: VendorServer) -> None:
        run, _ = self.ask(api, scripted)

        assert api.get(f"/threads/{api.thread}/runs/{run['id']}") == run
        assert run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["function"]["arguments"] == '{"a":1}'

    def test_an_answer_goes_on_with_the_run(self, api: Api, scripted: VendorServer) -> None:
        run, _ = self.ask(api, scripted)
        call = run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
        outputs = [{"tool_call_id": call, "output": "rain"}]

        events = api.stream(f"/threads/{api.thread}/runs/{run['id']}/submit_tool_outputs", {"tool_outputs": outputs})

        assert names(events) == [
            "thread.run.step.completed",
            "thread.run.queued",
            "thread.run.in_progress",
            *WRITING,
            "thread.message.delta",
            "thread.message.completed",
            "thread.run.step.completed",
            "thread.run.completed",
            "done",
        ]
        done = data(events, "thread.run.step.completed")
        assert done["step_details"]["tool_calls"][0]["function"]["output"] == "rain"
        assert data(events, "thread.run.completed")["usage"]["total_tokens"] == 36
        assert scripted.requests[-1].json["messages"][-1]["content"] == "rain"


class TestEnds:
    def test_a_failure_is_told_and_the_next_turn_works(self, api: Api, scripted: VendorServer) -> None:
        scripted.script(Failure("context"), Reply())

        events = api.run()

        assert names(events) == [*BEGUN, "thread.run.failed", "done"]
        assert data(events, "thread.run.failed")["last_error"]["code"] == "invalid_prompt"
        assert names(api.run())[-2:] == ["thread.run.completed", "done"]

    def test_a_broken_answer_closes_what_was_open(self, api: Api, scripted: VendorServer) -> None:
        scripted.script(Reply(broken="disconnect", broken_after=2))

        events = api.run()

        assert names(events)[-5:] == [
            "thread.message.delta",
            "thread.message.incomplete",
            "thread.run.step.failed",
            "thread.run.failed",
            "done",
        ]
        assert data(events, "thread.message.incomplete")["incomplete_details"] == {"reason": "run_failed"}

    def test_an_answer_that_is_too_long_is_incomplete(self, api: Api, scripted: VendorServer) -> None:
        scripted.script(Reply(finish="length"))

        events = api.run(max_completion_tokens=256)

        assert names(events)[-4:] == [
            "thread.message.incomplete",
            "thread.run.step.completed",
            "thread.run.incomplete",
            "done",
        ]
        assert data(events, "thread.run.incomplete")["incomplete_details"] == {"reason": "max_completion_tokens"}

    def test_one_who_cancels_is_heard_on_the_stream(self, api: Api, scripted: VendorServer) -> None:
        scripted.script(Reply(chunks=("a",) * 200, chunk_delay=0.05))
        path, events = f"/threads/{api.thread}/runs", list[StreamEvent]()

        with api.client.stream("POST", path, json={"assistant_id": api.assistant, "stream": True}) as answer:
            for event in decode(answer.iter_text()):
                events.append(event)
                if event.name == "thread.message.delta" and text(events) == "aa":
                    api.post(f"{path}/{events[0].data['id']}/cancel")

        assert names(events)[-6:] == [
            "thread.message.delta",
            "thread.run.cancelling",
            "thread.message.incomplete",
            "thread.run.step.cancelled",
            "thread.run.cancelled",
            "done",
        ]
        assert scripted.requests[0].wait_for_hang_up(1.0)

    def test_a_run_whose_time_is_over_expires(self, api: Api, scripted: VendorServer, settings: Any) -> None:
        settings.AI_RUN_MAX_SECONDS = 1
        scripted.script(Reply(chunks=("a",) * 200, chunk_delay=0.05))

        events = api.run()

        assert names(events)[-4:] == [
            "thread.message.incomplete",
            "thread.run.step.expired",
            "thread.run.expired",
            "done",
        ]

    def test_an_unknown_model_is_refused_before_anything_is_streamed(self, api: Api) -> None:
        body = {"assistant_id": api.assistant, "model": "nowhere", "stream": True}
        refused = api.client.post(f"/threads/{api.thread}/runs", json=body)

        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "model_not_found")


class TestSilence:
    def test_a_comment_keeps_a_silent_stream_open(self, api: Api, scripted: VendorServer, settings: Any) -> None:
        settings.AI_HEARTBEAT_SECONDS = 0.1
        scripted.script(Reply(first_byte_delay=0.5))
        body = {"assistant_id": api.assistant, "stream": True}

        with api.client.stream("POST", f"/threads/{api.thread}/runs", json=body) as answer:
            whole = answer.read().decode()

        assert "\n: ping\n: ping\nevent: " in whole
        assert [event.name for event in decode([whole])][-1] == "done"

    def test_the_first_event_does_not_wait_for_the_model(self, api: Api, scripted: VendorServer) -> None:
        api.run()
        scripted.script(Reply(first_byte_delay=1.5))
        began = time.monotonic()

        with api.client.stream(
            "POST", f"/threads/{api.thread}/runs", json={"assistant_id": api.assistant, "stream": True}
        ) as answer:
            next(answer.iter_text())

            assert time.monotonic() - began < 1.0


class TestHangUp:
    def hang_up(self, api: Api, scripted: VendorServer) -> Run:
        scripted.script(Reply(chunks=("a",) * 20, chunk_delay=0.05))
        body = {"assistant_id": api.assistant, "stream": True}
        with api.client.stream("POST", f"/threads/{api.thread}/runs", json=body) as answer:
            for event in decode(answer.iter_text()):
                if event.name == "thread.message.delta":
                    break
        end = time.monotonic() + 10
        while Run.objects.active().exists() and time.monotonic() < end:
            time.sleep(0.05)
        run: Run = Run.objects.get()
        return run

    def test_the_run_goes_on_and_is_stored(self, api: Api, scripted: VendorServer) -> None:
        run = self.hang_up(api, scripted)

        assert run.status == "completed"
        assert Message.objects.get(run_id=str(run.pk)).message["content"] == "a" * 20

    def test_or_it_is_cancelled(self, api: Api, scripted: VendorServer, settings: Any) -> None:
        settings.AI_STREAM_ON_DISCONNECT = "cancel"

        run = self.hang_up(api, scripted)

        assert run.status == "cancelled"
        assert RunStep.objects.get().status == "cancelled"
        assert scripted.requests[0].wait_for_hang_up(1.0)


def test_a_server_that_ends_leaves_its_runs_to_the_workers(tenant: Tenant, scripted: VendorServer) -> None:
    scripted.script(Reply(chunks=("a",) * 200, chunk_delay=0.05), Reply())
    key = make_key(tenant)[1]
    with served() as url:
        api = Api(url, key)
        body = {"assistant_id": api.assistant, "stream": True}
        with api.client.stream("POST", f"/threads/{api.thread}/runs", json=body) as answer:
            next(answer.iter_text())
    database.close()
    run = Run.objects.get()

    assert (run.status, run.attempt, run.leased_by) == ("queued", 0, "")
    assert runs.drain(worker="w", now=timezone.now) == 1
    assert Message.objects.get(run_id=str(run.pk)).message["content"] == "Hello there."
