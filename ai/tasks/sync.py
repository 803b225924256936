"""Sending to remote threads, and the sync that a schedule asks for."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from ai import dispatch
from ai.services import workers
from ai.services.sync import pushes, schedule


@shared_task(name=dispatch.PUSH_THREAD)
def push(*, thread_id: str, **later: Any) -> None:
    """Send a thread's new messages to its remote side."""
    pushes.push(thread_id=UUID(thread_id), worker=workers.this(), now=timezone.now)


@shared_task(name=dispatch.SCHEDULED_SYNC)
def scheduled(**later: Any) -> None:
    """Queue the sync of this period, if the installation wants one."""
    schedule.run(at=timezone.now())
