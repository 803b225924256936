"""Executing runs. The messages carry ids only; a message that comes twice, or too late, does nothing."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from ai import dispatch
from ai.services import runs, workers

#: How long a worker waits for the next run with its connections to providers open.
LINGER_SECONDS = 5.0


@shared_task(name=dispatch.EXECUTE_RUN)
def execute(*, run_id: str, **later: Any) -> None:
    """Execute one run, beside those that this worker is executing already."""
    runs.drain(worker=workers.this(), now=timezone.now, linger=_linger())


@shared_task(name=dispatch.DRAIN_RUNS)
def drain(**later: Any) -> None:
    """Execute queued runs until none is left."""
    runs.drain(worker=workers.this(), now=timezone.now, linger=_linger())


def _linger() -> float:
    return LINGER_SECONDS if workers.is_attended() else 0.0
