"""The task that notes what was looked at."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from celery import shared_task

from ai import dispatch, tenancy
from ai.services import audit


@shared_task(name=dispatch.NOTE_VIEW, ignore_result=True)
def note_view(
    *, action: str, actor: list[str], target: list[str], tenant_id: str | None, at: str, **later: Any
) -> None:
    """Add the entry."""
    with tenancy.everything(reason="noting what was looked at"):
        audit.add(
            action=action,
            actor=(actor[0], actor[1]),
            target=(target[0], target[1]),
            tenant_id=UUID(tenant_id) if tenant_id else None,
            at=datetime.fromisoformat(at),
        )
