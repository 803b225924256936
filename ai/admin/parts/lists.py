"""List pages that never count a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from unfold.views import ChangeList

from ai.admin.parts import columns

#: Deeper pages than this are empty: filters and search find what lies further back.
MOST_PAGES = 2000

HOW_IT_IS_SHOWN = frozenset({"view", columns.COLUMNS, columns.ORDER})


@dataclass(frozen=True)
class Button:
    """A button above a list: a link to a page that asks."""

    label: str
    url: str
    icon: str = ""


class Pager(Paginator):  # type: ignore[type-arg]
    """Knows only the current page and whether another follows."""

    template_name = "admin/ai/parts/pager.html"
    has_next = False

    @property
    def count(self) -> int:
        """How many rows are known to exist: those up to the end of the current page."""
        return self._known

    _known = 0

    def know(self, count: int, *, has_next: bool) -> None:
        """Note what reading one page has shown."""
        self._known, self.has_next = count, has_next


class BoundedChangeList(ChangeList):
    """Reads one row more than a page holds instead of counting the table."""

    page_num: int

    def __init__(
        self, request: HttpRequest, model: Any, list_display: Any, list_display_links: Any, *more: Any, **named: Any
    ) -> None:
        self.every_column = [name for name in list_display if name != columns.CHECKBOX]
        self.shown_columns = columns.shown(self.every_column, columns.wanted(request), list_display_links)
        first = [columns.CHECKBOX] if columns.CHECKBOX in list_display else []
        super().__init__(request, model, [*first, *self.shown_columns], list_display_links, *more, **named)

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """Without what says how the list is shown."""
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: values for name, values in found.items() if name not in HOW_IT_IS_SHOWN}

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:
        """The list's own order, or the same from its other end."""
        found: list[Any] = super().get_ordering(request, queryset)
        return columns.turned(found) if self.params.get(columns.ORDER) == columns.REVERSED else found

    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page, prepared by the model admin's `prepare_rows`."""
        size = self.list_per_page
        page = min(max(self.page_num, 1), MOST_PAGES)
        start = (page - 1) * size
        rows: list[Any] = list(self.queryset.defer(*self.model_admin.list_defer)[start : start + size + 1])
        has_next = len(rows) > size and page < MOST_PAGES
        rows = rows[:size]
        self.model_admin.prepare_rows(request, rows)
        pager = Pager([], size)
        pager.know(start + len(rows), has_next=has_next)
        self.paginator = pager
        self.result_list = rows
        self.result_count = start + len(rows)
        self.full_result_count = self.result_count  # else the header says that there are more
        self.show_full_result_count = False
        self.show_admin_actions = bool(rows)
        self.can_show_all = False
        self.multi_page = has_next or page > 1
        self.page_num = page
        self.buttons = self.model_admin.list_buttons(request, self)
        self.views = None if self.is_popup else self.model_admin.views_panel(request, self)
        self.empty_links = [] if rows else self.model_admin.empty_links(request)
