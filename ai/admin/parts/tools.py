"""Tools as people read them: what each is called, what it takes, who answers it, and what it works on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from ai import ids, tools
from ai.admin.parts import badges
from ai.models import DataSource, VectorStore
from ai.services import rendering

MOST_TOOLS = 128
MOST_PARAMETERS = 50

BUILT_IN = {
    "file_search": ("File search", "find_in_page", "Searches the files of the vector stores below."),
    "code_interpreter": ("Code interpreter", "terminal", "The model's provider writes and runs code."),
}


def shown(given: Any, *, allowed: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Each tool of an assistant or a run. `allowed` are the server's functions that the tenant may call, None for all."""
    found = [tool for tool in given if isinstance(tool, dict)] if isinstance(given, list) else []
    return [_shown(tool, None if allowed is None else set(allowed)) for tool in found[:MOST_TOOLS]]


def _shown(tool: dict[str, Any], allowed: set[str] | None) -> dict[str, Any]:
    kind = str(tool.get("type") or "")
    if kind in BUILT_IN:
        name, icon, text = BUILT_IN[kind]
        options = tool.get(kind) if isinstance(tool.get(kind), dict) else {}
        return {"name": name, "icon": icon, "text": text, "options": _options(options or {}), "who": ""}
    function = tool["function"] if isinstance(tool.get("function"), dict) else tool
    name = str(function.get("name") or kind or "tool")
    return {
        "name": rendering.visible(name),
        "is_function": True,
        "icon": "function",
        "text": rendering.visible(str(function.get("description") or "")),
        "parameters": parameters(function.get("parameters")),
        "who": who_answers(name, allowed),
    }


def who_answers(name: str, allowed: set[str] | None = None) -> str:
    """Who executes a function of this name: "server", "forbidden" (the tenant may not use it), or "client"."""
    if tools.default.get(name) is None:
        return "client"
    return "server" if allowed is None or name in allowed else "forbidden"


def _options(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    words = []
    if options.get("max_num_results"):
        words.append(("Most results", str(options["max_num_results"])))
    ranking = options.get("ranking_options")
    if isinstance(ranking, Mapping) and ranking.get("score_threshold"):
        words.append(("Least score", str(ranking["score_threshold"])))
    return words


def parameters(schema: Any) -> list[dict[str, Any]]:
    """The arguments in a JSON Schema: name, type in words, whether it is required, and what it says."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping):
        return []
    required = schema.get("required")
    needed = set(map(str, required)) if isinstance(required, list) else set()
    return [
        {
            "name": rendering.visible(str(name)),
            "type": rendering.visible(type_words(value)),
            "is_required": str(name) in needed,
            "text": rendering.visible(str(value.get("description") or "") if isinstance(value, Mapping) else ""),
        }
        for name, value in list(properties.items())[:MOST_PARAMETERS]
    ]


def type_words(schema: Any, *, depth: int = 3) -> str:
    """“list of string”, “red | green”, “Order”: one type of a JSON Schema."""
    if not isinstance(schema, Mapping) or depth == 0:
        return "anything"
    if isinstance(schema.get("enum"), list):
        return " | ".join(str(value) for value in schema["enum"][:12])
    for name in ("anyOf", "oneOf"):
        if isinstance(schema.get(name), list):
            return " or ".join(type_words(each, depth=depth - 1) for each in schema[name][:6])
    if isinstance(schema.get("$ref"), str):
        return str(schema["$ref"].rpartition("/")[2])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(map(str, kind[:6]))
    if kind == "array":
        return f"list of {type_words(schema.get('items'), depth=depth - 1)}"
    return str(kind or "anything")


# -- What tools work on


def store_ids(resources: Any) -> list[str]:
    """The public ids of the vector stores in `tool_resources`."""
    return _texts(resources, "file_search", "vector_store_ids")


def file_ids(resources: Any) -> list[str]:
    """The public ids of the files that code may read."""
    return _texts(resources, "code_interpreter", "file_ids")


def _texts(resources: Any, tool: str, name: str) -> list[str]:
    inner = resources.get(tool) if isinstance(resources, Mapping) else None
    given = inner.get(name) if isinstance(inner, Mapping) else None
    return [text for text in given if isinstance(text, str)][:MOST_TOOLS] if isinstance(given, list) else []


def links(resources: Any, *, tenant_id: UUID | None) -> list[dict[str, Any]]:
    """Vector stores and files that tools work on, by name and with their page: two queries at most."""
    code = files(file_ids(resources), tenant_id=tenant_id, icon="terminal")
    return [*stores(store_ids(resources), tenant_id=tenant_id), *code]


def stores(texts: Iterable[str], *, tenant_id: UUID | None) -> list[dict[str, Any]]:
    """Vector stores by their public ids; one that is gone has no page."""
    wanted = list(dict.fromkeys(texts))
    if not wanted or tenant_id is None:
        return []
    keys = {text: ids.keys(tenant_id, text) for text in wanted}
    rows = VectorStore.objects.filter(pk__in=[key for found in keys.values() for key in found], tenant_id=tenant_id)
    known = {row.pk: row for row in rows.only("pk", "name", "tenant_id")}
    found = {text: next((known[key] for key in keys[text] if key in known), None) for text in wanted}
    return [_link(text, row, str(row or ""), "ai_vectorstore_change", "database_search") for text, row in found.items()]


def files(texts: Iterable[str], *, tenant_id: UUID | None, icon: str = "draft") -> list[dict[str, Any]]:
    """Files by their public ids; one that is gone has no page."""
    wanted = list(dict.fromkeys(texts))
    if not wanted:
        return []
    known = DataSource.objects.filter(file_id__in=wanted, tenant_id=tenant_id).only("pk", "file_id", "name")
    rows = {row.file_id: row for row in known}
    found = {text: rows.get(text) for text in wanted}
    return [_link(text, row, row.name if row else "", "ai_datasource_change", icon) for text, row in found.items()]


def _link(text: str, row: Any, name: str, page: str, icon: str) -> dict[str, Any]:
    return {
        "id": rendering.visible(text),
        "key": text,
        "name": rendering.visible(name or text),
        "url": badges.url(page, row.pk) if row else "",
        "is_gone": row is None,
        "icon": icon,
    }
