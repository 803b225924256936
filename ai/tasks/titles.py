"""The task that titles a new thread."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from ai import ids, tenancy
from ai.services import titles


@shared_task(ignore_result=True)
def trim_and_tag_thread_title_task(name: str, thread_id: str, tenant_id: str, **later: Any) -> None:
    """Find the thread's title from what its user first wrote, and tag it."""
    tenant = ids.parse(tenant_id)
    with tenancy.scope(tenant):
        titles.trim_and_tag(name=name, thread_id=ids.parse(thread_id), tenant_id=tenant, at=timezone.now())
