"""Filters that an index answers and whose choices are bounded. Their state is in the URL, so a link can be shared."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter

from ai.admin.parts.base import sees_several_tenants, tenant_names
from ai.exceptions import InvalidInput
from ai.services import filters

#: Choices are drawn from this many of the newest rows.
CHOICES_WINDOW = 1000
MOST_CHOICES = 100


def narrowed(queryset: Any, parameter: str, value: Any, otherwise: filters.Meaning | None = None) -> Any:
    """The rows that a filter's parameter asks for, read as stored selections read it; what is no value is passed over.

    `otherwise` says what it means for models whose rows are not selected.
    """
    text = str(value or "").strip()
    if not text:
        return queryset
    try:
        if queryset.model in filters.MEANINGS or otherwise is None:
            return filters.narrow(queryset, parameter, text)
        return otherwise(queryset, text)
    except InvalidInput:
        return queryset


class ExactFilter(DropdownFilter):
    """One of fixed `options` in the column `field`."""

    field = ""
    options: Iterable[tuple[str, str]] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The options."""
        return [(str(value), str(label)) for value, label in self.options]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The rows with the chosen value."""
        return narrowed(queryset, str(self.parameter_name), self.value(), filters.equals(self.field))


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
        """The tenants in scope. One that an address names is asked for, also of somebody who sees one tenant only."""
        if not sees_several_tenants(request) and not self.used_parameters.get(str(self.parameter_name)):
            return []
        return [(str(key), name) for key, name in tenant_names(request).items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The tenant's rows; a scope that does not hold the tenant still shows none of it."""
        return narrowed(queryset, "tenant", self.value(), filters.tenant)


class DateFilter(RangeDateFilter):
    """From one day to another, both included, in the reader's zone: ("created", DateFilter)."""

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The rows of those days."""
        column = str(self.parameter_name)
        for end, meaning in (("from", filters.from_day), ("to", filters.to_day)):
            parameter = f"{column}_{end}"
            queryset = narrowed(queryset, parameter, self.used_parameters.get(parameter), meaning(column))
        return queryset


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
