"""Writing the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from ai.models import AuditEntry
from ai.services import actors


def record(
    action: str, *, by: Any, at: datetime, target: Any = None, tenant_id: UUID | None = None, **data: Any
) -> AuditEntry:
    """Note that `by` did `action` ("run.replayed") to `target`; `data` is kept as JSON."""
    return AuditEntry.objects.record(
        action,
        actor_id=actors.id_of(by),
        actor_name=actors.name_of(by),
        at=at,
        target=target,
        tenant_id=tenant_id,
        data=data,
    )
