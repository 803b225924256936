"""What another tenant owns does not exist: every operation of the document, with every id of its path."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ai.api.urls import api
from ai.models import Tenant
from tests import factories
from tests.api import samples, worlds
from tests.api.calling import Caller

pytestmark = pytest.mark.django_db

DOCUMENT: dict[str, Any] = api.get_openapi_schema()
OPERATIONS = {
    operation["operationId"]: (method.upper(), path.removeprefix("/v1"), operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
#: Each operation with each name of an id in its path: what stands before is ours, this and what follows are theirs.
PLACES = [
    (name, place) for name, (_, path, _) in OPERATIONS.items() for place in range(len(re.findall(r"\{(\w+)\}", path)))
]

LISTS = sorted(
    path
    for method, path, operation in OPERATIONS.values()
    if "{" not in path and any(given["name"] == "after" for given in operation["parameters"])
)


@pytest.fixture
def ours(tenant: Tenant) -> dict[str, str]:
    return worlds.build(tenant)


@pytest.fixture
def theirs(db: None) -> dict[str, str]:
    return worlds.build(factories.tenant("Elsewhere"))


@pytest.mark.parametrize(("name", "place"), PLACES)
def test_the_id_of_another_tenant_leads_nowhere(
    caller: Caller, ours: dict[str, str], theirs: dict[str, str], name: str, place: int
) -> None:
    method, path, operation = OPERATIONS[name]
    keys = re.findall(r"\{(\w+)\}", path)
    where = path.format(**{key: (ours if n < place else theirs)[key] for n, key in enumerate(keys)})

    answer = caller.call(method, where, samples.body_of(operation, DOCUMENT, ours))

    assert answer.status_code == 404, answer.content
    error = answer.data["error"]
    assert error["type"] == "invalid_request_error"
    assert any(theirs[key] in error["message"] for key in keys[place:])
    assert "secret" not in answer.content.decode()


@pytest.mark.parametrize("name", sorted(name for name, (_, path, _) in OPERATIONS.items() if "{" in path))
def test_our_own_does(caller: Caller, ours: dict[str, str], name: str) -> None:
    method, path, operation = OPERATIONS[name]

    answer = caller.call(method, path.format(**ours), samples.body_of(operation, DOCUMENT, ours))

    assert answer.status_code != 404, answer.content
    assert answer.status_code < 500


@pytest.mark.parametrize("name", ["createThreadAndRun", "createRun"])
def test_their_assistant_answers_nothing_of_ours(
    caller: Caller, ours: dict[str, str], theirs: dict[str, str], name: str
) -> None:
    method, path, _ = OPERATIONS[name]

    answer = caller.call(method, path.format(**ours), {"assistant_id": theirs["assistant_id"]})

    assert answer.status_code == 404
    assert theirs["assistant_id"] in answer.data["error"]["message"]


@pytest.mark.parametrize("list_of", [*LISTS, "/threads?q=secret"])
def test_lists_hold_ours_alone(caller: Caller, ours: dict[str, str], theirs: dict[str, str], list_of: str) -> None:
    answer = caller.get(list_of)

    shown = {row["id"] for row in answer.data["data"]}
    assert len(shown) == 1
    assert shown <= set(ours.values())


@pytest.mark.parametrize("list_of", LISTS)
def test_their_ids_are_no_cursors_that_tell_anything(caller: Caller, theirs: dict[str, str], list_of: str) -> None:
    theirs_there = theirs[f"{list_of.strip('/').removesuffix('s')}_id"]

    answer = caller.get(f"{list_of}?after={theirs_there}")

    assert answer.data["data"] == []


class TestBodies:
    def test_their_files_go_into_nothing_of_ours(
        self, caller: Caller, ours: dict[str, str], theirs: dict[str, str]
    ) -> None:
        attachments = [{"file_id": theirs["file_id"], "tools": [{"type": "file_search"}]}]
        picture = [{"type": "image_file", "image_file": {"file_id": theirs["file_id"]}}]
        files = {"code_interpreter": {"file_ids": [theirs["file_id"]]}}
        stores = {"file_search": {"vector_store_ids": [theirs["vector_store_id"]]}}
        said = {"role": "user", "content": "x"}
        messages = f"/threads/{ours['thread_id']}/messages"

        answers = [
            caller.post(messages, {**said, "attachments": attachments}),
            caller.post(messages, {**said, "content": picture}),
            caller.post("/threads", {"messages": [{**said, "attachments": attachments}]}),
            caller.post("/threads", {"tool_resources": files}),
            caller.post("/threads", {"tool_resources": stores}),
            caller.post(f"/threads/{ours['thread_id']}", {"tool_resources": stores}),
            caller.post("/assistants", {"model": "fast", "tool_resources": files}),
            caller.post(f"/assistants/{ours['assistant_id']}", {"tool_resources": stores}),
        ]

        assert [answer.status_code for answer in answers] == [404] * len(answers)
