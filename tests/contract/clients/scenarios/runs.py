"""Runs that a client polls."""

from __future__ import annotations

from tests.contract.clients.api import Api, text_of


def a_run_is_polled_to_its_end(api: Api) -> None:
    thread, assistant = api.thread("Hello"), api.assistant(instructions="Be brief.")

    run = api.client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, metadata={"try": "1"}, temperature=0.2
    )

    assert (run.status, run.object, run.thread_id, run.assistant_id) == (
        "completed",
        "thread.run",
        thread.id,
        assistant.id,
    )
    assert (run.model, run.instructions, run.temperature) == ("gpt-4o", "Be brief.", 0.2)
    assert run.metadata == {"try": "1"}
    assert run.started_at
    assert run.completed_at
    assert run.usage
    assert run.usage.total_tokens == run.usage.prompt_tokens + run.usage.completion_tokens > 0
    assert (run.required_action, run.last_error, run.incomplete_details) == (None, None, None)
    assert api.texts(thread.id) == ["Hello", "You said: Hello"]


def an_answer_tells_where_it_comes_from(api: Api) -> None:
    run = api.run("Hello")

    answer = api.client.beta.threads.messages.list(run.thread_id, limit=1).data[0]

    assert (answer.role, answer.status, answer.run_id, answer.assistant_id) == (
        "assistant",
        "completed",
        run.id,
        run.assistant_id,
    )
    assert answer.completed_at
    assert text_of(answer) == "You said: Hello"


def a_run_has_steps(api: Api) -> None:
    run = api.run("Hello")
    steps = api.client.beta.threads.runs.steps

    listed = steps.list(run.id, thread_id=run.thread_id).data
    read = steps.retrieve(listed[0].id, thread_id=run.thread_id, run_id=run.id)

    assert read == listed[0]
    assert (read.type, read.status, read.run_id) == ("message_creation", "completed", run.id)
    assert read.completed_at
    assert read.usage
    details = read.step_details
    assert details.type == "message_creation"
    message = api.client.beta.threads.messages.retrieve(details.message_creation.message_id, thread_id=run.thread_id)
    assert text_of(message) == "You said: Hello"


def a_thread_is_made_and_run_at_once(api: Api) -> None:
    assistant = api.assistant()

    run = api.client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Hello"}], "metadata": {"from": "shop"}},
    )

    assert run.status == "completed", run
    assert api.client.beta.threads.retrieve(run.thread_id).metadata == {"from": "shop"}
    assert api.texts(run.thread_id) == ["Hello", "You said: Hello"]


def a_thread_is_made_and_run_without_a_thread(api: Api) -> None:
    run = api.client.beta.threads.create_and_run_poll(assistant_id=api.assistant(instructions="Say hello.").id)

    assert run.status == "completed", run


def a_conversation_has_many_turns(api: Api) -> None:
    thread, assistant = api.thread(), api.assistant()
    threads = api.client.beta.threads

    for _ in range(3):
        threads.messages.create(thread.id, role="user", content="count")
        threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)

    assert [text for text in api.texts(thread.id) if text != "count"] == [
        "There are 1 messages.",
        "There are 3 messages.",
        "There are 5 messages.",
    ]


def a_run_is_listed_and_its_metadata_changed(api: Api) -> None:
    run, other = api.run("Hello"), api.run("Hello again")
    runs = api.client.beta.threads.runs

    changed = runs.update(run.id, thread_id=run.thread_id, metadata={"seen": "yes"})
    listed = runs.list(run.thread_id).data

    assert changed.metadata == {"seen": "yes"}
    assert [each.id for each in listed] == [run.id]
    assert other.id not in [each.id for each in listed]


def polling_is_told_how_long_to_wait(api: Api) -> None:
    run = api.run("Hello")

    raw = api.client.beta.threads.runs.with_raw_response.retrieve(run.id, thread_id=run.thread_id)

    assert 0 < int(raw.headers["openai-poll-after-ms"]) <= 1000


def an_answer_can_be_put_right_and_asked_again(api: Api) -> None:
    thread, assistant = api.thread("Hello"), api.assistant()
    threads = api.client.beta.threads
    threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    for message in threads.messages.list(thread.id):
        threads.messages.delete(message.id, thread_id=thread.id)

    threads.messages.create(thread.id, role="user", content="count")
    run = threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)

    assert run.status == "completed", run
    assert api.texts(thread.id) == ["count", "There are 1 messages."]
