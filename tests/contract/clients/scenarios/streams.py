"""Runs that a client watches."""

from __future__ import annotations

import asyncio
from itertools import groupby
from typing import TYPE_CHECKING, Any

from openai import AssistantEventHandler, AsyncAssistantEventHandler
from typing_extensions import override

from tests.contract.clients import shapes
from tests.contract.clients.api import Api, text_of

if TYPE_CHECKING:
    from openai.types.beta import AssistantStreamEvent
    from openai.types.beta.threads import Message, Text, TextDelta
    from openai.types.beta.threads.runs import RunStep

_BEGUN = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
_WRITING = [
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
]
_WRITTEN = ["thread.message.completed", "thread.run.step.completed"]


class Notes(AssistantEventHandler):
    """Writes down which of its callbacks were called, with the texts that they were given."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.events: list[str] = []
        self.deltas = ""
        self.snapshot = ""
        self.message: Message | None = None
        self.step: RunStep | None = None

    @override
    def on_event(self, event: AssistantStreamEvent) -> None:
        self.events.append(event.event)
        shapes.check(event.data.to_dict())

    @override
    def on_run_step_created(self, run_step: RunStep) -> None:
        self.calls.append("run_step_created")

    @override
    def on_message_created(self, message: Message) -> None:
        assert message.content == []
        self.calls.append("message_created")

    @override
    def on_text_created(self, text: Text) -> None:
        self.calls.append("text_created")

    @override
    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        self.calls.append("text_delta")
        self.deltas += delta.value or ""
        self.snapshot = snapshot.value

    @override
    def on_text_done(self, text: Text) -> None:
        assert text.value == self.snapshot
        self.calls.append("text_done")

    @override
    def on_message_done(self, message: Message) -> None:
        self.calls.append("message_done")
        self.message = message

    @override
    def on_run_step_done(self, run_step: RunStep) -> None:
        self.calls.append("run_step_done")
        self.step = run_step

    @override
    def on_exception(self, exception: Exception) -> None:
        self.calls.append("exception")

    @override
    def on_end(self) -> None:
        self.calls.append("end")


def a_handler_is_told_everything_in_order(api: Api) -> None:
    thread, assistant, notes = api.thread("Hello there"), api.assistant(), Notes()

    with api.client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=notes
    ) as stream:
        run, messages = stream.get_final_run(), stream.get_final_messages()

    assert _merged(notes.calls) == [
        "run_step_created",
        "message_created",
        "text_created",
        "text_delta",
        "text_done",
        "message_done",
        "run_step_done",
        "end",
    ]
    assert _merged(notes.events) == [*_BEGUN, *_WRITING, *_WRITTEN, "thread.run.completed"]
    assert notes.calls.count("text_delta") > 1
    stored = api.client.beta.threads.messages.list(thread.id, limit=1).data[0]
    assert notes.deltas == notes.snapshot == text_of(stored) == "You said: Hello there"
    assert notes.message == messages[0] == stored
    assert run == api.client.beta.threads.runs.retrieve(run.id, thread_id=thread.id)
    assert run.usage
    assert notes.step == api.client.beta.threads.runs.steps.list(run.id, thread_id=thread.id).data[0]


def a_raw_stream_is_read_event_by_event(api: Api) -> None:
    thread, assistant = api.thread("Hello there"), api.assistant()

    events: list[Any] = list(
        api.client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id, stream=True)
    )

    assert _names(events) == [*_BEGUN, *_WRITING, *_WRITTEN, "thread.run.completed"]
    statuses = [event.data.status for event in events if event.data.object == "thread.run"]
    assert statuses == ["queued", "queued", "in_progress", "completed"]
    for event in events:
        shapes.check(event.data.to_dict())


def a_thread_is_made_and_run_in_a_stream(api: Api) -> None:
    assistant, notes = api.assistant(), Notes()

    with api.client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Hello"}]},
        event_handler=notes,
    ) as stream:
        text = "".join(stream.text_deltas)

    assert text == "You said: Hello"
    assert notes.events[:4] == ["thread.created", *_BEGUN]


def a_stream_of_a_failing_run_ends_well(api: Api) -> None:
    thread, assistant, notes = api.thread("fail"), api.assistant(), Notes()

    with api.client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=notes
    ) as stream:
        run = stream.get_final_run()

    assert run.status == "failed"
    assert run.last_error
    assert notes.events[-1] == "thread.run.failed"
    assert "exception" not in notes.calls


def a_stream_tells_when_its_model_breaks_off(api: Api) -> None:
    thread, assistant, notes = api.thread("break off"), api.assistant(), Notes()

    with api.client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=notes
    ) as stream:
        run = stream.get_final_run()

    assert run.status == "failed"
    assert _merged(notes.events) == [
        *_BEGUN,
        *_WRITING,
        "thread.message.incomplete",
        "thread.run.step.failed",
        "thread.run.failed",
    ]
    assert notes.message
    assert notes.message.incomplete_details
    assert notes.message.incomplete_details.reason == "run_failed"


def a_stream_of_a_cancelled_run_says_so(api: Api) -> None:
    thread, assistant, notes = api.thread("slowly"), api.assistant(), Notes()

    with api.client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=notes
    ) as stream:
        for event in stream:
            if event.event == "thread.message.delta" and notes.calls.count("text_delta") == 3:
                run = stream.current_run
                assert run
                api.client.beta.threads.runs.cancel(run.id, thread_id=thread.id)
        ended = stream.get_final_run()

    assert ended.status == "cancelled"
    assert _merged(notes.events)[len(_BEGUN) + len(_WRITING) :] == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
    ]
    stored = api.client.beta.threads.messages.list(thread.id, limit=1).data[0]
    assert text_of(stored) == notes.snapshot


def a_stream_tells_that_an_answer_is_cut_off(api: Api) -> None:
    thread, assistant, notes = api.thread("too long"), api.assistant(), Notes()

    with api.client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=notes
    ) as stream:
        stream.until_done()

    assert _merged(notes.events)[-3:] == [
        "thread.message.incomplete",
        "thread.run.step.completed",
        "thread.run.incomplete",
    ]


def a_client_that_hangs_up_finds_the_answer_later(api: Api) -> None:
    thread, assistant = api.thread("Hello there"), api.assistant()
    stream = api.client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id, stream=True)
    for event in stream:
        if event.event == "thread.run.created":
            run = event.data
            break
    stream.close()

    api.wait_for(run, "completed")

    assert api.texts(thread.id)[-1] == "You said: Hello there"


def a_stream_is_read_on_an_event_loop(api: Api) -> None:
    thread, assistant = api.thread("Hello there"), api.assistant()
    notes = AsyncAssistantEventHandler()

    async def read() -> str:
        async with (
            api.asynchronous() as client,
            client.beta.threads.runs.stream(
                thread_id=thread.id, assistant_id=assistant.id, event_handler=notes
            ) as stream,
        ):
            return "".join([text async for text in stream.text_deltas])

    text = asyncio.run(read())

    assert text == api.texts(thread.id)[-1] == "You said: Hello there"


def _merged(names: list[str]) -> list[str]:
    """Without repetitions next to each other."""
    return [name for name, _ in groupby(names)]


def _names(events: list[Any]) -> list[str]:
    return _merged([event.event for event in events])
