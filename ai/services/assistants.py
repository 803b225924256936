"""What a person can do with assistants."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ai import tenancy
from ai.exceptions import NotFound
from ai.models import Assistant
from ai.services import audit, model_routes, permissions, tool_resources

#: What is kept in `settings`, and what in a column of its own.
SETTINGS = ("temperature", "top_p", "response_format", "reasoning_effort")
COLUMNS = ("model", "name", "description", "instructions", "tools", "metadata")


@transaction.atomic
def create(*, tenant_id: UUID, by: Any, at: datetime, **values: Any) -> Assistant:
    """A new assistant.

    Args:
        values: `model` (an alias, a name that the tenant's map knows, or provider:model), and any of `name`,
            `description`, `instructions`, `tools`, `tool_resources`, `metadata`, `temperature`, `top_p`,
            `response_format`, `reasoning_effort`, as the Assistants API has them.

    Raises:
        Forbidden.
        InvalidInput: there is no such model.
        NotFound: a file or vector store in `tool_resources` does not exist.
    """
    row = Assistant(tenant_id=tenant_id, created=at)
    permissions.require(by, "ai.add_assistant")
    _apply(row, values, by=by, at=at)
    return save(assistant=row, by=by, at=at)


@transaction.atomic
def modify(*, assistant_id: UUID, by: Any, at: datetime, **values: Any) -> Assistant:
    """Change those of `create`'s values that are given.

    Raises:
        Forbidden, InvalidInput, NotFound.
    """
    permissions.require(by, "ai.change_assistant")
    row: Assistant | None = Assistant.objects.select_for_update().filter(pk=assistant_id).first()
    if row is None:
        raise NotFound("There is no such assistant.")
    _apply(row, values, by=by, at=at)
    return save(assistant=row, by=by, at=at)


def _apply(row: Assistant, values: dict[str, Any], *, by: Any, at: datetime) -> None:
    tenant_id = row.tenant_id
    if tenant_id is not None and values.get("model", row.model) != row.model:
        model_routes.alias_of(values["model"], tenant_id=tenant_id)
    if "tool_resources" in values:
        before = row.tool_resources or {}
        row.tool_resources = tool_resources.merged(before, values["tool_resources"], by=by, at=at)
    for name in COLUMNS:
        setattr(row, name, values.get(name, getattr(row, name)))
    row.settings = (row.settings or {}) | {name: values[name] for name in SETTINGS if name in values}


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
