"""Runs of the Assistants API, in the final states that are all that they can have here."""

from __future__ import annotations

from datetime import datetime

from ai.models.runs import ACTIVE, FINAL, RunStatus
from ai.services.imports import fields
from ai.services.imports.assistants.settings import OF_RUNS, settings
from ai.services.imports.drafts import Json, RunDraft, Unusable
from ai.services.imports.stages import Staged

_ENDS = ("completed_at", "failed_at", "cancelled_at", "incomplete_at")


def draft(staged: Staged) -> RunDraft:
    """The run. One that was active can go on nowhere: it is expired, or cancelled where somebody had asked for it.

    Raises:
        Unusable.
    """
    value = staged.value
    at = fields.created(value)
    model = fields.text(value, "model", most=255)
    values = {
        "model": model,
        "response_model": model,
        "instructions": fields.text(value, "instructions"),
        "tools": fields.objects(value, "tools"),
        "settings": settings(value, OF_RUNS),
        "metadata": fields.metadata(value),
        "attempt": 1,
        "started_at": fields.time(value, "started_at"),
        "expires_at": fields.time(value, "expires_at"),
        **_outcome(value),
        **_usage(value),
    }
    ended = fields.first_time(value, _ENDS) or values["expires_at"] or values["started_at"] or at
    values["ended_at"] = ended
    if values["started_at"] and values["status"] == RunStatus.COMPLETED:
        values["duration_ms"] = _milliseconds(values["started_at"], ended)
    assistant_id = fields.reference(value, "assistant_id")
    return RunDraft(id=staged.id, place=staged.place, at=at, values=values, assistant_id=assistant_id)


def _outcome(value: Json) -> Json:
    status = fields.text(value, "status")
    if status in ACTIVE:
        final = RunStatus.CANCELLED if status == RunStatus.CANCELLING else RunStatus.EXPIRED
        return {"status": final, "error_message": f"The run was {status} when it was exported; it cannot go on here."}
    if status not in FINAL:
        raise Unusable(f"Its status “{status[:80]}” is none that a run has.")
    error = fields.mapping(value, "last_error")
    found: Json = {
        "status": RunStatus(status),
        "error_code": fields.text(error, "code")[:32],
        "error_message": fields.text(error, "message"),
    }
    if status == RunStatus.FAILED:
        found["error_code"] = found["error_code"] or "server_error"
    if status == RunStatus.INCOMPLETE:
        found["incomplete_reason"] = fields.text(fields.mapping(value, "incomplete_details"), "reason")[:32]
    return found


def _usage(value: Json) -> Json:
    used = fields.usage(value) or {}
    details = fields.mapping(fields.mapping(value, "usage"), "prompt_token_details")
    return {**used, "cached_tokens": fields.tokens(details, "cached_tokens")}


def _milliseconds(start: datetime, end: datetime) -> int:
    return min(max(0, int((end - start).total_seconds() * 1000)), fields.MOST_TOKENS)
