"""Saved views of the feedback inbox: its filters are its own, and it has no columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.urls import reverse

from ai.admin.parts.list_views import VIEW, ListPlace, State
from ai.models import SavedView
from ai.services.triage.inbox import Filters


class InboxPlace(ListPlace):
    """The inbox as a place of views."""

    @property
    def of(self) -> str:
        """What views call the inbox."""
        return "ai.feedback.inbox"

    @property
    def url(self) -> str:
        """The inbox."""
        return reverse("admin:ai_feedback_inbox")

    @property
    def door(self) -> str:
        """Where its views are saved and changed."""
        return reverse("admin:ai_feedback_inbox_views")

    def read(self, request: HttpRequest, given: QueryDict) -> State:
        """The filters in an address; the state always, so that to do is something to be shown, too."""
        return State(self.usable(request, given.dict())[0])

    def usable(self, request: HttpRequest, query: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
        """What the inbox takes, and the names of what it does not."""
        kept = {name: value for name, value in asdict(Filters.read(query)).items() if value}
        return kept, [name for name, value in query.items() if value and kept.get(name) != str(value)]

    def address(self, request: HttpRequest, view: SavedView) -> tuple[str, list[str]]:
        """The address that a view leads to; and the filters that are left out."""
        kept, lost = self.usable(request, view.query)
        return f"{self.url}?{urlencode({**kept, VIEW: str(view.pk)})}", lost


def query(filters: Filters, view: str) -> str:
    """The filters as an address that keeps the view it came from; with one, all of them, so that it leads nowhere else."""
    if not view:
        return filters.query
    return urlencode({**{name: value for name, value in asdict(filters).items() if value}, VIEW: view})
