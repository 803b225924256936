"""Lists by cursor, as the Assistants API pages them: `limit`, `order`, `after`, `before`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar

from django.db.models import Q
from ninja import Schema
from pydantic import Field

from ai.api import lookups
from ai.exceptions import InvalidInput

T = TypeVar("T")

#: Newest first or oldest first; rows of one moment by their ids, which grow with time.
BY_CREATION = ("created", "pk")


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


def read(rows: Any, query: PageQuery, *, kind: str, by: tuple[str, ...] = BY_CREATION) -> Page[Any]:
    """A page of a queryset, without counting it.

    Args:
        rows: the whole list, in any order.
        kind: what its ids are of, one of `ids.PREFIXES`.
        by: the fields of the order, the last of them unique.

    Raises:
        InvalidInput: a cursor is no id of the list.
    """
    ascending = query.order == "asc"
    kept = rows
    if query.after:
        kept = kept.filter(_beyond(by, _position(rows, by, "after", query.after, kind), ascending=ascending))
    if query.before:
        kept = kept.filter(_beyond(by, _position(rows, by, "before", query.before, kind), ascending=not ascending))
    backward = bool(query.before and not query.after)
    # The page before a cursor is the one that ends there: read from the cursor on, then turned round.
    up = ascending is not backward
    found = list(kept.order_by(*(name if up else f"-{name}" for name in by))[: query.limit + 1])
    page = found[: query.limit]
    return Page(page[::-1] if backward else page, len(found) > query.limit)


def _position(rows: Any, by: tuple[str, ...], name: str, text: str, kind: str) -> tuple[Any, ...]:
    """Where the cursor is in the order."""
    keys = lookups.keys(text)
    found: tuple[Any, ...] | None = rows.filter(pk__in=keys).order_by("pk").values_list(*by).first()
    if found is not None:
        return found
    if by == BY_CREATION and keys[0].version == 7:
        # Whoever deletes what they list walks on from an id that is gone; it still tells its time.
        return datetime.fromtimestamp((keys[0].int >> 80) / 1000, UTC), keys[0]
    raise InvalidInput(lookups.missing(kind, text).message, param=name)


def _beyond(by: tuple[str, ...], values: tuple[Any, ...], *, ascending: bool) -> Q:
    """Rows after the position. An index is used for `>=` on the first field, which `OR` alone would prevent."""
    beyond = "gt" if ascending else "lt"
    if len(by) == 1:
        return Q(**{f"{by[0]}__{beyond}": values[0]})
    first, second = by
    ties = Q(**{f"{first}__{beyond}": values[0]}) | Q(**{f"{second}__{beyond}": values[1]})
    return Q(**{f"{first}__{beyond}e": values[0]}) & ties
