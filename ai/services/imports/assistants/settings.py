"""What assistants, threads and runs are set to: only values that the API may answer with."""

from __future__ import annotations

from typing import Any

from ai.services.imports import fields
from ai.services.imports.drafts import Json, Unusable

OF_ASSISTANTS = ("temperature", "top_p", "response_format", "reasoning_effort")
OF_RUNS = (
    *OF_ASSISTANTS,
    "max_prompt_tokens",
    "max_completion_tokens",
    "truncation_strategy",
    "tool_choice",
    "parallel_tool_calls",
)

_TYPES: dict[str, tuple[type, ...]] = {
    "temperature": (int, float),
    "top_p": (int, float),
    "response_format": (str, dict),
    "reasoning_effort": (str,),
    "max_prompt_tokens": (int,),
    "max_completion_tokens": (int,),
    "truncation_strategy": (dict,),
    "tool_choice": (str, dict),
    "parallel_tool_calls": (bool,),
}
_LISTS = {"code_interpreter": "file_ids", "file_search": "vector_store_ids"}


def settings(value: Json, names: tuple[str, ...]) -> Json:
    """Those of the settings that are set."""
    return {name: _checked(name, value[name]) for name in names if value.get(name) is not None}


def _checked(name: str, found: Any) -> Any:
    types = _TYPES[name]
    if not isinstance(found, types) or (isinstance(found, bool) and bool not in types):
        raise Unusable(f"Its “{name}” is nothing that this can be: {fields.shown(found)}.")
    return found


def tool_resources(value: Json) -> Json:
    """The ids of files and vector stores, by tool; what they stand for may not be here."""
    given = fields.mapping(value, "tool_resources")
    return {
        tool: {name: fields.texts(fields.mapping(given, tool), name)}
        for tool, name in _LISTS.items()
        if given.get(tool)
    }
