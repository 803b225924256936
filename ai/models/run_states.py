"""The states of a run, what they have in common, and finding runs by them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q


class RunStatus(models.TextChoices):
    """The Assistants API's states of a run."""

    QUEUED = "queued", "Queued"
    IN_PROGRESS = "in_progress", "In progress"
    REQUIRES_ACTION = "requires_action", "Requires action"
    CANCELLING = "cancelling", "Cancelling"
    CANCELLED = "cancelled", "Cancelled"
    FAILED = "failed", "Failed"
    COMPLETED = "completed", "Completed"
    INCOMPLETE = "incomplete", "Incomplete"
    EXPIRED = "expired", "Expired"


ACTIVE = (RunStatus.QUEUED, RunStatus.IN_PROGRESS, RunStatus.REQUIRES_ACTION, RunStatus.CANCELLING)
HELD = (RunStatus.IN_PROGRESS, RunStatus.CANCELLING)
WAITING = (RunStatus.QUEUED, RunStatus.REQUIRES_ACTION)
#: How a run ends without what was asked for, and without anybody having wanted that.
FAILURES = (RunStatus.FAILED, RunStatus.EXPIRED)
FINAL = (RunStatus.CANCELLED, RunStatus.FAILED, RunStatus.COMPLETED, RunStatus.INCOMPLETE, RunStatus.EXPIRED)


class RunQuerySet(models.QuerySet[Any]):
    """Chainable filters on runs."""

    def active(self) -> RunQuerySet:
        """Runs that have not ended."""
        return self.filter(status__in=ACTIVE)

    def originals(self) -> RunQuerySet:
        """Runs that are no replays."""
        return self.filter(replay_of_thread__isnull=True)

    def replays(self) -> RunQuerySet:
        """Runs that replay an answer of a thread."""
        return self.filter(replay_of_thread__isnull=False)

    def claimable(self, at: datetime) -> RunQuerySet:
        """Runs that a worker may take now."""
        return self.filter(status=RunStatus.QUEUED).filter(Q(retry_at__isnull=True) | Q(retry_at__lte=at))
