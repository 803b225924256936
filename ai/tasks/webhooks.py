"""Delivering to webhooks. A message that comes twice, or too late, does nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from ai import dispatch
from ai.services import workers
from ai.services.webhooks import sending


@shared_task(name=dispatch.DELIVER)
def deliver(*, delivery_id: str, **later: Any) -> None:
    """Try one delivery once."""
    sending.deliver(delivery_id=UUID(delivery_id), worker=workers.this(), now=timezone.now)
