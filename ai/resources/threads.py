"""Threads as CSV; their messages are a file of their own."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from ai.exceptions import InvalidInput
from ai.models import ChatThread
from ai.models.sync_states import SyncState
from ai.resources.base import CsvResource
from ai.services.tables import THREADS
from ai.stores import tags as carried


class ThreadResource(CsvResource):
    """Found by id, or by source and external id."""

    table = THREADS
    natural = ("source", "external_id")

    class Meta(CsvResource.Meta):
        model = ChatThread

    def check(self, instance: Any, *, is_new: bool) -> None:
        """Tags are a list of texts, and what a thread is called fits."""
        tags = instance.tags
        if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
            raise ValidationError({"tags": "Write tags as a JSON list of texts."})
        try:
            carried.check(tags)
        except InvalidInput as error:
            raise ValidationError({"tags": error.message}) from None
        if instance.sync_state not in SyncState.values:
            raise ValidationError({"sync_state": f"Say one of: {', '.join(SyncState.values)}."})
        instance.clean_fields(exclude=["feedback"])
