"""Filters of the list of threads. Each asks an index for one value; none looks through the table for its choices."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, TextFilter

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
