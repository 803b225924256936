"""What pydantic found wrong with a request, in the words of OpenAI's API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ai.exceptions import InvalidInput

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

GIVEN = (
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
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return InvalidInput(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    if kind in EXPECTED:
        message = f"Invalid type for '{param}': expected {EXPECTED[kind]}, but got {name_of(error['input'])} instead."
        return InvalidInput(message, param=param, code="invalid_type")
    words = _WORDS.get(kind)
    if words is None:
        return InvalidInput(f"Invalid '{param}': {error['msg']}.", param=param, code="invalid_value")
    message, code = words(error["input"], context)
    return InvalidInput(f"Invalid '{param}': {message}", param=param, code=code)


def path_of(location: tuple[int | str, ...]) -> str:
    """`tools[0].function.name`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def name_of(value: Any) -> str:
    """What kind of JSON value it is."""
    return next((name for kind, name in GIVEN if isinstance(value, kind)), "null")


def _long(what: str, code: str) -> Callable[[Any, Mapping[str, Any]], tuple[str, str]]:
    def words(given: Any, context: Mapping[str, Any]) -> tuple[str, str]:
        most = context["max_length"]
        told = f"{what} too long. Expected at most {most}, but got {len(given)} instead."
        return told, f"{code}_above_max_length"

    return words


def _short(what: str, code: str) -> Callable[[Any, Mapping[str, Any]], tuple[str, str]]:
    def words(given: Any, context: Mapping[str, Any]) -> tuple[str, str]:
        least = context["min_length"]
        told = f"{what} too short. Expected at least {least}, but got {len(given)} instead."
        return told, f"{code}_below_min_length"

    return words


def _bound(name: str, sign: str, side: str, limit: str) -> Callable[[Any, Mapping[str, Any]], tuple[str, str]]:
    def words(given: Any, context: Mapping[str, Any]) -> tuple[str, str]:
        kind = "decimal" if isinstance(given, float) else "integer"
        told = f"{kind} {side} {limit} value. Expected a value {sign} {context[name]:g}, but got {str(given)[:40]} instead."
        return told, f"{kind}_{side}_{limit[:3]}_value"

    return words


def _choice(given: Any, context: Mapping[str, Any]) -> tuple[str, str]:
    return f"{str(given)[:100]!r} is not one of the supported values: {context['expected']}.", "invalid_value"


_WORDS = {
    "string_too_long": _long("string", "string"),
    "too_long": _long("array", "array"),
    "string_too_short": _short("string", "string"),
    "too_short": _short("array", "array"),
    "greater_than_equal": _bound("ge", ">=", "below", "minimum"),
    "less_than_equal": _bound("le", "<=", "above", "maximum"),
    "literal_error": _choice,
    "enum": _choice,
}
