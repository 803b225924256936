"""Runs that end otherwise than by an answer, and threads that go on after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.clients.api import WEATHER, Api, text_of

if TYPE_CHECKING:
    from openai.types.beta.threads import Run


def a_run_is_cancelled_while_it_writes(api: Api) -> None:
    run = _slow(api)

    asked = api.client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    ended = api.wait_for(run, "cancelled")

    assert asked.status in {"cancelling", "cancelled"}
    assert ended.cancelled_at
    assert ended.completed_at is None
    _assert_all_is_closed(api, ended)
    _assert_the_thread_goes_on(api, ended)


def a_run_is_cancelled_while_it_waits_for_tools(api: Api) -> None:
    run = api.run("weather in Paris", tools=[WEATHER])

    api.client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    ended = api.wait_for(run, "cancelled")

    assert run.status == "requires_action"
    assert ended.required_action is None
    _assert_all_is_closed(api, ended)
    _assert_the_thread_goes_on(api, ended)


def a_run_fails_when_its_model_does(api: Api) -> None:
    run = api.run("fail")

    assert run.status == "failed"
    assert run.failed_at
    assert run.last_error
    assert run.last_error.code == "server_error"
    assert run.last_error.message
    _assert_all_is_closed(api, run)
    _assert_the_thread_goes_on(api, run)


def a_run_fails_at_its_models_rate_limit(api: Api) -> None:
    run = api.run("too many")

    assert run.status == "failed"
    assert run.last_error
    assert run.last_error.code == "rate_limit_exceeded"


def a_run_fails_when_its_model_breaks_off(api: Api) -> None:
    run = api.run("break off")

    assert run.status == "failed"
    _assert_all_is_closed(api, run)
    _assert_the_thread_goes_on(api, run)


def an_answer_that_is_too_long_is_incomplete(api: Api) -> None:
    run = api.run("too long")

    assert run.status == "incomplete"
    assert run.incomplete_details
    assert run.incomplete_details.reason == "max_completion_tokens"
    answer = api.client.beta.threads.messages.list(run.thread_id, limit=1).data[0]
    assert (answer.status, text_of(answer)) == ("incomplete", "This never comes to its")
    assert answer.incomplete_details
    assert answer.incomplete_details.reason == "max_tokens"
    assert answer.incomplete_at
    _assert_the_thread_goes_on(api, run)


def _slow(api: Api) -> Run:
    """A run that writes."""
    thread, assistant = api.thread("slowly"), api.assistant()
    run = api.client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "queued"
    return api.wait_for(run, "in_progress")


def _assert_all_is_closed(api: Api, run: Run) -> None:
    for step in api.client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id):
        assert step.status != "in_progress", step
    for message in api.client.beta.threads.messages.list(run.thread_id):
        assert message.status != "in_progress", message


def _assert_the_thread_goes_on(api: Api, run: Run) -> None:
    threads = api.client.beta.threads
    threads.messages.create(run.thread_id, role="user", content="And now?")
    assert run.assistant_id
    after = threads.runs.create_and_poll(thread_id=run.thread_id, assistant_id=run.assistant_id)
    assert after.status == "completed", after
    assert api.texts(run.thread_id)[-1] == "You said: And now?"
