"""Assistants over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from ai.models import Assistant, AuditEntry, ModelRoute, Tenant
from tests import factories
from tests.api.calling import Caller

pytestmark = pytest.mark.django_db

TOOL = {
    "type": "function",
    "function": {"name": "Sky-weather", "parameters": {"$defs": {}, "title": "T", "default": None}, "strict": None},
}


@pytest.fixture(autouse=True)
def _models(tenant: Tenant) -> None:
    factories.language_model(alias="fast")
    ModelRoute.objects.set(tenant_id=tenant.pk, pattern="gpt-4*", alias="fast")


def create(caller: Caller, **values: Any) -> dict[str, Any]:
    answer = caller.post("/assistants", {"model": "fast", **values})
    assert answer.status_code == 200, answer.data
    found: dict[str, Any] = answer.data
    return found


class TestCreate:
    def test_answers_with_every_key(self, caller: Caller) -> None:
        made = create(caller)

        row = Assistant.objects.get()
        assert made == {
            "id": f"asst_{row.pk.hex}",
            "object": "assistant",
            "created_at": int(row.created.timestamp()),
            "name": None,
            "description": None,
            "model": "fast",
            "instructions": None,
            "tools": [],
            "tool_resources": {},
            "metadata": {},
            "temperature": None,
            "top_p": None,
            "response_format": "auto",
            "reasoning_effort": None,
        }

    def test_keeps_what_it_is_given(self, caller: Caller) -> None:
        given = {
            "name": "Sky",
            "description": "",
            "instructions": "Be brief.",
            "tools": [TOOL, {"type": "file_search", "file_search": {"max_num_results": 5}}],
            "metadata": {"a": "b"},
            "temperature": 1,
            "top_p": 0.5,
            "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}},
            "reasoning_effort": "low",
        }

        made = create(caller, **given)

        assert {name: made[name] for name in given} == given
        assert caller.get(f"/assistants/{made['id']}").data == made

    def test_refuses_a_parameter_that_it_does_not_know(self, caller: Caller) -> None:
        refused = caller.post("/assistants", {"model": "m", "colour": "blue"})

        assert refused.status_code == 400
        assert refused.data["error"]["message"] == "Unknown parameter: 'colour'."
        assert (refused.data["error"]["param"], refused.data["error"]["code"]) == ("colour", "unknown_parameter")

    def test_takes_nulls_for_nothing(self, caller: Caller) -> None:
        nothing = dict.fromkeys(["description", "metadata", "temperature", "top_p", "tool_resources", "tools", "name"])

        made = create(caller, **nothing, response_format=None, reasoning_effort=None)

        assert (made["tools"], made["metadata"], made["temperature"]) == ([], {}, None)

    def test_knows_the_models_of_the_tenants_map_by_their_own_names(self, caller: Caller) -> None:
        assert create(caller, model="gpt-4o")["model"] == "gpt-4o"

    def test_is_audited_in_the_name_of_the_key(self, caller: Caller) -> None:
        create(caller)

        entry = AuditEntry.objects.get(action="assistant.added")
        assert entry.actor_id.startswith("key:")
        assert entry.actor_name.startswith("API key mc-")

    @pytest.mark.parametrize(
        ("wrong", "param", "code", "message"),
        [
            (
                {"model": None},
                "model",
                "invalid_type",
                "Invalid type for 'model': expected a string, but got null instead.",
            ),
            ({"model": "none"}, "model", "model_not_found", "The requested model 'none' does not exist."),
            ({"name": "x" * 257}, "name", "string_above_max_length", "string too long"),
            ({"description": "x" * 513}, "description", "string_above_max_length", "string too long"),
            ({"instructions": "x" * 256_001}, "instructions", "string_above_max_length", "string too long"),
            ({"tools": [TOOL] * 129}, "tools", "array_above_max_length", "too many elements"),
            (
                {"tools": [{}]},
                "tools[0]",
                "invalid_value",
                "supported ones: 'function', 'file_search', 'code_interpreter'.",
            ),
            ({"tools": [{"type": "magic"}]}, "tools[0]", "invalid_value", "'magic'"),
            ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter", "Missing required"),
            (
                {"tools": [{"type": "function", "function": {"name": "a b"}}]},
                "tools[0].function.name",
                "invalid_value",
                "Invalid 'tools[0].function.name'",
            ),
            ({"tools": "all"}, "tools", "invalid_type", "expected an array, but got a string"),
            ({"temperature": 2.1}, "temperature", "decimal_above_max_value", "Expected a value <= 2, but got 2.1"),
            ({"temperature": -1}, "temperature", "integer_below_min_value", "Expected a value >= 0, but got -1"),
            ({"temperature": "hot"}, "temperature", "invalid_type", "expected a number, but got a string"),
            ({"temperature": 10**400}, "temperature", "invalid_type", "expected a number"),
            ({"top_p": 1.5}, "top_p", "decimal_above_max_value", "<= 1"),
            ({"metadata": {"a": 1}}, "metadata.a", "invalid_type", "expected a string, but got an integer"),
            ({"metadata": {str(n): "" for n in range(17)}}, "metadata", "object_above_max_properties", "too many"),
            ({"metadata": {"k" * 65: ""}}, f"metadata.{'k' * 65}", "string_above_max_length", "too long"),
            ({"metadata": {"k": "v" * 513}}, "metadata.k", "string_above_max_length", "too long"),
            ({"response_format": {"type": "xml"}}, "response_format", "invalid_value", "json_schema"),
            ({"response_format": "json"}, "response_format", "invalid_value", "json_schema"),
            ({"reasoning_effort": "huge"}, "reasoning_effort", "invalid_value", "'huge'"),
            ({"file_ids": ["file-1"]}, "file_ids", "unknown_parameter", "Unknown parameter: 'file_ids'."),
            (
                {"tool_resources": {"file_search": {"vector_store_ids": ["vs_1", "vs_2"]}}},
                "tool_resources.file_search.vector_store_ids",
                "array_above_max_length",
                "too many elements",
            ),
        ],
    )
    def test_says_what_is_wrong(
        self, caller: Caller, wrong: dict[str, Any], param: str, code: str, message: str
    ) -> None:
        answer = caller.post("/assistants", {"model": "fast", **wrong})

        assert answer.status_code == 400
        error = answer.data["error"]
        assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
        assert message in error["message"]

    def test_wants_a_model(self, caller: Caller) -> None:
        answer = caller.post("/assistants", {"name": "x"})

        assert answer.status_code == 400
        assert answer.data["error"]["message"] == "Missing required parameter: 'model'."

    @pytest.mark.parametrize(
        "resources",
        [{"code_interpreter": {"file_ids": ["file-none"]}}, {"file_search": {"vector_store_ids": ["vs_none"]}}],
    )
    def test_wants_files_and_stores_that_are_there(self, caller: Caller, resources: dict[str, Any]) -> None:
        answer = caller.post("/assistants", {"model": "fast", "tool_resources": resources})

        assert answer.status_code == 404
        assert "found with id" in answer.data["error"]["message"]


class TestModify:
    def test_leaves_what_is_not_given(self, caller: Caller) -> None:
        before = create(caller, name="Sky", tools=[TOOL], temperature=0.3, metadata={"a": "b"})

        after = caller.post(f"/assistants/{before['id']}", {"instructions": "Be kind.", "name": None}).data

        assert after == {**before, "instructions": "Be kind."}

    def test_takes_back_what_it_answered(self, caller: Caller) -> None:
        before = create(caller, name="Sky", tools=[TOOL], temperature=0.3, response_format={"type": "text"})

        after = caller.post(f"/assistants/{before['id']}", before)

        assert (after.status_code, after.data) == (200, before)

    def test_empties_lists_and_objects(self, caller: Caller) -> None:
        before = create(caller, tools=[TOOL], metadata={"a": "b"})

        after = caller.post(f"/assistants/{before['id']}", {"tools": [], "metadata": {}}).data

        assert (after["tools"], after["metadata"]) == ([], {})


class TestDelete:
    def test_deletes_once(self, caller: Caller) -> None:
        made = create(caller)

        first, second = caller.delete(f"/assistants/{made['id']}"), caller.delete(f"/assistants/{made['id']}")

        assert first.data == {"id": made["id"], "object": "assistant.deleted", "deleted": True}
        assert second.status_code == 404
        assert second.data["error"]["message"] == f"No assistant found with id '{made['id']}'."


class TestScopes:
    @pytest.mark.parametrize("scopes", [["read"], ["read", "write"]])
    def test_only_admin_keys_change_assistants(self, caller: Caller, tenant: Tenant, scopes: list[str]) -> None:
        made = create(caller)
        weak = Caller.of(tenant, scopes=scopes)

        changes = [
            weak.post("/assistants", {"model": "fast"}),
            weak.post(f"/assistants/{made['id']}", {"name": "x"}),
            weak.delete(f"/assistants/{made['id']}"),
        ]

        assert {answer.status_code for answer in changes} == {403}
        assert weak.get(f"/assistants/{made['id']}").data == made
