"""What a person can do with assistants."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from ai import tenancy
from ai.exceptions import NotFound
from ai.models import Assistant
from ai.services import audit, permissions


@transaction.atomic
def save(*, assistant: Assistant, by: Any, at: datetime) -> Assistant:
    """Write a new assistant, or the changes to one.

    Raises:
        Forbidden.
        NotFound: its tenant is not in scope.
    """
    new = assistant._state.adding
    permissions.require(by, "ai.add_assistant" if new else "ai.change_assistant")
    if new:
        assistant.tenant_id = Assistant.objects.tenant_for_new_row(assistant.tenant_id)
    if not tenancy.current().allows(assistant.tenant_id):
        raise NotFound
    assistant.save()
    action = "assistant.added" if new else "assistant.changed"
    audit.record(action, target=assistant, by=by, at=at, name=assistant.name, model=assistant.model)
    return assistant


@transaction.atomic
def delete(*, assistant: Assistant, by: Any, at: datetime) -> None:
    """Delete an assistant; its runs stay.

    Raises:
        Forbidden, NotFound.
    """
    permissions.require(by, "ai.delete_assistant")
    if not Assistant.objects.filter(pk=assistant.pk).exists():
        raise NotFound
    audit.record("assistant.deleted", target=assistant, by=by, at=at, name=assistant.name)
    assistant.delete()
