"""The smallest body that the API's document allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]


def body_of(operation: Schema, document: Schema, ids: Mapping[str, str]) -> dict[str, Any] | None:
    """A body for the operation that names `ids` wherever it names an id; None when it has no JSON body."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    found: dict[str, Any] | None = value_of(content["schema"], document, ids) if content else None
    return found


def value_of(schema: Schema, document: Schema, ids: Mapping[str, str], name: str = "") -> Any:
    """The smallest value that fits the schema of the property `name`."""
    if "$ref" in schema:
        named = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return value_of(named, document, ids, name)
    if name in ids:
        return ids[name]
    for choices in ("oneOf", "anyOf"):
        if choices in schema:
            return value_of(schema[choices][0], document, ids, name)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    return _plain(schema, document, ids, name)


def _plain(schema: Schema, document: Schema, ids: Mapping[str, str], name: str) -> Any:
    kind = schema.get("type", "string")
    if kind == "object":
        properties = schema.get("properties", {})
        return {key: value_of(properties[key], document, ids, key) for key in schema.get("required", ())}
    if kind == "array":
        # `file_ids` holds what `file_id` is.
        return [value_of(schema.get("items", {}), document, ids, name.removesuffix("s"))]
    return {"string": "x", "integer": max(1, schema.get("minimum", 1)), "number": 1, "boolean": False}.get(kind)
