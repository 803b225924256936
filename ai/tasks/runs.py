"""Executing runs. The messages carry ids only; a message that comes twice, or too late, does nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from ai import dispatch
from ai.services import runs, workers


@shared_task(name=dispatch.EXECUTE_RUN)
def execute(*, run_id: str, **later: Any) -> None:
    """Execute one run."""
    runs.execute(run_id=UUID(run_id), worker=workers.this(), now=timezone.now)


@shared_task(name=dispatch.DRAIN_RUNS)
def drain(**later: Any) -> None:
    """Execute queued runs until none is left."""
    runs.drain(worker=workers.this(), now=timezone.now)
