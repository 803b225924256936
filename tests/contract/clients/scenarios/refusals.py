"""What is refused, with the classes and the words that clients look for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai

from tests.contract.clients.api import PACK, WEATHER, Api

NOWHERE = "0" * 32


def _refused(kind: type[openai.APIStatusError], ask: Callable[[], object]) -> dict[str, Any]:
    """The error object of the refusal."""
    refused: openai.APIStatusError | None = None
    try:
        ask()
    except openai.APIStatusError as error:
        refused = error
    assert type(refused) is kind, refused
    assert isinstance(refused.body, dict)
    return refused.body


def a_wrong_key_opens_nothing(api: Api) -> None:
    stranger = api.with_key("sk-wrong")

    error = _refused(openai.AuthenticationError, stranger.beta.assistants.list)

    assert (error["code"], error["type"]) == ("invalid_api_key", "invalid_request_error")


def no_key_opens_nothing(api: Api) -> None:
    error = _refused(
        openai.AuthenticationError,
        lambda: api.client.beta.assistants.list(extra_headers={"Authorization": openai.Omit()}),
    )

    assert error["type"] == "invalid_request_error"
    assert "API key" in error["message"]


def what_is_nowhere_is_not_found(api: Api) -> None:
    threads, assistants = api.client.beta.threads, api.client.beta.assistants
    thread, run = api.thread(), api.run("Hello")

    for kind, prefix, ask in (
        ("assistant", "asst_", assistants.retrieve),
        ("thread", "thread_", threads.retrieve),
        ("message", "msg_", lambda name: threads.messages.retrieve(name, thread_id=thread.id)),
        ("run", "run_", lambda name: threads.runs.retrieve(name, thread_id=thread.id)),
        ("run step", "step_", lambda name: threads.runs.steps.retrieve(name, thread_id=run.thread_id, run_id=run.id)),
        ("vector store", "vs_", api.client.vector_stores.retrieve),
    ):
        name = prefix + NOWHERE
        error = _refused(openai.NotFoundError, lambda ask=ask, name=name: ask(name))  # type: ignore[misc]
        assert error["message"] == f"No {kind} found with id '{name}'.", error
    error = _refused(openai.NotFoundError, lambda: api.client.files.retrieve(f"file-{NOWHERE}"))
    assert f"file-{NOWHERE}" in error["message"]


def a_strangers_things_do_not_exist(api: Api) -> None:
    run, other = api.run("Hello"), api.stranger.beta
    thread, assistant = run.thread_id, run.assistant_id or ""
    own = other.threads.create().id

    for ask in (
        lambda: other.assistants.retrieve(assistant),
        lambda: other.threads.retrieve(thread),
        lambda: other.threads.messages.list(thread),
        lambda: other.threads.messages.create(thread, role="user", content="Hello"),
        lambda: other.threads.runs.retrieve(run.id, thread_id=thread),
        lambda: other.threads.runs.create(thread_id=own, assistant_id=assistant),
        lambda: other.threads.delete(thread),
        lambda: other.assistants.delete(assistant),
    ):
        _refused(openai.NotFoundError, ask)
    assert api.texts(thread) == ["Hello", "You said: Hello"]


def another_threads_things_are_not_found(api: Api) -> None:
    run, thread, threads = api.run("Hello"), api.thread(), api.client.beta.threads
    message = threads.messages.list(run.thread_id).data[0]

    _refused(openai.NotFoundError, lambda: threads.runs.retrieve(run.id, thread_id=thread.id))
    _refused(openai.NotFoundError, lambda: threads.runs.cancel(run.id, thread_id=thread.id))
    _refused(openai.NotFoundError, lambda: threads.runs.steps.list(run.id, thread_id=thread.id))
    _refused(openai.NotFoundError, lambda: threads.messages.retrieve(message.id, thread_id=thread.id))
    assert threads.runs.list(thread.id).data == []


def an_unknown_model_is_refused(api: Api) -> None:
    error = _refused(openai.BadRequestError, lambda: api.assistant(model="no-such-model"))

    assert error["message"].startswith("The requested model 'no-such-model' does not exist.")
    assert (error["code"], error["param"]) == ("model_not_found", "model")


def a_thread_is_locked_while_a_run_is_active(api: Api) -> None:
    run = api.run("weather in Paris", tools=[WEATHER])
    threads = api.client.beta.threads

    message = _refused(
        openai.BadRequestError, lambda: threads.messages.create(run.thread_id, role="user", content="Hurry")
    )
    second = _refused(
        openai.BadRequestError,
        lambda: threads.runs.create(thread_id=run.thread_id, assistant_id=run.assistant_id or ""),
    )
    streamed = _refused(
        openai.BadRequestError,
        lambda: threads.runs.create(thread_id=run.thread_id, assistant_id=run.assistant_id or "", stream=True),
    )

    assert message["message"] == f"Can't add messages to {run.thread_id} while a run {run.id} is active."
    assert second["message"] == streamed["message"] == f"Thread {run.thread_id} already has an active run {run.id}."
    assert second["type"] == "invalid_request_error"


def outputs_must_answer_every_call_and_no_other(api: Api) -> None:
    run = api.run("weather in Paris and Rome", tools=[WEATHER])
    runs = api.client.beta.threads.runs
    assert run.required_action
    paris, rome = (call.id for call in run.required_action.submit_tool_outputs.tool_calls)

    def submit(*calls: str) -> Callable[[], object]:
        outputs: Any = [{"tool_call_id": call, "output": "sun"} for call in calls]
        return lambda: runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs)

    for given in ((paris,), (paris, rome, "call_nowhere"), (paris, "call_nowhere"), (paris, paris), ()):
        error = _refused(openai.BadRequestError, submit(*given))
        assert "Expected tool outputs for call_ids" in error["message"], error
    assert rome in _refused(openai.BadRequestError, submit(paris))["message"]
    assert runs.retrieve(run.id, thread_id=run.thread_id).status == "requires_action"
    submit(rome, paris)()
    api.wait_for(run, "completed")


def a_run_that_has_ended_takes_nothing_more(api: Api) -> None:
    run, runs = api.run("Hello"), api.client.beta.threads.runs

    outputs = _refused(
        openai.BadRequestError,
        lambda: runs.submit_tool_outputs(
            run.id, thread_id=run.thread_id, tool_outputs=[{"tool_call_id": "call_1", "output": ""}]
        ),
    )
    cancel = _refused(openai.BadRequestError, lambda: runs.cancel(run.id, thread_id=run.thread_id))

    assert outputs["message"] == 'Runs in status "completed" do not accept tool outputs.'
    assert cancel["message"] == "Cannot cancel run with status 'completed'."


def parameters_are_checked(api: Api) -> None:
    client, thread = api.client, api.thread("Hello")

    def assistant(**given: Any) -> Callable[[], object]:
        return lambda: client.beta.assistants.create(model="gpt-4o", extra_body=given)

    for ask, param, text in (
        (
            lambda: client.post("/assistants", cast_to=object, body={"name": "x"}),
            "model",
            "Missing required parameter: 'model'.",
        ),
        (
            lambda: client.post(f"/threads/{thread.id}/runs", cast_to=object, body={}),
            "assistant_id",
            "Missing required parameter: 'assistant_id'.",
        ),
        (assistant(favourite_colour="red"), "favourite_colour", "Unknown parameter: 'favourite_colour'."),
        (assistant(temperature=3), "temperature", ""),
        (assistant(name="x" * 257), "name", ""),
        (assistant(metadata={"k": "v" * 513}), "metadata", ""),
        (assistant(tools=[{"type": "teleport"}]), "tools", ""),
        (assistant(tools=[{**WEATHER, "function": {"name": "not a name"}}]), "tools", ""),
        (lambda: client.beta.threads.messages.list(thread.id, limit=101), "limit", ""),
        (lambda: client.beta.threads.messages.list(thread.id, extra_query={"order": "up"}), "order", ""),
        (lambda: client.beta.threads.messages.create(thread.id, role="user", content=""), "content", ""),
    ):
        error = _refused(openai.BadRequestError, ask)
        assert error["type"] == "invalid_request_error", error
        assert str(error["param"] or "").startswith(param), error
        assert error["message"] == text or not text, error


def code_is_run_by_models_that_can(api: Api) -> None:
    thread, assistant = api.thread("Hello"), api.assistant(tools=[{"type": "code_interpreter"}])

    error = _refused(
        openai.BadRequestError,
        lambda: api.client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id),
    )

    assert "cannot run code" in error["message"], error


def an_assistant_that_is_gone_runs_nothing(api: Api) -> None:
    thread, assistant = api.thread("Hello"), api.assistant(tools=[PACK])
    api.client.beta.assistants.delete(assistant.id)

    error = _refused(
        openai.NotFoundError,
        lambda: api.client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id),
    )

    assert error["message"] == f"No assistant found with id '{assistant.id}'."
