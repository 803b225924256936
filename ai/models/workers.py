"""Workers: which processes execute runs, and when each was last heard of."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q


class WorkerManager(models.Manager["Worker"]):
    """The only writer of `ai_worker`."""

    def beat(self, *, name: str, host: str, pid: int, at: datetime) -> None:
        """Say that the worker lives."""
        if not self.filter(name=name).update(seen_at=at):
            self.update_or_create(name=name, defaults={"host": host, "pid": pid, "started_at": at, "seen_at": at})

    def leave(self, name: str) -> None:
        """Say that the worker has stopped."""
        self.filter(name=name).delete()

    def forget(self, *, names: Iterable[str], before: datetime) -> None:
        """Drop workers known to be dead, and those not heard of since `before`."""
        self.filter(Q(name__in=list(names)) | Q(seen_at__lt=before)).delete()

    def alive(self, *, at: datetime, within_seconds: float = 15) -> models.QuerySet[Worker]:
        """Workers heard of in the last `within_seconds`."""
        return self.filter(seen_at__gte=at - timedelta(seconds=within_seconds))


class Worker(models.Model):
    """One process that executes runs."""

    name = models.CharField(max_length=255, unique=True)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    objects: ClassVar[WorkerManager] = WorkerManager()

    class Meta:
        db_table = "ai_worker"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name
