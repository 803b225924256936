"""Filters that an index answers and whose choices are bounded. Their state is in the URL, so a link can be shared."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter

from ai.admin.parts.base import sees_several_tenants, tenant_names

#: Choices are drawn from this many of the newest rows.
CHOICES_WINDOW = 1000
MOST_CHOICES = 100


class ExactFilter(DropdownFilter):
    """One of fixed `options` in the column `field`."""

    field = ""
    options: Iterable[tuple[str, str]] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The options."""
        return [(str(value), str(label)) for value, label in self.options]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The rows with the chosen value."""
        value = self.value()
        return queryset.filter(**{self.field: value}) if value else queryset


def exact(field: str, title: str, options: Iterable[tuple[str, str]], *, parameter: str = "") -> type[ExactFilter]:
    """A filter by the fixed values of a column."""
    values = {"field": field, "title": title, "parameter_name": parameter or field, "options": tuple(options)}
    return type(f"By{field.title().replace('_', '')}", (ExactFilter,), values)


class RecentValuesFilter(ExactFilter):
    """One of the values that `field` has in the newest rows."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The values of the newest rows, and the chosen one."""
        newest = model_admin.get_queryset(request).order_by(*model_admin.ordering)
        values = newest.values_list(self.field, flat=True)[:CHOICES_WINDOW]
        found = {str(value) for value in values if value}
        chosen = self.value()
        if chosen:
            found.add(chosen)
        return [(value, value) for value in sorted(found)[:MOST_CHOICES]]

    def value(self) -> str | None:
        """The chosen value; asked for before the choices are known."""
        chosen: Any = self.used_parameters.get(str(self.parameter_name))
        return chosen or None


def recent_values(field: str, title: str) -> type[RecentValuesFilter]:
    """A filter by a column's values in the newest rows."""
    values = {"field": field, "title": title, "parameter_name": field}
    return type(f"Recent{field.title().replace('_', '')}", (RecentValuesFilter,), values)


class TenantFilter(DropdownFilter):
    """The tenant, for people who see several."""

    title = "tenant"
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The tenants in scope."""
        if not sees_several_tenants(request):
            return []
        return [(str(key), name) for key, name in tenant_names(request).items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The tenant's rows; a scope that does not hold the tenant still shows none of it."""
        value = self.value()
        if not value:
            return queryset
        try:
            return queryset.filter(tenant_id=UUID(value))
        except ValueError:
            return queryset.none()


class DateFilter(RangeDateFilter):
    """From one day to another, both included, in the reader's zone: ("created", DateFilter)."""

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The rows of those days."""
        first, last = (self._day(end) for end in ("from", "to"))
        if first:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": first})
        if last:
            queryset = queryset.filter(**{f"{self.parameter_name}__lt": last + timedelta(days=1)})
        return queryset

    def _day(self, end: str) -> datetime | None:
        given: Any = self.used_parameters.get(f"{self.parameter_name}_{end}") or ""
        try:
            day = parse_date(str(given))
            midnight = datetime(day.year, day.month, day.day) if day else None  # noqa: DTZ001 - made aware below
            return timezone.make_aware(midnight) if midnight else None
        except (ValueError, OverflowError):
            return None


class SinceFilter(DropdownFilter):
    """The last hour, day, week or month of the column `created`."""

    title = "period"
    parameter_name = "since"
    field = "created"
    hours = {"1": "Last hour", "24": "Last 24 hours", "168": "Last 7 days", "720": "Last 30 days"}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The periods."""
        return list(self.hours.items())

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The rows of the period."""
        value = self.value()
        if value not in self.hours:
            return queryset
        return queryset.filter(**{f"{self.field}__gte": timezone.now() - timedelta(hours=int(value))})


def labels_of(model: type[Model], field: str) -> list[tuple[str, str]]:
    """The choices of a model's column."""
    return [(str(value), str(label)) for value, label in model._meta.get_field(field).flatchoices]  # type: ignore[union-attr]
