"""The OpenAPI document: complete, and telling one thing from another."""

from __future__ import annotations

import pkgutil
import re
from collections import Counter
from importlib import import_module
from typing import Any

import pytest
from pydantic import BaseModel

from ai.api import wire
from ai.api.urls import api

DOCUMENT: dict[str, Any] = api.get_openapi_schema()
OPERATIONS = {f"{method.upper()} {path}": op for path, ops in DOCUMENT["paths"].items() for method, op in ops.items()}

PROMISED = """
GET /assistants, POST /assistants, GET /assistants/{}, POST /assistants/{}, DELETE /assistants/{},
POST /threads, GET /threads/{}, POST /threads/{}, DELETE /threads/{}, GET /threads,
GET /threads/{}/messages, POST /threads/{}/messages,
GET /threads/{}/messages/{}, POST /threads/{}/messages/{}, DELETE /threads/{}/messages/{},
POST /threads/runs, GET /threads/{}/runs, POST /threads/{}/runs, GET /threads/{}/runs/{}, POST /threads/{}/runs/{},
POST /threads/{}/runs/{}/cancel, POST /threads/{}/runs/{}/submit_tool_outputs,
GET /threads/{}/runs/{}/steps, GET /threads/{}/runs/{}/steps/{},
GET /files, POST /files, GET /files/{}, DELETE /files/{}, GET /files/{}/content,
GET /vector_stores, POST /vector_stores, GET /vector_stores/{}, POST /vector_stores/{}, DELETE /vector_stores/{},
GET /vector_stores/{}/files, POST /vector_stores/{}/files, GET /vector_stores/{}/files/{},
POST /vector_stores/{}/files/{}, DELETE /vector_stores/{}/files/{}, GET /vector_stores/{}/files/{}/content,
POST /vector_stores/{}/file_batches, GET /vector_stores/{}/file_batches/{},
POST /vector_stores/{}/file_batches/{}/cancel, GET /vector_stores/{}/file_batches/{}/files,
POST /vector_stores/{}/search, GET /models, GET /models/{}
"""


def test_has_every_operation_of_the_assistants_api() -> None:
    found = {re.sub(r"\{\w+\}", "{}", name.replace("/v1", "")) for name in OPERATIONS}

    assert {name.strip() for name in PROMISED.replace("\n", " ").split(",")} <= found


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_the_operation_is_told_about(name: str) -> None:
    operation = OPERATIONS[name]

    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    assert {"200", "400", "401", "403", "404", "413", "429", "500"} <= set(map(str, operation["responses"]))


def test_each_has_an_id_of_its_own() -> None:
    ids = Counter(operation["operationId"] for operation in OPERATIONS.values())

    assert [name for name, count in ids.items() if count > 1] == []


def test_no_two_shapes_share_a_name() -> None:
    modules = [import_module(f"{wire.__name__}.{each.name}") for each in pkgutil.iter_modules(wire.__path__)]
    shapes = Counter(
        name
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == module.__name__
    )

    # The document knows them by their names alone: the second would take the place of the first.
    assert [name for name, count in shapes.items() if count > 1] == []


def test_every_reference_leads_somewhere() -> None:
    text = str(DOCUMENT)
    named = set(DOCUMENT["components"]["schemas"])

    assert {part.split("'")[0] for part in text.split("#/components/schemas/")[1:]} <= named
