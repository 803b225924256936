"""The views at the head of a list. A view is an address: choosing it leads to its filters, which are then the list's own,
so that exports, selections and links see what is really shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, QueryDict
from django.urls import reverse

from ai import ids
from ai.admin.parts import columns
from ai.exceptions import InvalidInput, NotFound
from ai.models import SavedView
from ai.services import filters, rendering, saved_views
from ai.services.selections import APPEARANCE

#: The parameter that names the view; “all” is the way out of the view that a person opens the list with.
VIEW, ALL = "view", "all"
_NOT_KEPT = (APPEARANCE | {"page", "item", "after"}) - {"q", columns.ORDER}


@dataclass(frozen=True)
class State:
    """What a list shows: filters, words and order (`query`), and its columns; none are all of them."""

    query: dict[str, str]
    columns: list[str] = field(default_factory=list)

    def encoded(self) -> str:
        """The state as one text of a form."""
        return urlencode({**self.query, columns.COLUMNS: ",".join(self.columns)})


class ListPlace:
    """A change list as a place of views. Another page with a list of its own has a place of its own."""

    def __init__(self, admin: Any) -> None:
        self.admin = admin

    @property
    def of(self) -> str:
        """What views call the list."""
        return str(self.admin.opts.label_lower)

    @property
    def url(self) -> str:
        """The list."""
        return reverse(f"admin:ai_{self.admin.opts.model_name}_changelist")

    @property
    def door(self) -> str:
        """Where its views are saved and changed."""
        return reverse(f"admin:ai_{self.admin.opts.model_name}_views")

    def may_see(self, request: HttpRequest) -> bool:
        """Whether the person may see the list at all."""
        return bool(self.admin.has_view_or_change_permission(request))

    def every_column(self, request: HttpRequest) -> list[str]:
        """The columns that the list has for this person."""
        return [str(name) for name in self.admin.get_list_display(request)]

    def read(self, request: HttpRequest, given: QueryDict) -> State:
        """The state in an address, without what the list does not take."""
        query, _ = self.usable(request, given.dict())
        names = [name for text in given.getlist(columns.COLUMNS) for name in text.split(",") if name]
        every = self.every_column(request)
        shown = columns.shown(every, names, self.admin.list_display_links)
        return State(query, [] if shown == every else shown)

    def usable(self, request: HttpRequest, query: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
        """What the list takes of a query, and the names of what it does not take (any longer)."""
        kept, lost = {}, []
        for name, value in query.items():
            text = str(value).strip()
            if not text or name in _NOT_KEPT:
                continue
            if self._takes(request, name, text):
                kept[name] = text
            else:
                lost.append(name)
        return kept, lost

    def _takes(self, request: HttpRequest, name: str, value: str) -> bool:
        if name == columns.ORDER:
            return value == columns.REVERSED
        if name == "q":
            return bool(self.admin.search_fields)
        if not self.admin.lookup_allowed(name, value, request):
            return False
        model = self.admin.model
        if model not in filters.MEANINGS:
            return True
        try:
            filters.narrow(model.objects.none(), name, value)
        except InvalidInput:
            return False
        return True

    def address(self, request: HttpRequest, view: SavedView) -> tuple[str, list[str]]:
        """The address that a view leads to, always with its columns; and the filters that are left out."""
        query, lost = self.usable(request, view.query)
        every = self.every_column(request)
        shown = columns.shown(every, view.columns, self.admin.list_display_links)
        return f"{self.url}?{urlencode({**query, columns.COLUMNS: ','.join(shown), VIEW: str(view.pk)})}", lost


def views(place: Any, request: HttpRequest) -> list[SavedView]:
    """The views that this person may choose here, read once a request."""
    found: list[SavedView] | None = getattr(request, "_ai_views", None)
    if found is None:
        found = saved_views.offered(of=place.of, by=request.user, chosen=_chosen(request))
        request._ai_views = found  # type: ignore[attr-defined]
    return found


def _chosen(request: HttpRequest) -> UUID | None:
    """The view that the address names, in any form of its id."""
    with suppress(NotFound):
        return ids.parse(request.GET.get(VIEW, ""))
    return None


def leads_to(place: Any, request: HttpRequest) -> str:
    """Where this address leads: a view to its filters, the bare list to the person's default; "" where it stays."""
    if request.method not in ("GET", "HEAD") or not place.may_see(request):
        return ""
    if len(request.GET.getlist(columns.COLUMNS)) > 1:
        return _in_one(place, request)
    if set(request.GET) - {VIEW}:
        return ""
    name = request.GET.get(VIEW, "")
    if name == ALL:
        return ""
    known, chosen = views(place, request), _chosen(request)
    view = next((row for row in known if (row.pk == chosen if name else row.is_default)), None)  # type: ignore[attr-defined]
    if view is not None:
        url, lost = place.address(request, view)
        _tell(request, view, lost)
        return str(url)
    if name:
        messages.warning(request, "This view is not shared with you, or it was deleted. This is the whole list.")
        return f"{place.url}?{VIEW}={ALL}"
    return ""


def _in_one(place: Any, request: HttpRequest) -> str:
    """The same list with its columns in one parameter, as everything that reads addresses expects."""
    query = {name: value for name, value in request.GET.items() if value}
    return f"{place.url}?{urlencode({**query, columns.COLUMNS: ','.join(columns.wanted(request))})}"


def _tell(request: HttpRequest, view: SavedView, lost: Iterable[str]) -> None:
    said = ", ".join(f"“{rendering.visible(name)}”" for name in lost)
    if said:
        text = (
            f"The view “{rendering.visible(view.name)}” is shown without filters that this list does not know: {said}."
        )
        messages.warning(request, text)


def after_wrong_filters(place: Any, request: HttpRequest, url: str) -> str:
    """Where an address leads that Django refuses (`?e=1`): with a view, to the whole list with a message."""
    if VIEW not in request.GET or not url.endswith("?e=1"):
        return url
    messages.warning(request, "The filters of this view cannot be read any longer. This is the whole list.")
    return f"{place.url}?{VIEW}={ALL}"


@dataclass(frozen=True)
class Choice:
    """One view in the menu."""

    view: SavedView
    url: str
    is_current: bool
    is_mine: bool


@dataclass(frozen=True)
class Panel:
    """What the menu at the head of a list shows."""

    door: str
    all_url: str
    choices: list[Choice]
    current: SavedView | None
    default: SavedView | None
    is_changed: bool
    #: The address names a view that this person does not see; what it filters by is shown all the same.
    is_missing: bool
    is_mine: bool
    may_share: bool
    may_remove: bool
    state: str
    tenants: list[tuple[str, str]]
    columns: list[columns.Column] = field(default_factory=list)
    orders: list[tuple[str, str]] = field(default_factory=list)
    order: str = ""
    kept: list[tuple[str, str]] = field(default_factory=list)
    every_url: str = ""


def panel(place: Any, request: HttpRequest, *, tenants: Mapping[Any, str], **more: Any) -> Panel:
    """The menu for what is shown now. `tenants` are those that a view could be shared with, where they are several."""
    user: Any = request.user
    known, chosen = views(place, request), _chosen(request)
    current = next((row for row in known if row.pk == chosen), None)
    state = place.read(request, request.GET)
    return Panel(
        door=place.door,
        all_url=f"{place.url}?{VIEW}={ALL}",
        choices=[
            Choice(row, f"{place.url}?{VIEW}={row.pk}", row is current, saved_views.is_mine(row, by=user))
            for row in known
        ],
        current=current,
        default=next((row for row in known if row.is_default), None),  # type: ignore[attr-defined]
        is_missing=current is None and request.GET.get(VIEW, ALL) not in (ALL, ""),
        is_changed=current is not None and _differs(place, request, current, state),
        is_mine=current is not None and saved_views.is_mine(current, by=user),
        may_share=user.has_perm(saved_views.SHARE),
        may_remove=current is not None and saved_views.may_remove(current, by=user),
        state=state.encoded(),
        tenants=[(str(key), label) for key, label in tenants.items()] if len(tenants) > 1 else [],
        **more,
    )


def _differs(place: Any, request: HttpRequest, view: SavedView, now: State) -> bool:
    url, _ = place.address(request, view)
    kept = place.read(request, QueryDict(url.partition("?")[2]))
    return bool(kept != now)


def column_choices(admin: Any, request: HttpRequest, changelist: Any) -> dict[str, Any]:
    """What the panel says of the columns and the order of a change list."""
    kept = [
        (name, value)
        for name, values in request.GET.lists()
        for value in values
        if name not in (columns.COLUMNS, columns.ORDER, "p", "e")
    ]
    order = request.GET.get(columns.ORDER, "")
    every = [*kept, (columns.ORDER, order), (columns.COLUMNS, ",".join(changelist.every_column))]
    return {
        "columns": columns.choices(admin, changelist.every_column, changelist.shown_columns),
        "orders": columns.orders(admin),
        "order": order,
        "kept": kept,
        "every_url": f"?{urlencode(every)}",
    }
