"""Tags of threads, a row for each, so that a filter by tag uses an index."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models


class ThreadTag(models.Model):
    """One tag of one thread, so that a filter by tag uses an index."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField(null=True)
    thread_id = models.UUIDField()
    tag = models.CharField(max_length=100)

    class Meta:
        db_table = "ai_thread_tag"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["thread_id", "tag"], name="ai_thread_tag_once"),)
        indexes = (models.Index(fields=["tenant_id", "tag", "thread_id"], name="ai_thread_tag_tenant"),)

    def __str__(self) -> str:
        return self.tag

    @classmethod
    def write(cls, threads: Iterable[Any]) -> None:
        """Make the rows equal to the threads' `tags`."""
        kept = list(threads)
        rows = [
            cls(tenant_id=thread.tenant_id, thread_id=thread.pk, tag=tag)
            for thread in kept
            for tag in {str(tag)[:100] for tag in thread.tags or []}
        ]
        cls._base_manager.filter(thread_id__in=[thread.pk for thread in kept]).delete()
        cls._base_manager.bulk_create(rows, batch_size=1000)
