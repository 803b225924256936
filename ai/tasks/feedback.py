"""Asking a model for labels of feedback. A message that comes twice, or too late, does nothing."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from ai import dispatch
from ai.services.triage import suggesting


@shared_task(name=dispatch.SUGGEST_LABELS)
def suggest_labels(**later: Any) -> None:
    """Ask about the feedback that waits, until none is left."""
    suggesting.carry_on(now=timezone.now)
