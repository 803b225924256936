"""From what callers hold (dicts, pydantic objects, dataclasses) to JSON that every database can keep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from ai.exceptions import InvalidInput

#: JSON says these signs otherwise, so that no text ends what it is quoted in.
_INERT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "`": "\\u0060", "{{": "\\u007b\\u007b", "{%": "\\u007b%"}


def quoted(value: Any) -> str:
    """The value as JSON for a model to read: data, in which nothing can end the quotation."""
    text = json.dumps(value, ensure_ascii=False)
    for sign, code in _INERT.items():
        text = text.replace(sign, code)
    return text


def clean_text(text: str) -> str:
    """`text` without what PostgreSQL cannot store: NUL and lone surrogates become U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124 - NaN is not itself
    return _clean(to_jsonable_python(value, fallback=str))


def to_serializable(data: Any) -> dict[str, Any]:
    """`data` as a JSON object: what `json.dumps` takes as it stands.

    Args:
        data: a mapping, a pydantic object, or any object with attributes.

    Raises:
        InvalidInput: it is none of these.
    """
    if isinstance(data, BaseModel):
        data = data.model_dump(exclude_unset=True)
    elif not isinstance(data, Mapping):
        try:
            data = vars(data)
        except TypeError:
            raise InvalidInput(f"Expected an object with named values, got {type(data).__name__}.") from None
    result: dict[str, Any] = _clean(dict(data))
    return result


def value_of(data: Any, name: str, default: Any = None) -> Any:
    """The value `name` of a mapping or an object; `default` where it is missing or None."""
    found = data.get(name) if isinstance(data, Mapping) else getattr(data, name, None)
    return default if found is None else found
