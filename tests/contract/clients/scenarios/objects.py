"""Assistants, threads and messages: made, read, changed in part, deleted."""

from __future__ import annotations

from tests.contract.clients.api import WEATHER, Api, text_of


def an_assistant_is_made_changed_in_part_and_deleted(api: Api) -> None:
    assistants = api.client.beta.assistants
    made = assistants.create(
        model="gpt-4o",
        name="Ada",
        description="Knows the weather.",
        instructions="Be brief.",
        tools=[WEATHER],
        metadata={"team": "support"},
        temperature=0.4,
        top_p=1,
        response_format={"type": "text"},
    )

    changed = assistants.update(made.id, name="Grace", metadata={"team": "sales", "floor": "2"})
    read = assistants.retrieve(made.id)
    gone = assistants.delete(made.id)

    assert (made.object, made.model, made.temperature, made.top_p) == ("assistant", "gpt-4o", 0.4, 1)
    assert made.tools[0].to_dict() == WEATHER
    assert changed == read
    assert read.to_dict() == {**made.to_dict(), "name": "Grace", "metadata": {"team": "sales", "floor": "2"}}
    assert (gone.id, gone.object, gone.deleted) == (made.id, "assistant.deleted", True)
    assert made.id not in [each.id for each in assistants.list(limit=100)]


def an_assistant_needs_only_a_model(api: Api) -> None:
    made = api.client.beta.assistants.create(model="scripted")

    assert (made.name, made.description, made.instructions) == (None, None, None)
    assert (made.tools, made.metadata) == ([], {})


def nulls_are_as_good_as_nothing(api: Api) -> None:
    assistants, threads = api.client.beta.assistants, api.client.beta.threads
    made = assistants.create(
        model="gpt-4o", description=None, metadata=None, temperature=None, top_p=None, tool_resources=None, tools=[]
    )
    thread = threads.create(extra_body={"messages": None}, metadata=None, tool_resources=None)
    message = threads.messages.create(thread.id, role="user", content="Hello", attachments=None, metadata=None)

    run = threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=made.id,
        instructions=None,
        additional_instructions=None,
        max_prompt_tokens=None,
        max_completion_tokens=None,
        tool_choice=None,
        response_format=None,
        truncation_strategy=None,
        tools=None,
        metadata=None,
        temperature=None,
    )

    assert message.attachments == []
    assert run.status == "completed", run


def what_was_read_can_be_sent_back(api: Api) -> None:
    made = api.assistant(tools=[WEATHER, {"type": "file_search"}], temperature=1.0, response_format="auto")
    read = api.client.beta.assistants.retrieve(made.id).to_dict()
    kept = {name: read[name] for name in ("name", "tools", "temperature", "top_p", "metadata", "response_format")}

    again = api.client.beta.assistants.update(made.id, extra_body=kept)

    assert again == made


def a_thread_is_made_changed_and_deleted(api: Api) -> None:
    threads = api.client.beta.threads
    made = threads.create()

    changed = threads.update(made.id, metadata={"customer": "17"})
    read = threads.retrieve(made.id)
    gone = threads.delete(made.id)

    assert (made.object, made.metadata) == ("thread", {})
    assert changed == read
    assert read.metadata == {"customer": "17"}
    assert (gone.id, gone.object, gone.deleted) == (made.id, "thread.deleted", True)


def a_thread_begins_with_messages(api: Api) -> None:
    thread = api.client.beta.threads.create(
        messages=[
            {"role": "user", "content": "Good morning"},
            {"role": "assistant", "content": "Good morning to you"},
            {"role": "user", "content": [{"type": "text", "text": "What now?"}], "metadata": {"n": "3"}},
        ]
    )

    messages = api.client.beta.threads.messages.list(thread.id)

    assert [text_of(each) for each in messages.data] == ["What now?", "Good morning to you", "Good morning"]
    assert [each.role for each in messages.data] == ["user", "assistant", "user"]
    assert messages.data[0].metadata == {"n": "3"}


def a_message_is_made_changed_and_deleted(api: Api) -> None:
    thread, messages = api.thread(), api.client.beta.threads.messages
    made = messages.create(
        thread.id,
        role="user",
        content=[
            {"type": "text", "text": "Look at this: "},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}},
            {"type": "text", "text": "a cat"},
        ],
        metadata={"page": "1"},
    )

    changed = messages.update(made.id, thread_id=thread.id, metadata={"page": "2"})
    read = messages.retrieve(made.id, thread_id=thread.id)
    gone = messages.delete(made.id, thread_id=thread.id)

    assert (made.object, made.thread_id, made.role, made.status) == ("thread.message", thread.id, "user", "completed")
    assert [part.type for part in made.content] == ["text", "image_url", "text"]
    assert (made.run_id, made.assistant_id) == (None, None)
    assert changed == read
    assert read.to_dict() == {**made.to_dict(), "metadata": {"page": "2"}}
    assert (gone.id, gone.object, gone.deleted) == (made.id, "thread.message.deleted", True)
    assert api.texts(thread.id) == []


def other_languages_survive(api: Api) -> None:
    said = "Grüße — 你好 — שלום — 🙂🏳️‍🌈 — <b>&amp;</b>\n\ttab"

    thread = api.thread(said)

    assert api.texts(thread.id) == [said]


def models_are_listed(api: Api) -> None:
    listed = api.client.models.list()
    names = [each.id for each in listed]

    assert "scripted" in names
    assert api.client.models.retrieve("scripted").object == "model"
