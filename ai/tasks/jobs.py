"""Carrying on with jobs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from ai import dispatch
from ai.services import jobs, workers


@shared_task(name=dispatch.RUN_JOB)
def execute(*, job_id: str, **later: Any) -> None:
    """Work on a job until it has ended."""
    jobs.carry_on(job_id=UUID(job_id), worker=workers.this(), now=timezone.now)
