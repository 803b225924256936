"""How a thread can stand to its remote side."""

from __future__ import annotations

from django.db import models


class SyncState(models.TextChoices):
    """How a thread stands to its remote side."""

    LOCAL = "local", "Local only"
    LINKED = "linked", "Linked"
    CHANGED = "changed", "Not in step"
    CONFLICT = "conflict", "Conflict"
    GONE = "gone", "Remote gone"
