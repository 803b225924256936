"""Vector stores, and the search that models do in them."""

from __future__ import annotations

from typing import Any

import openai

from tests.contract.clients.api import Api, text_of

RETURNS = b"Suitcases can be returned for thirty days. The suitcase must be empty and its zebra tag still on it."
SHIPPING = b"Parcels to Norway take four days. Parcels to France take two days and cost six francs."


def a_store_is_made_changed_and_deleted(api: Api) -> None:
    stores = api.client.vector_stores
    made = stores.create(
        name="Handbook", metadata={"team": "support"}, expires_after={"anchor": "last_active_at", "days": 7}
    )

    changed = stores.update(made.id, name="Manual")
    read = stores.retrieve(made.id)
    listed = [each.id for each in stores.list(limit=100)]
    gone = stores.delete(made.id)

    assert (made.object, made.name, made.metadata, made.status) == (
        "vector_store",
        "Handbook",
        {"team": "support"},
        "completed",
    )
    assert made.expires_at
    assert made.file_counts.total == 0
    assert (changed.name, changed.metadata) == (read.name, read.metadata) == ("Manual", {"team": "support"})
    assert made.id in listed
    assert (gone.id, gone.object, gone.deleted) == (made.id, "vector_store.deleted", True)


def a_file_is_added_and_taken_out(api: Api) -> None:
    store = api.client.vector_stores.create()
    files = api.client.vector_stores.files

    made = files.upload_and_poll(vector_store_id=store.id, file=("returns.txt", RETURNS))
    changed = files.update(made.id, vector_store_id=store.id, attributes={"year": 2026, "public": True, "by": "Ada"})
    listed = files.list(store.id, filter="completed").data
    content = files.content(made.id, vector_store_id=store.id)
    counted = api.client.vector_stores.retrieve(store.id)
    gone = files.delete(made.id, vector_store_id=store.id)

    assert (made.object, made.status, made.last_error) == ("vector_store.file", "completed", None)
    assert changed.attributes == {"year": 2026, "public": True, "by": "Ada"}
    assert listed == [changed]
    assert "zebra tag" in "".join(part.text or "" for part in content)
    assert (counted.file_counts.completed, counted.file_counts.total) == (1, 1)
    assert counted.usage_bytes > 0
    assert (gone.id, gone.object, gone.deleted) == (made.id, "vector_store.file.deleted", True)
    assert list(files.list(store.id)) == []
    assert api.client.files.retrieve(made.id).bytes == len(RETURNS)


def files_are_added_in_a_batch(api: Api) -> None:
    store = api.client.vector_stores.create(name="Handbook")
    batches = api.client.vector_stores.file_batches

    batch = batches.upload_and_poll(
        vector_store_id=store.id, files=[("returns.txt", RETURNS), ("shipping.md", SHIPPING)]
    )
    listed = batches.list_files(batch.id, vector_store_id=store.id)

    assert (batch.object, batch.status) == ("vector_store.files_batch", "completed")
    assert (batch.file_counts.completed, batch.file_counts.failed, batch.file_counts.total) == (2, 0, 2)
    assert len(list(listed)) == 2
    assert batches.retrieve(batch.id, vector_store_id=store.id) == batch


def a_batch_is_cancelled(api: Api) -> None:
    store = api.client.vector_stores.create()
    file = api.client.files.create(file=("returns.txt", RETURNS), purpose="assistants")
    batches = api.client.vector_stores.file_batches
    batch = batches.create(store.id, file_ids=[file.id])

    try:
        cancelled = batches.cancel(batch.id, vector_store_id=store.id)
    except openai.BadRequestError:
        # The worker was faster.
        cancelled = batches.retrieve(batch.id, vector_store_id=store.id)

    assert cancelled.status in {"cancelled", "completed"}
    assert cancelled.file_counts.in_progress == 0
    assert cancelled.file_counts.total == 1


def a_store_begins_with_files(api: Api) -> None:
    file = api.client.files.create(file=("returns.txt", RETURNS), purpose="assistants")

    store = api.client.vector_stores.create(file_ids=[file.id], name="Handbook")
    ready = api.client.vector_stores.files.poll(file.id, vector_store_id=store.id)

    assert ready.status == "completed"
    assert [each.id for each in api.client.vector_stores.files.list(store.id)] == [file.id]


def a_store_is_searched(api: Api) -> None:
    store = _handbook(api)

    found = api.client.vector_stores.search(store, query="returning a suitcase", max_num_results=5).data

    assert found[0].filename == "returns.txt"
    assert 0 <= found[0].score <= 1
    assert "thirty days" in found[0].content[0].text


def a_search_is_filtered_by_attributes(api: Api) -> None:
    stores = api.client.vector_stores
    store = stores.create()
    for year in (2025, 2026):
        file = api.client.files.create(file=(f"{year}.txt", RETURNS), purpose="assistants")
        stores.files.create_and_poll(file.id, vector_store_id=store.id, attributes={"year": year})

    found = stores.search(store.id, query="suitcases", filters={"type": "gt", "key": "year", "value": 2025}).data

    assert [each.filename for each in found] == ["2026.txt"]
    assert found[0].attributes == {"year": 2026}


def a_model_searches_and_cites(api: Api) -> None:
    store = _handbook(api)
    run = api.run(
        "search zebra tag",
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store]}},
    )

    answer = api.client.beta.threads.messages.list(run.thread_id, limit=1).data[0]
    steps = api.client.beta.threads.runs.steps.list(
        run.id,
        thread_id=run.thread_id,
        order="asc",
        include=["step_details.tool_calls[*].file_search.results[*].content"],
    ).data

    assert run.status == "completed", run
    part = answer.content[0]
    assert part.type == "text"
    assert part.text.annotations, text_of(answer)
    cited: Any = part.text.annotations[0]
    assert cited.type == "file_citation"
    assert cited.text == part.text.value[cited.start_index : cited.end_index]
    assert api.client.files.retrieve(cited.file_citation.file_id).filename == "returns.txt"
    call: Any = steps[0].step_details.to_dict()["tool_calls"][0]  # type: ignore[index]
    assert call["type"] == "file_search"
    result = call["file_search"]["results"][0]
    assert (result["file_id"], result["file_name"]) == (cited.file_citation.file_id, "returns.txt")
    assert 0 <= result["score"] <= 1
    assert "zebra" in result["content"][0]["text"]


def a_stream_searches_and_cites(api: Api) -> None:
    store = _handbook(api)
    assistant = api.assistant(
        tools=[{"type": "file_search"}], tool_resources={"file_search": {"vector_store_ids": [store]}}
    )
    thread = api.thread("search zebra tag")

    with api.client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        run, messages, steps = stream.get_final_run(), stream.get_final_messages(), stream.get_final_run_steps()

    assert run.status == "completed", run
    assert [step.type for step in steps] == ["tool_calls", "message_creation"]
    part = messages[-1].content[0]
    assert part.type == "text"
    assert part.text.annotations
    assert messages[-1] == api.client.beta.threads.messages.list(thread.id, limit=1).data[0]


def _handbook(api: Api) -> str:
    """The id of a store with two files."""
    store = api.client.vector_stores.create(name="Handbook")
    api.client.vector_stores.file_batches.upload_and_poll(
        vector_store_id=store.id, files=[("returns.txt", RETURNS), ("shipping.md", SHIPPING)]
    )
    return store.id
