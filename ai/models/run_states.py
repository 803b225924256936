"""The states of a run, and what they have in common."""

from __future__ import annotations

from django.db import models


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
FINAL = (RunStatus.CANCELLED, RunStatus.FAILED, RunStatus.COMPLETED, RunStatus.INCOMPLETE, RunStatus.EXPIRED)
