"""The inbox's list: filters that are an address, and pages that count nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from ai import ids
from ai.exceptions import NotFound
from ai.models import Feedback
from ai.models.feedback import TO_DO, FeedbackState, Rating, Severity
from ai.services import actors

PAGE_SIZE = 50
UNDONE, ALL = "todo", "all"


@dataclass(frozen=True)
class Filters:
    """What the list shows: `state` is a state, "todo" or "all"; empty values leave everything in."""

    state: str = UNDONE
    mine: str = ""
    rating: str = ""
    severity: str = ""
    label: str = ""
    tenant: str = ""

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Filters:
        """The filters of an address; a value that there is not is passed over."""
        known = {
            "state": {ALL, *FeedbackState.values},
            "mine": {"1"},
            "rating": set(Rating.values),
            "severity": set(map(str, Severity.values)),
        }
        values = {name: str(said.get(name, "")) for name in ("state", "mine", "rating", "severity", "label", "tenant")}
        kept = {name: value for name, value in values.items() if value and value in known.get(name, {value})}
        return cls(**kept)

    @property
    def query(self) -> str:
        """The filters as the end of an address."""
        return urlencode({name: value for name, value in asdict(self).items() if value and (name, value) != DEFAULT})

    def rows(self, *, by: Any) -> QuerySet[Feedback]:
        """The feedback that the filters leave, in scope, the latest first."""
        found: QuerySet[Feedback] = Feedback.objects.order_by("-given_at", "-pk")
        if self.state == UNDONE:
            found = found.filter(state__in=TO_DO)
        elif self.state != ALL:
            found = found.filter(state=self.state)
        if self.mine:
            found = found.filter(assignee=actors.name_of(by))
        if self.rating:
            found = found.filter(rating=self.rating)
        if self.severity:
            found = found.filter(severity=int(self.severity))
        if self.label:
            found = _labelled(found, self.label)
        return _of_tenant(found, self.tenant) if self.tenant else found


DEFAULT = ("state", UNDONE)


def _labelled(rows: QuerySet[Feedback], label: str) -> QuerySet[Feedback]:
    """Those with the label; SQLite cannot look into JSON lists, so their text is searched for the label in its quotes."""
    if connection.vendor == "postgresql":
        return rows.filter(labels__contains=[label])
    return rows.annotate(labels_text=Cast("labels", TextField())).filter(labels_text__contains=json.dumps(label))


def _of_tenant(rows: QuerySet[Feedback], tenant: str) -> QuerySet[Feedback]:
    try:
        return rows.filter(tenant_id=ids.parse(tenant))
    except NotFound:
        return rows.none()


@dataclass(frozen=True)
class Listing:
    """One page of cards; `later` is the key to go on after, None at the end."""

    rows: list[Feedback]
    later: UUID | None


def listing(filters: Filters, *, by: Any, after: UUID | None = None, size: int = PAGE_SIZE) -> Listing:
    """A page of the list: one query, two with `after`, the feedback that the page before ended with."""
    found = filters.rows(by=by).defer("history")
    if after is not None:
        mark = Feedback.objects.filter(pk=after).values_list("given_at", flat=True).first()
        if mark is not None:
            found = found.filter(Q(given_at__lt=mark) | Q(given_at=mark, pk__lt=after))
    rows = list(found[: size + 1])
    return Listing(rows[:size], rows[size - 1].pk if len(rows) > size else None)


def is_overdue(row: Feedback, *, at: datetime) -> bool:
    """Whether it should have been dealt with by now."""
    return row.due_at is not None and row.due_at < at and row.state in (*TO_DO, FeedbackState.SNOOZED)
