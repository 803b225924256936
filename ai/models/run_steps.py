"""Run steps: what happened inside a run, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.db import models

from ai.exceptions import NotFound
from ai.models.base import TenantManager, TenantRecord


class StepType(models.TextChoices):
    """The Assistants API's kinds of step."""

    MESSAGE_CREATION = "message_creation", "Message"
    TOOL_CALLS = "tool_calls", "Tool calls"


class StepStatus(models.TextChoices):
    """The Assistants API's states of a step."""

    IN_PROGRESS = "in_progress", "In progress"
    COMPLETED = "completed", "Completed"
    CANCELLED = "cancelled", "Cancelled"
    FAILED = "failed", "Failed"
    EXPIRED = "expired", "Expired"


def _answered(call: dict[str, Any], outputs: Mapping[str, str]) -> dict[str, Any]:
    if call.get("id") not in outputs or not isinstance(call.get("function"), dict):
        return call
    return {**call, "function": {**call["function"], "output": outputs[call["id"]]}}


class RunStepManager(TenantManager):
    """The only writer of `ai_run_step`."""

    def write(self, steps: Iterable[RunStep]) -> None:
        """Add the steps of runs that ended."""
        self.bulk_create(steps, batch_size=500)

    def close(self, run_ids: Iterable[Any], *, status: str, at: datetime) -> None:
        """End the steps that wait for clients of runs that have ended themselves."""
        waiting = self.filter(run_id__in=list(run_ids), status=StepStatus.IN_PROGRESS)
        waiting.update(status=status, ended_at=at, modified=at)

    def answer(self, run_id: Any, outputs: Mapping[str, str], *, at: datetime) -> RunStep:
        """Complete the step of a run that waited for these outputs, by the ids of their calls.

        Raises:
            NotFound: no step of the run waits.
        """
        step: RunStep | None = self.filter(run_id=run_id, status=StepStatus.IN_PROGRESS).order_by("-index").first()
        if step is None:
            raise NotFound(f"No step of the run {run_id} waits for tool outputs.")
        calls = [_answered(call, outputs) for call in step.details.get("tool_calls") or []]
        step.details = {"type": "tool_calls", "tool_calls": calls}
        step.status, step.ended_at = StepStatus.COMPLETED, at
        step.save(update_fields=["details", "status", "ended_at", "modified"])
        return step

    def of_run(self, run_id: Any) -> models.QuerySet[RunStep]:
        """The run's steps in order."""
        return self.filter(run_id=run_id).order_by("index", "pk")


class RunStep(TenantRecord):
    """One message written, or one round of tool calls, with its usage and times."""

    run_id = models.UUIDField("run")
    thread_id = models.CharField("thread", max_length=255, null=True, blank=True)
    index = models.PositiveIntegerField(default=0)
    type = models.CharField(max_length=32, choices=StepType)
    status = models.CharField(max_length=16, choices=StepStatus, default=StepStatus.IN_PROGRESS)
    details = models.JSONField(default=dict, help_text="The Assistants API's step_details.")
    usage = models.JSONField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[RunStepManager] = RunStepManager()

    class Meta:
        db_table = "ai_run_step"
        ordering = ("run_id", "index", "id")
        constraints = (models.UniqueConstraint(fields=["run_id", "index"], name="ai_run_step_once"),)
        indexes = (models.Index(fields=["thread_id"], name="ai_run_step_thread"),)

    def __str__(self) -> str:
        return f"{self.index + 1}. {self.get_type_display()}"
