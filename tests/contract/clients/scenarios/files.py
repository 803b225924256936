"""Files: uploaded, listed, read back, deleted."""

from __future__ import annotations

import io

import openai

from tests.contract.clients.api import Api

TEXT = "Returns are free for thirty days. — Größe L\n".encode()


def a_file_is_uploaded_read_and_deleted(api: Api) -> None:
    files = api.client.files
    made = files.create(file=("returns.txt", TEXT), purpose="assistants")

    ready = files.wait_for_processing(made.id, poll_interval=0.05)
    listed = [each.id for each in files.list(purpose="assistants")]
    content = files.content(made.id).read()
    gone = files.delete(made.id)

    assert (made.object, made.filename, made.bytes, made.purpose) == ("file", "returns.txt", len(TEXT), "assistants")
    assert ready.status == "processed"
    assert made.id in listed
    assert content == TEXT
    assert (gone.id, gone.object, gone.deleted) == (made.id, "file", True)
    assert made.id not in [each.id for each in files.list()]


def a_file_is_uploaded_from_a_stream(api: Api) -> None:
    big = io.BytesIO(b"0123456789abcdef" * 65_536)
    big.name = "große Datei.txt"

    made = api.client.files.create(file=big, purpose="user_data")

    assert (made.filename, made.bytes) == ("große Datei.txt", 1_048_576)
    assert api.client.files.content(made.id).read() == big.getvalue()


def files_are_listed_by_purpose_and_page(api: Api) -> None:
    files = api.client.files
    made = [files.create(file=(f"{n}.txt", b"text"), purpose="vision").id for n in range(3)]

    found = [each.id for each in files.list(purpose="vision", limit=2)]
    oldest_first = [each.id for each in files.list(purpose="vision", order="asc", limit=1)]

    assert [each for each in found if each in made] == made[::-1]
    assert [each for each in oldest_first if each in made] == made


def a_strangers_file_does_not_exist(api: Api) -> None:
    made = api.client.files.create(file=("secret.txt", b"secret"), purpose="assistants")

    for ask in (api.stranger.files.retrieve, api.stranger.files.content, api.stranger.files.delete):
        try:
            ask(made.id)
        except openai.NotFoundError:
            continue
        raise AssertionError(ask)
    assert api.client.files.retrieve(made.id) == made


def a_message_has_a_file_attached(api: Api) -> None:
    file = api.client.files.create(file=("returns.md", TEXT), purpose="assistants")
    thread = api.client.beta.threads.create(
        messages=[
            {
                "role": "user",
                "content": "Hello",
                "attachments": [{"file_id": file.id, "tools": [{"type": "file_search"}]}],
            }
        ]
    )

    message = api.client.beta.threads.messages.list(thread.id).data[0]
    resources = api.client.beta.threads.retrieve(thread.id).tool_resources

    assert message.attachments
    assert [each.to_dict() for each in message.attachments] == [
        {"file_id": file.id, "tools": [{"type": "file_search"}]}
    ]
    assert resources
    assert resources.file_search
    assert resources.file_search.vector_store_ids
    stored = api.client.vector_stores.files.list(resources.file_search.vector_store_ids[0])
    assert [each.id for each in stored] == [file.id]
