"""Reading values of foreign JSON: each is what it should be, or `Unusable` says what is wrong with it."""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from ai.services.imports.drafts import Json, Unusable

MOST_LEVELS = 100
TOO_DEEP = f"It is nested more than {MOST_LEVELS} levels deep."
MOST_TOKENS = 2_147_483_647

#: Seconds of the year 5138: greater numbers are milliseconds.
_MILLISECONDS_FROM = 100_000_000_000
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_ID = re.compile(r"[A-Za-z0-9._:~-]{1,255}")


def identity(value: Json, name: str = "id") -> str:
    """The id: at most 255 letters, digits and `_ - . : ~`."""
    found = value.get(name)
    if found is None or found == "":
        raise Unusable(f"It has no “{name}”.")
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise Unusable(f"Its “{name}” is no id: {shown(found)}.")
    return found


def is_identity(found: str) -> bool:
    """Whether a text is an id as it stands."""
    return _ID.fullmatch(found) is not None


def as_identity(found: str) -> str:
    """The text as an id.

    Raises:
        Unusable: it is none.
    """
    return identity({"id": found})


def require_shallow(value: Json) -> None:
    """Let pass what whoever reads it can go through level by level.

    Raises:
        Unusable: it has more than 100 levels.
    """
    level: list[Any] = [value]
    for _ in range(MOST_LEVELS):
        inside = (holder.values() if isinstance(holder, dict) else holder for holder in level)
        level = [item for items in inside for item in items if isinstance(item, dict | list)]
        if not level:
            return
    raise Unusable(TOO_DEEP)


def reference(value: Json, name: str) -> str | None:
    """An id that may be missing."""
    return identity(value, name) if value.get(name) else None


def text(value: Json, name: str, *, most: int | None = None) -> str:
    """A text of at most `most` characters; empty where it is missing."""
    found = value.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise Unusable(f"Its “{name}” is no text: {shown(found)}.")
    if most is not None and len(found) > most:
        raise Unusable(f"Its “{name}” is longer than {most} characters.")
    return found


def mapping(value: Json, name: str) -> Json:
    """A JSON object; empty where it is missing."""
    found = value.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Unusable(f"Its “{name}” is no object: {shown(found)}.")
    return found


def metadata(value: Json) -> dict[str, str]:
    """The pairs of texts that every object may have; a value that is no text becomes JSON."""
    found = mapping(value, "metadata")
    return {key: item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for key, item in found.items()}


def objects(value: Json, name: str) -> list[Json]:
    """A list of JSON objects; empty where it is missing."""
    found = value.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Unusable(f"Its “{name}” is no list of objects: {shown(found)}.")
    return found


def texts(value: Json, name: str) -> list[str]:
    """A list of texts; empty where it is missing."""
    found = value.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise Unusable(f"Its “{name}” is no list of texts: {shown(found)}.")
    return found


def usage(value: Json) -> Json | None:
    """Tokens used, as the API tells them; None where nothing is known."""
    found = mapping(value, "usage")
    if not found:
        return None
    prompt, completion = tokens(found, "prompt_tokens"), tokens(found, "completion_tokens")
    total = tokens(found, "total_tokens") or min(prompt + completion, MOST_TOKENS)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


def tokens(value: Json, name: str) -> int:
    """A number of tokens; 0 where it is missing."""
    found = value.get(name)
    if found is None:
        return 0
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= MOST_TOKENS:
        raise Unusable(f"Its “{name}” is no number of tokens: {shown(found)}.")
    return int(found)


def time(value: Json, name: str) -> datetime | None:
    """A time: Unix seconds or milliseconds, or an ISO 8601 text (UTC where it names no zone); None where it is missing."""
    found = value.get(name)
    if found is None or found == "":
        return None
    try:
        parsed = _from_text(found) if isinstance(found, str) else _from_number(found)
    except (ValueError, TypeError, OverflowError, OSError):
        parsed = None
    if parsed is None or not _EARLIEST <= parsed < _LATEST:
        raise Unusable(f"Its “{name}” is no time: {shown(found)}.")
    return parsed


def first_time(value: Json, names: Iterable[str]) -> datetime | None:
    """The first of these times that is there."""
    return next((found for name in names if (found := time(value, name))), None)


def created(value: Json) -> datetime:
    """The time that every object has."""
    found = time(value, "created_at")
    if found is None:
        raise Unusable("It has no “created_at”.")
    return found


def _from_number(found: Any) -> datetime:
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise TypeError
    seconds = found / 1000 if found >= _MILLISECONDS_FROM else found
    return datetime.fromtimestamp(seconds, tz=UTC)


def _from_text(found: str) -> datetime:
    if found.strip().isdecimal():
        return _from_number(int(found))
    parsed = datetime.fromisoformat(found.strip())
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def shown(found: Any) -> str:
    """The value for people, cut short."""
    return reprlib.repr(found)
