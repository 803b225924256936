"""Filters of the list of threads. Each asks an index for one value; none looks through the table for its choices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter, TextFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from ai import ids
from ai.admin.parts.base import sees_several_tenants, tenant_names
from ai.exceptions import NotFound
from ai.models.threads import SyncState


class ExactFilter(TextFilter):
    """One value of one indexed column, typed or linked to."""

    column = ""

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Rows that have exactly this value."""
        value = (self.value() or "").strip()
        return queryset.filter(**{self.column: value}) if value else queryset


class TagFilter(ExactFilter):
    """By tag."""

    title, parameter_name = "tag", "tag"

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Threads that carry the tag."""
        value = (self.value() or "").strip()
        return queryset.tagged(value) if value else queryset


class UserFilter(ExactFilter):
    """By the user whose thread it is."""

    title, parameter_name, column = "user", "user", "user_id"


class ModelFilter(ExactFilter):
    """By the model that answered last."""

    title, parameter_name, column = "model", "model", "model"


class ChoiceFilter(DropdownFilter):
    """One of a few values that are known beforehand."""

    column = ""
    known: tuple[tuple[str, str], ...] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """The values."""
        return self.known

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Rows with this value; an unknown one is passed over."""
        value = self.value()
        return queryset.filter(**{self.column: value}) if value in dict(self.lookup_choices) else queryset


class FeedbackFilter(ChoiceFilter):
    """By feedback."""

    title, parameter_name, column = "feedback", "feedback", "feedback"
    known = (("up", "Thumbs up"), ("down", "Thumbs down"), ("mixed", "Mixed"))


class FilesFilter(ChoiceFilter):
    """By whether files are attached."""

    title, parameter_name = "files", "files"
    known = (("yes", "With files"), ("no", "Without files"))

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Threads with files, or without."""
        return queryset.filter(has_files=self.value() == "yes") if self.value() in {"yes", "no"} else queryset


class SyncFilter(ChoiceFilter):
    """By the remote side."""

    title, parameter_name, column = "remote side", "sync", "sync_state"
    known = tuple((str(value), str(label)) for value, label in SyncState.choices)


class TenantFilter(ChoiceFilter):
    """By tenant, among those in scope."""

    title, parameter_name, column = "tenant", "tenant", "tenant_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """The tenants; none where there is only one to see."""
        if not sees_several_tenants(request):
            return ()
        return [(str(pk), name) for pk, name in tenant_names(request).items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """That tenant's threads; nothing for an id that is none."""
        if not self.value():
            return queryset
        try:
            return queryset.filter(tenant_id=ids.parse(self.value()))
        except NotFound:
            return queryset.none()


class DatesForm(forms.Form):
    """Two days."""

    def __init__(self, label: str, names: list[str], data: dict[str, Any]) -> None:
        super().__init__(data)
        for name, word in zip(names, ("from", "to"), strict=True):
            widget = UnfoldAdminTextInputWidget(attrs={"type": "date"})
            widget.input_type = "date"
            self.fields[name] = forms.CharField(label=f"{label} {word}", required=False, widget=widget)


class ActivityFilter(TextFilter):
    """By the day of the last activity: `since` and `until`, both included, such as 2026-01-31."""

    title, parameter_name = "last activity", "since"
    names = ("since", "until")

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        if "until" in params:
            value = params.pop("until")
            self.used_parameters["until"] = value[-1] if isinstance(value, list) else value

    def expected_parameters(self) -> list[str]:
        """The two names in the URL."""
        return list(self.names)

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        """The two fields."""
        data = {name: self.used_parameters.get(name, "") for name in self.names}
        yield {"form": DatesForm("Active", list(self.names), data)}

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Threads active on those days, in the reader's time zone; what is no day is passed over."""
        since, until = (_day(self.used_parameters.get(name)) for name in self.names)
        if since:
            queryset = queryset.filter(last_activity_at__gte=_midnight(since))
        if until and until < date.max:
            queryset = queryset.filter(last_activity_at__lt=_midnight(until + timedelta(days=1)))
        return queryset


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        return None


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
