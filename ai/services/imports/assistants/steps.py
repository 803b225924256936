"""Run steps of the Assistants API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai.models.run_steps import StepStatus, StepType
from ai.services.imports import fields
from ai.services.imports.drafts import Json, StepDraft, Unusable
from ai.services.imports.stages import Staged

_ENDS = ("completed_at", "failed_at", "cancelled_at", "expired_at")


def draft(staged: Staged, *, ended: Mapping[str, str]) -> StepDraft:
    """The step; one that was in progress has `ended` as its run has.

    Raises:
        Unusable.
    """
    value = staged.value
    at = fields.created(value)
    kind = fields.text(value, "type")
    if kind not in StepType.values:
        raise Unusable(f"Its type “{kind[:80]}” is none that a step has.")
    run_id = fields.identity(value, "run_id")
    values: dict[str, Any] = {
        "type": StepType(kind),
        "status": _status(fields.text(value, "status"), ended.get(run_id, "")),
        "details": _details(value),
        "usage": fields.usage(value),
        "error": fields.mapping(value, "last_error") or None,
        "started_at": at,
        "ended_at": fields.first_time(value, _ENDS) or at,
    }
    return StepDraft(id=staged.id, place=staged.place, at=at, run_id=run_id, values=values)


def _details(value: Json) -> Json:
    details = fields.mapping(value, "step_details")
    for call in fields.objects(details, "tool_calls"):
        fields.objects(fields.mapping(call, "file_search"), "results")
    return details


def _status(status: str, run_status: str) -> StepStatus:
    if status not in StepStatus.values:
        raise Unusable(f"Its status “{status[:80]}” is none that a step has.")
    if status != StepStatus.IN_PROGRESS:
        return StepStatus(status)
    return StepStatus(run_status) if run_status in {"cancelled", "failed"} else StepStatus.EXPIRED
