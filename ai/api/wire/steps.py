"""Run steps on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel

from ai.api.wire.base import seconds
from ai.api.wire.names import PublicIds
from ai.api.wire.runs import Usage
from ai.events import snapshots
from ai.models import Run, RunStep
from ai.models.run_steps import StepStatus, StepType

#: The one value of `include[]`.
RESULTS_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"


class StepAnswer(BaseModel):
    """One message written, or one round of tool calls."""

    id: str
    object: Literal["thread.run.step"]
    created_at: int
    run_id: str
    assistant_id: str
    thread_id: str
    type: Literal["message_creation", "tool_calls"]
    status: Literal["in_progress", "cancelled", "failed", "completed", "expired"]
    cancelled_at: int | None
    completed_at: int | None
    expired_at: int | None
    failed_at: int | None
    last_error: dict[str, Any] | None
    step_details: dict[str, Any]
    metadata: dict[str, str] | None
    usage: Usage | None


def steps(rows: Sequence[RunStep], run: Run, *, with_content: bool = False) -> list[dict[str, Any]]:
    """The steps of one run as JSON: one query at most. `with_content`: searches in files tell the texts they found."""
    ids = PublicIds(run.pk, run.thread_id, run.assistant_id, *(row.pk for row in rows))
    of_run = {
        "id": ids.of("run", run.pk),
        "thread_id": ids.of("thread", str(run.thread_id)),
        "assistant_id": ids.maybe("assistant", run.assistant_id) or "",
    }
    return [_step(row, of_run, ids, with_content=with_content) for row in rows]


def step(row: RunStep, run: Run, *, with_content: bool = False) -> dict[str, Any]:
    """One of them."""
    return steps([row], run, with_content=with_content)[0]


def _step(row: RunStep, of_run: dict[str, Any], ids: PublicIds, *, with_content: bool) -> dict[str, Any]:
    found = snapshots.step(
        step_id=ids.of("step", row.pk),
        of_run=of_run,
        kind=row.type,
        details={},
        created_at=int((row.started_at or row.created).timestamp()),
    )
    found["step_details"] = _details(row, with_content=with_content)
    found["status"] = str(row.status)
    if row.status != StepStatus.IN_PROGRESS:
        found[f"{row.status}_at"] = seconds(row.ended_at or row.modified)
        found["usage"] = row.usage
    found["last_error"] = row.error
    return found


def _details(row: RunStep, *, with_content: bool) -> dict[str, Any]:
    details: dict[str, Any] = row.details or {}
    if row.type != StepType.TOOL_CALLS:
        return details
    return {"type": row.type, "tool_calls": [_call(call, with_content) for call in details.get("tool_calls") or []]}


def _call(call: dict[str, Any], with_content: bool) -> dict[str, Any]:
    shown = {key: value for key, value in call.items() if key != "recorded"}
    search = shown.get("file_search")
    if with_content or not isinstance(search, dict) or not isinstance(search.get("results"), list):
        return shown
    results = [{key: value for key, value in result.items() if key != "content"} for result in search["results"]]
    return {**shown, "file_search": {**search, "results": results}}
