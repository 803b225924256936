"""Assistants as CSV."""

from __future__ import annotations

from typing import Any

from ai.models import Assistant
from ai.resources.base import CsvResource
from ai.services.tables import ASSISTANTS


class AssistantResource(CsvResource):
    """Found by id, or by external id."""

    table = ASSISTANTS
    natural = ("external_id",)

    class Meta(CsvResource.Meta):
        model = Assistant

    def check(self, instance: Any, *, is_new: bool) -> None:
        """The values fit."""
        instance.clean_fields()
