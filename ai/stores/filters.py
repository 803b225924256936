"""Filters over the attributes of files in a vector store, as the API has them.

A comparison is `{"type": "eq", "key": "year", "value": 2026}`; others are ne, gt, gte, lt, lte (texts with texts, numbers
with numbers), in and nin (with a list). `{"type": "and", "filters": […]}` and `or` join them. A file without the attribute
is unequal to every value.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from ai.exceptions import InvalidInput

Matches = Callable[[Mapping[str, Any]], bool]

DEEPEST = 8
MOST_PARTS = 100

_ORDERED = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
_MISSING = object()


def compiled(given: Any) -> Matches:
    """A function that says whether attributes pass.

    Raises:
        InvalidInput: it is no filter, or a very big one.
    """
    return _compiled(given, depth=0, left=[MOST_PARTS])


def _compiled(given: Any, *, depth: int, left: list[int]) -> Matches:
    left[0] -= 1
    if depth > DEEPEST or left[0] < 0:
        raise _refused(f"use at most {MOST_PARTS} of them, and nest them at most {DEEPEST} deep")
    kind = given.get("type") if isinstance(given, Mapping) else None
    if kind not in ("and", "or"):
        return _comparison(given, kind)
    filters = given.get("filters")
    if not isinstance(filters, list) or not filters:
        raise _refused(f"'{kind}' needs a list of 'filters'")
    parts = [_compiled(each, depth=depth + 1, left=left) for each in filters]
    joined = all if kind == "and" else any
    return lambda attributes: joined(part(attributes) for part in parts)


def _comparison(given: Any, kind: Any) -> Matches:
    if not isinstance(given, Mapping) or not isinstance(kind, str):
        raise _refused("each is an object with a 'type'")
    key, value = given.get("key"), given.get("value", _MISSING)
    if not isinstance(key, str) or value is _MISSING:
        raise _refused(f"'{kind[:20]}' needs a 'key' and a 'value'")
    if kind in ("eq", "ne", "in", "nin"):
        return _membership(kind, key, value)
    if kind in _ORDERED:
        compare, bound = _ORDERED[kind], _plain(value)
        return lambda attributes: _comparable(attributes.get(key), bound) and compare(attributes[key], bound)
    raise _refused(f"'{kind[:20]}' is none of eq, ne, gt, gte, lt, lte, in, nin, and, or")


def _membership(kind: str, key: str, value: Any) -> Matches:
    if kind in ("eq", "ne"):
        value = [value]
    if not isinstance(value, list):
        raise _refused(f"'{kind}' needs a list as its 'value'")
    values, wanted = [_plain(each) for each in value], kind in ("eq", "in")
    return lambda attributes: any(_equal(attributes.get(key, _MISSING), each) for each in values) is wanted


def _plain(value: Any) -> Any:
    if value is not None and not isinstance(value, str | int | float | bool):
        raise _refused("a 'value' is a text, a number or a boolean")
    return value


def _equal(one: Any, other: Any) -> bool:
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _comparable(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return False
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return numbers or (isinstance(one, str) and isinstance(other, str))


def _refused(why: str) -> InvalidInput:
    return InvalidInput(f"Invalid 'filters': {why}.", param="filters")
