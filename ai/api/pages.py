"""Lists by cursor, as the Assistants API pages them: `limit`, `order`, `after`, `before`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Literal, TypeVar

from django.db.models import Q
from ninja import Schema
from pydantic import Field

from ai.api import lookups
from ai.exceptions import InvalidInput
from ai.stores.serialization import clean_text

T = TypeVar("T")

#: Newest first or oldest first; rows of one moment by their ids, which grow with time.
BY_CREATION = ("created", "pk")

#: How far a row's time of creation may be from the time in its id.
ABOUT = timedelta(seconds=1)


class PageQuery(Schema):
    """What clients say about the page they want."""

    limit: int = Field(20, ge=1, le=100)
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None
    before: str | None = None


class ListAnswer(Schema, Generic[T]):
    """A page of a list."""

    object: Literal["list"]
    data: list[T]
    first_id: str | None
    last_id: str | None
    has_more: bool


@dataclass(frozen=True)
class Page(Generic[T]):
    """Rows in the order of the list, and whether there are more in the direction that was read."""

    rows: list[T]
    has_more: bool

    def body(self, write: Callable[[Sequence[T]], list[dict[str, Any]]]) -> dict[str, Any]:
        """The page as JSON; `write` turns rows into objects with an `id`."""
        data = write(self.rows)
        return {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": self.has_more,
        }


def read(
    rows: Any, query: PageQuery, *, kind: str, by: tuple[str, ...] = BY_CREATION, named: str | None = None
) -> Page[Any]:
    """A page of a queryset, without counting it.

    Args:
        rows: the whole list, in any order.
        kind: what its ids are of, one of `ids.PREFIXES`.
        by: the fields of the order, the last of them unique.
        named: the field that holds the public id, where that is not made from the key.

    Raises:
        InvalidInput: a cursor is no id of the list.
    """
    ascending = query.order == "asc"
    kept = rows
    for name, text, onward in (("after", query.after, ascending), ("before", query.before, not ascending)):
        if text:
            place = _position(rows, by, text, named) or _former(by, text, onward=onward)
            if place is None:
                raise InvalidInput(lookups.missing(kind, text).message, param=name)
            kept = kept.filter(_beyond(by, place, ascending=onward))
    backward = bool(query.before and not query.after)
    # The page before a cursor is the one that ends there: read from the cursor on, then turned round.
    up = ascending is not backward
    found = list(kept.order_by(*(name if up else f"-{name}" for name in by))[: query.limit + 1])
    page = found[: query.limit]
    return Page(page[::-1] if backward else page, len(found) > query.limit)


def _position(rows: Any, by: tuple[str, ...], text: str, named: str | None) -> tuple[Any, ...] | None:
    """Where the row with this public id is in the order; None when it is nowhere."""
    which = {named: clean_text(text)} if named else {"pk__in": lookups.keys(text)}
    found: tuple[Any, ...] | None = rows.filter(**which).order_by("pk").values_list(*by).first()
    return found


def _former(by: tuple[str, ...], text: str, *, onward: bool) -> tuple[Any, ...] | None:
    """Where a row was that is gone, as its id tells: whoever deletes what they list walks on from it, and misses none."""
    key = lookups.keys(text)[0]
    if by != BY_CREATION or key.version != 7:
        return None
    try:
        made = datetime.fromtimestamp((key.int >> 80) / 1000, UTC)
        return made - ABOUT if onward else made + ABOUT, key
    except (ValueError, OverflowError):  # in the year 9999 or later
        return None


def _beyond(by: tuple[str, ...], values: tuple[Any, ...], *, ascending: bool) -> Q:
    """Rows after the position. An index is used for `>=` on the first field, which `OR` alone would prevent."""
    beyond = "gt" if ascending else "lt"
    if len(by) == 1:
        return Q(**{f"{by[0]}__{beyond}": values[0]})
    first, second = by
    ties = Q(**{f"{first}__{beyond}": values[0]}) | Q(**{f"{second}__{beyond}": values[1]})
    return Q(**{f"{first}__{beyond}e": values[0]}) & ties
