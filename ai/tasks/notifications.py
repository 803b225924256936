"""Sending notifications by e-mail. A message that comes twice, or too late, sends nothing twice."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from celery import shared_task
from django.utils import timezone

from ai import dispatch
from ai.services import workers
from ai.services.notifications import mailing


@shared_task(name=dispatch.MAIL)
def mail(*, user_id: str, **later: Any) -> None:
    """Send what is due for one person."""
    # Each call holds what it claims by itself: two threads of a worker are two.
    mailing.send(user_id=user_id, worker=f"{workers.this()}:{uuid4().hex[:8]}", now=timezone.now)
