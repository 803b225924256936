"""Which columns of a list are shown, in which order, and which way its rows go: all of it in the address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.utils import label_for_field
from django.db.models import OrderBy
from django.http import HttpRequest

#: The parameters of the address. An unknown column, such as one of an older version, is passed over.
COLUMNS, ORDER, REVERSED = "columns", "order", "reversed"
CHECKBOX = "action_checkbox"


@dataclass(frozen=True)
class Column:
    """One column to choose: a fixed one leads to the row's page, and stays."""

    name: str
    label: str
    is_shown: bool
    is_fixed: bool


def wanted(request: HttpRequest) -> list[str]:
    """The names in the address, in their order; none is all of them as they are."""
    return [name for text in request.GET.getlist(COLUMNS) for name in text.split(",") if name]


def fixed(every: Sequence[str], links: Sequence[str] | None) -> list[str]:
    """Those that lead to the row's page."""
    return [name for name in links or () if name in every] or list(every[:1])


def shown(every: Sequence[str], chosen: Iterable[str], links: Sequence[str] | None) -> list[str]:
    """The chosen ones that the list has; all of them where none is chosen."""
    found = [name for name in dict.fromkeys(chosen) if name in every]
    if not found:
        return list(every)
    return [*(name for name in fixed(every, links) if name not in found), *found]


def choices(admin: Any, every: Sequence[str], now: Sequence[str]) -> list[Column]:
    """What the chooser offers: what is shown, in its order, then the rest."""
    stays = fixed(every, admin.list_display_links)
    names = [*now, *(name for name in every if name not in now)]
    return [
        Column(name, str(label_for_field(name, admin.model, admin)).capitalize(), name in now, name in stays)
        for name in names
    ]


def turned(ordering: Iterable[Any]) -> list[Any]:
    """The same order from its other end, which the same index answers."""
    return [_turned(each) for each in ordering]


def _turned(each: Any) -> Any:
    if isinstance(each, OrderBy):
        found = each.copy()
        found.reverse_ordering()
        return found
    name = str(each)
    return name[1:] if name.startswith("-") else f"-{name}"


def orders(admin: Any) -> list[tuple[str, str]]:
    """(value, words) of the two ways a list can go."""
    is_latest_first = str(next(iter(admin.ordering or ("-",)))).startswith("-")
    return [
        ("", "Latest first" if is_latest_first else "A to Z"),
        (REVERSED, "Earliest first" if is_latest_first else "Z to A"),
    ]
