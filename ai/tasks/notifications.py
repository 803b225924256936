"""Sending notifications by e-mail. A message that comes twice, or too late, sends nothing twice."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from ai import dispatch
from ai.services import workers
from ai.services.notifications import mailing


@shared_task(name=dispatch.MAIL)
def mail(*, user_id: str, **later: Any) -> None:
    """Send what is due for one person."""
    mailing.send(user_id=user_id, worker=workers.this(), now=timezone.now)
