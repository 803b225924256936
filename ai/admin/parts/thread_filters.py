"""Filters of the list of threads. Each asks an index for one value; none looks through the table for its choices."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, TextFilter

from ai.admin.parts.filters import narrowed
from ai.models.sync_states import SyncState
from ai.services import filters


class ExactFilter(TextFilter):
    """One value of one indexed column, typed or linked to."""

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Rows that have exactly this value."""
        return narrowed(queryset, str(self.parameter_name), self.value())


class TagFilter(ExactFilter):
    """By tag."""

    title, parameter_name = "tag", "tag"


class UserFilter(ExactFilter):
    """By the user whose thread it is."""

    title, parameter_name = "user", "user"


class ModelFilter(ExactFilter):
    """By the model that answered last."""

    title, parameter_name = "model", "model"


class ChoiceFilter(DropdownFilter):
    """One of a few values that are known beforehand."""

    known: tuple[tuple[str, str], ...] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """The values."""
        return self.known

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Rows with this value; an unknown one is passed over."""
        return narrowed(queryset, str(self.parameter_name), self.value())


class FeedbackFilter(ChoiceFilter):
    """By feedback."""

    title, parameter_name = "feedback", "feedback"
    known = filters.FEEDBACK


class FilesFilter(ChoiceFilter):
    """By whether files are attached."""

    title, parameter_name = "files", "files"
    known = filters.FILES


class SyncFilter(ChoiceFilter):
    """By the remote side."""

    title, parameter_name = "remote side", "sync"
    known = tuple((str(value), str(label)) for value, label in SyncState.choices)
