"""Functions that the client runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from openai import AssistantEventHandler
from typing_extensions import override

from tests.contract.clients.api import PACK, WEATHER, Api

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.beta import AssistantStreamEvent
    from openai.types.beta.threads import Run
    from openai.types.beta.threads.run_submit_tool_outputs_params import ToolOutput
    from openai.types.beta.threads.runs import RunStep, ToolCall


def _asked(run: Run) -> list[tuple[str, dict[str, Any]]]:
    """The names and arguments of the calls that the run waits for."""
    assert run.status == "requires_action", run
    assert run.required_action
    calls = run.required_action.submit_tool_outputs.tool_calls
    return [(call.function.name, json.loads(call.function.arguments)) for call in calls]


def _outputs(run: Run) -> list[ToolOutput]:
    """What the functions give: the weather is the city in lower case, luggage the weather in upper case."""
    assert run.required_action
    calls = run.required_action.submit_tool_outputs.tool_calls
    outputs: list[ToolOutput] = []
    for call in calls:
        given = json.loads(call.function.arguments)
        output = given["city"].lower() if call.function.name == "get_weather" else given["weather"].upper()
        outputs.append({"tool_call_id": call.id, "output": output})
    return outputs


def _answered(api: Api, run: Run) -> Run:
    return api.client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=_outputs(run)
    )


def _steps(api: Api, run: Run) -> list[RunStep]:
    """Oldest first."""
    return list(api.client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc"))


def a_function_is_called_by_poll(api: Api) -> None:
    run = api.run("weather in Paris", tools=[WEATHER])
    waiting = _steps(api, run)

    ended = _answered(api, run)

    assert _asked(run) == [("get_weather", {"city": "Paris"})]
    assert ended.status == "completed", ended
    assert ended.required_action is None
    assert api.texts(run.thread_id) == ["weather in Paris", "Paris: paris."]
    assert [(step.type, step.status) for step in waiting] == [("tool_calls", "in_progress")]
    steps = _steps(api, ended)
    assert [(step.type, step.status) for step in steps] == [
        ("tool_calls", "completed"),
        ("message_creation", "completed"),
    ]
    details = steps[0].step_details
    assert details.type == "tool_calls"
    call = details.tool_calls[0]
    assert call.type == "function"
    assert (call.function.name, call.function.output) == ("get_weather", "paris")


def a_waiting_run_is_queued_when_it_has_its_outputs(api: Api) -> None:
    run = api.run("weather in Paris", tools=[WEATHER])

    submitted = api.client.beta.threads.runs.submit_tool_outputs(
        run.id, thread_id=run.thread_id, tool_outputs=_outputs(run)
    )

    assert submitted.status in {"queued", "in_progress"}
    assert submitted.required_action is None
    api.wait_for(run, "completed")


def functions_are_called_in_parallel(api: Api) -> None:
    run = api.run("weather in Paris and Rome and Oslo", tools=[WEATHER])
    assert run.required_action
    ids = {call.id for call in run.required_action.submit_tool_outputs.tool_calls}

    # In whatever order they come back.
    ended = api.client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=_outputs(run)[::-1]
    )

    assert len(ids) == 3
    assert _asked(run) == [("get_weather", {"city": city}) for city in ("Paris", "Rome", "Oslo")]
    assert ended.status == "completed", ended
    assert api.texts(run.thread_id)[-1] == "Paris: paris. Rome: rome. Oslo: oslo."


def functions_are_called_one_after_the_other(api: Api) -> None:
    first = api.run("trip to Oslo", tools=[WEATHER, PACK])

    second = _answered(api, first)
    ended = _answered(api, second)

    assert _asked(first) == [("get_weather", {"city": "Oslo"})]
    assert _asked(second) == [("pack", {"weather": "oslo"})]
    assert ended.status == "completed", ended
    assert api.texts(first.thread_id)[-1] == "For Oslo take OSLO: it is oslo."
    assert [step.type for step in _steps(api, ended)] == ["tool_calls", "tool_calls", "message_creation"]


def words_come_before_a_call(api: Api) -> None:
    run = api.run("think, weather in Paris", tools=[WEATHER])
    before = api.texts(run.thread_id)

    ended = _answered(api, run)

    assert before == ["think, weather in Paris", "Let me look."]
    assert ended.status == "completed", ended
    assert api.texts(run.thread_id) == [*before, "Paris: paris."]
    assert [step.type for step in _steps(api, ended)] == ["message_creation", "tool_calls", "message_creation"]


def the_next_turn_knows_what_was_called(api: Api) -> None:
    ended = _answered(api, api.run("weather in Paris", tools=[WEATHER]))
    threads = api.client.beta.threads
    threads.messages.create(ended.thread_id, role="user", content="count")
    assert ended.assistant_id

    threads.runs.create_and_poll(thread_id=ended.thread_id, assistant_id=ended.assistant_id)

    # The question, the call, its result, the answer, and the new question.
    assert api.texts(ended.thread_id)[-1] == "There are 5 messages."


def an_empty_output_is_an_output(api: Api) -> None:
    run = api.run("weather in Paris", tools=[WEATHER])
    assert run.required_action
    call = run.required_action.submit_tool_outputs.tool_calls[0]

    ended = api.client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=[{"tool_call_id": call.id, "output": ""}]
    )

    assert ended.status == "completed", ended
    assert api.texts(run.thread_id)[-1] == "Paris: ."


class Caller(AssistantEventHandler):
    """Answers calls from inside the stream that asks, as OpenAI's own examples did."""

    def __init__(self, client: OpenAI, said: list[str]) -> None:
        super().__init__()
        self.client, self.said = client, said
        self.calls: list[str] = []
        self.events: list[str] = []

    @override
    def on_event(self, event: AssistantStreamEvent) -> None:
        self.events.append(event.event)
        if event.event != "thread.run.requires_action":
            return
        run = event.data
        with self.client.beta.threads.runs.submit_tool_outputs_stream(
            run_id=run.id,
            thread_id=run.thread_id,
            tool_outputs=_outputs(run),
            event_handler=Caller(self.client, self.said),
        ) as stream:
            self.said.extend(stream.text_deltas)

    @override
    def on_tool_call_created(self, tool_call: ToolCall) -> None:
        assert tool_call.type == "function"
        self.calls.append(f"created {tool_call.function.name}")

    @override
    def on_tool_call_done(self, tool_call: ToolCall) -> None:
        assert tool_call.type == "function"
        self.calls.append(f"done {json.loads(tool_call.function.arguments)}")


def outputs_are_submitted_inside_the_first_streams_handler(api: Api) -> None:
    thread, assistant = api.thread("trip to Oslo"), api.assistant(tools=[WEATHER, PACK])
    said: list[str] = []
    caller = Caller(api.client, said)

    with api.client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=caller
    ) as stream:
        stream.until_done()

    assert "".join(said) == api.texts(thread.id)[-1] == "For Oslo take OSLO: it is oslo."
    assert caller.events[-1] == "thread.run.requires_action"
    # The SDK says that a call is done when the run stops for it.
    assert caller.calls[:2] == ["created get_weather", "done {'city': 'Oslo'}"]


def functions_are_called_by_stream(api: Api) -> None:
    thread, assistant = api.thread("weather in Paris and Rome"), api.assistant(tools=[WEATHER])
    runs = api.client.beta.threads.runs

    first = list(runs.create(thread_id=thread.id, assistant_id=assistant.id, stream=True))
    run: Any = first[-1].data
    second = list(runs.submit_tool_outputs(run.id, thread_id=thread.id, tool_outputs=_outputs(run), stream=True))

    names = list(dict.fromkeys(event.event for event in first))
    assert names == [
        "thread.run.created",
        "thread.run.queued",
        "thread.run.in_progress",
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.step.delta",
        "thread.run.requires_action",
    ]
    assert _asked(run) == [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]
    assert list(dict.fromkeys(event.event for event in second)) == [
        "thread.run.step.completed",
        "thread.run.queued",
        "thread.run.in_progress",
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.message.created",
        "thread.message.in_progress",
        "thread.message.delta",
        "thread.message.completed",
        "thread.run.completed",
    ]
    done: Any = second[0].data
    assert [call.function.output for call in done.step_details.tool_calls] == ["paris", "rome"]
    assert api.texts(thread.id)[-1] == "Paris: paris. Rome: rome."


def a_helper_joins_the_fragments_of_a_call(api: Api) -> None:
    thread, assistant = api.thread("think, weather in Paris and Rome"), api.assistant(tools=[WEATHER])

    with api.client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        steps = stream.get_final_run_steps()
        run = stream.get_final_run()

    details: Any = steps[-1].step_details
    joined = [(call.function.name, json.loads(call.function.arguments)) for call in details.tool_calls]
    assert joined == _asked(run) == [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]
    assert run.required_action
    asked = run.required_action.submit_tool_outputs.tool_calls
    assert [call.id for call in details.tool_calls] == [call.id for call in asked]


def a_run_waits_when_its_event_is_on_the_wire(api: Api) -> None:
    thread, assistant = api.thread("weather in Paris"), api.assistant(tools=[WEATHER])
    runs = api.client.beta.threads.runs
    seen: list[str] = []

    for event in runs.create(thread_id=thread.id, assistant_id=assistant.id, stream=True):
        if event.event == "thread.run.requires_action":
            seen.append(runs.retrieve(event.data.id, thread_id=thread.id).status)
            seen.append(_answered(api, event.data).status)

    assert seen == ["requires_action", "completed"]
