"""Runs as CSV: what ended. Nothing that is imported is ever executed."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from ai.models import ChatThread, Run
from ai.models.runs import ACTIVE
from ai.resources.base import CsvResource, in_parts, key_of
from ai.services.tables import RUNS


class RunResource(CsvResource):
    """Found by id, or by external id. What a run stands at is not changed by a file."""

    table = RUNS
    natural = ("external_id",)
    fixed = CsvResource.fixed | {"thread_id", "status", "attempt", "replay_of_thread"}

    class Meta(CsvResource.Meta):
        model = Run

    def prepare(self, rows: list[dict[str, str]]) -> None:
        """The threads that the rows name."""
        cells = (row.get(name) for row in rows for name in ("thread_id", "replay_of_thread"))
        keys = filter(None, map(key_of, cells))
        found = (ChatThread.objects.filter(pk__in=part).values_list("pk", "tenant_id") for part in in_parts(keys))
        self._threads = {str(key): tenant_id for part in found for key, tenant_id in part}

    def check(self, instance: Any, *, is_new: bool) -> None:
        """A new run has ended, and is of a thread of its tenant."""
        if not is_new:
            return
        if instance.status in ACTIVE or instance.ended_at is None:
            raise ValidationError({"status": "Only runs that have ended can be imported."})
        thread = self._threads.get(str(instance.replay_of_thread or key_of(instance.thread_id)))
        if thread != instance.tenant_id:
            raise ValidationError({"thread_id": "There is no such thread; import threads before their runs."})
        if instance.status == "failed" and not instance.error_code:
            raise ValidationError({"error_code": "A failed run says why."})
        instance.clean_fields()
