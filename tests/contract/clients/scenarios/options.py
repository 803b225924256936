"""What a run can be told, and that it obeys."""

from __future__ import annotations

import base64

from tests.contract.clients.api import PACK, WEATHER, Api

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def instructions_of_a_run_replace_the_assistants(api: Api) -> None:
    thread, assistant = api.thread("recite"), api.assistant(instructions="Be brief.")
    runs = api.client.beta.threads.runs

    runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    api.client.beta.threads.messages.create(thread.id, role="user", content="recite")
    replaced = runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, instructions="Be long.")

    assert api.texts(thread.id)[1::2] == ["Be brief.", "Be long."]
    assert replaced.instructions == "Be long."


def additional_instructions_and_messages_are_added(api: Api) -> None:
    thread, assistant = api.thread("Hello"), api.assistant(instructions="Be brief.")

    run = api.client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=assistant.id,
        additional_instructions="Be kind.",
        additional_messages=[
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "recite", "metadata": {"n": "2"}},
        ],
    )

    assert run.status == "completed", run
    said = api.texts(thread.id)
    assert said[:3] == ["Hello", "Yes?", "recite"]
    assert "Be brief." in said[3]
    assert "Be kind." in said[3]


def a_run_has_a_model_and_tools_of_its_own(api: Api) -> None:
    thread, assistant = api.thread("weather in Paris"), api.assistant(tools=[PACK])

    run = api.client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, model="scripted", tools=[WEATHER]
    )

    assert (run.status, run.model) == ("requires_action", "scripted")
    assert [tool.to_dict() for tool in run.tools] == [WEATHER]


def no_tool_is_called_when_none_may_be(api: Api) -> None:
    thread, assistant = api.thread("weather in Paris"), api.assistant(tools=[WEATHER])

    run = api.client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, tool_choice="none"
    )

    assert (run.status, run.tool_choice) == ("completed", "none")
    assert api.texts(thread.id)[-1] == "I cannot know."


def a_run_keeps_what_it_was_told(api: Api) -> None:
    thread, assistant = api.thread("Hello"), api.assistant(tools=[WEATHER])

    run = api.client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=assistant.id,
        max_prompt_tokens=5000,
        max_completion_tokens=1000,
        truncation_strategy={"type": "last_messages", "last_messages": 3},
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        parallel_tool_calls=False,
        response_format={"type": "json_object"},
        top_p=0.5,
    )

    kept = run.to_dict()
    assert (kept["max_prompt_tokens"], kept["max_completion_tokens"], kept["top_p"]) == (5000, 1000, 0.5)
    assert kept["truncation_strategy"] == {"type": "last_messages", "last_messages": 3}
    assert kept["tool_choice"] == {"type": "function", "function": {"name": "get_weather"}}
    assert (kept["parallel_tool_calls"], kept["response_format"]) == (False, {"type": "json_object"})


def only_the_last_messages_are_read(api: Api) -> None:
    thread, assistant = api.thread("one", "two", "count"), api.assistant()

    api.client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=assistant.id,
        truncation_strategy={"type": "last_messages", "last_messages": 2},
    )

    assert api.texts(thread.id)[-1] == "There are 2 messages."


def a_schema_is_passed_on(api: Api) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    form = {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}}

    run = api.run("Hello", response_format=form)

    assert run.status == "completed", run
    assert run.to_dict()["response_format"] == form


def images_reach_the_model(api: Api) -> None:
    file = api.client.files.create(file=("pixel.png", PIXEL), purpose="vision")
    thread, assistant = api.thread(), api.assistant()
    message = api.client.beta.threads.messages.create(
        thread.id,
        role="user",
        content=[
            {"type": "text", "text": "look"},
            {"type": "image_file", "image_file": {"file_id": file.id, "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        ],
    )

    api.client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)

    assert [part.type for part in message.content] == ["text", "image_file", "image_url"]
    assert api.texts(thread.id)[-1] == "There are 2 images."
