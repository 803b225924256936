"""What pydantic found wrong with a request, in the words of OpenAI's API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ai.exceptions import InvalidInput

Words = Callable[[Any, Mapping[str, Any]], tuple[str, str]]

#: Pydantic's name for a type that was expected, as clients read it.
EXPECTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_parsing_size": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "a boolean",
    "bool_parsing": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dict_attributes_type": "an object",
}

#: What a value is called; the first that fits.
NAMES = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a decimal"),
    (str, "a string"),
    (list, "an array"),
    (dict, "an object"),
)


def invalid(error: Mapping[str, Any], *, skip: int) -> InvalidInput:
    """The first of pydantic's errors as ours; the first `skip` parts of its location are not the client's."""
    param = path_of(error["loc"][skip:])
    kind, given = error["type"], error["input"]
    if kind == "missing":
        return InvalidInput(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    if kind == "extra_forbidden":
        return InvalidInput(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
    if kind in EXPECTED:
        message = f"Invalid type for '{param}': expected {EXPECTED[kind]}, but got {name_of(given)} instead."
        return InvalidInput(message, param=param, code="invalid_type")
    words = _WORDS.get(kind)
    told, code = words(given, error.get("ctx", {})) if words else (f"{error['msg']}.", "invalid_value")
    return InvalidInput(f"Invalid '{param}': {told}", param=param, code=code)


def path_of(location: tuple[int | str, ...]) -> str:
    """`tools[0].function.name`; pydantic's own marks in a location, such as a union's tags, are left out."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith(("#", "[")):
            path += f".{part}" if path else part
    return path


def name_of(value: Any) -> str:
    """What kind of JSON value it is."""
    return next((name for kind, name in NAMES if isinstance(value, kind)), "null")


def _size(which: str, side: str, bound: str, least_or_most: str) -> Words:
    def words(given: Any, context: Mapping[str, Any]) -> tuple[str, str]:
        kind = name_of(given).split()[-1]
        unit = "properties" if kind == "object" else "length"
        told = f"{kind} {which}. Expected {least_or_most} {context[bound]}, but got {len(given)} instead."
        return told, f"{kind}_{side}_{bound[:3]}_{unit}"

    return words


def _bound(name: str, sign: str, side: str, limit: str) -> Words:
    def words(given: Any, context: Mapping[str, Any]) -> tuple[str, str]:
        kind = "decimal" if isinstance(given, float) else "integer"
        shown = str(given)[:40]
        told = f"{kind} {side} {limit} value. Expected a value {sign} {context[name]:g}, but got {shown} instead."
        return told, f"{kind}_{side}_{limit[:3]}_value"

    return words


def _choice(given: Any, context: Mapping[str, Any]) -> tuple[str, str]:
    return f"{str(given)[:100]!r} is not one of the supported values: {context['expected']}.", "invalid_value"


def _type(given: Any, context: Mapping[str, Any]) -> tuple[str, str]:
    supported = context["expected_tags"].replace("#", "")
    found = context["tag"].removeprefix("#")[:100]
    return f"its type {found!r} is not one of the supported ones: {supported}.", "invalid_value"


_WORDS: dict[str, Words] = {
    "string_too_long": _size("too long", "above", "max_length", "at most"),
    "too_long": _size("with too many elements", "above", "max_length", "at most"),
    "string_too_short": _size("too short", "below", "min_length", "at least"),
    "too_short": _size("with too few elements", "below", "min_length", "at least"),
    "greater_than_equal": _bound("ge", ">=", "below", "minimum"),
    "less_than_equal": _bound("le", "<=", "above", "maximum"),
    "literal_error": _choice,
    "enum": _choice,
    "union_tag_invalid": _type,
}
