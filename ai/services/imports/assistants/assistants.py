"""Assistants of the Assistants API."""

from __future__ import annotations

from ai.services.imports import fields
from ai.services.imports.assistants.settings import OF_ASSISTANTS, settings, tool_resources
from ai.services.imports.drafts import AssistantDraft, Unusable
from ai.services.imports.stages import Staged


def draft(staged: Staged) -> AssistantDraft:
    """The assistant; its model keeps the name it has in the dump.

    Raises:
        Unusable.
    """
    value = staged.value
    model = fields.text(value, "model", most=255)
    if not model:
        raise Unusable("It names no “model”.")
    values = {
        "name": fields.text(value, "name", most=256) or None,
        "description": fields.text(value, "description", most=512) or None,
        "model": model,
        "instructions": fields.text(value, "instructions"),
        "tools": fields.objects(value, "tools"),
        "tool_resources": tool_resources(value),
        "settings": settings(value, OF_ASSISTANTS),
        "metadata": fields.metadata(value),
    }
    return AssistantDraft(id=staged.id, place=staged.place, at=fields.time(value, "created_at"), values=values)
