"""Writing what runs gave, many in one short transaction. Only who still holds a run's lease writes its answer."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction

from ai.exceptions import LeaseLost, ModelError
from ai.models import ChatThread, Job, Message, Run, RunStep
from ai.models.failures import is_away
from ai.models.run_steps import StepStatus
from ai.models.runs import FINAL, RunStatus
from ai.runner.loading import scope_of
from ai.runner.state import OWN_KEYS, RunState, Step

log = logging.getLogger(__name__)

Json = dict[str, Any]
ANSWERED = (RunStatus.COMPLETED, RunStatus.INCOMPLETE)

#: The database is away, which says nothing about what was to be written.
AWAY = (OperationalError, InterfaceError)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a run."""

    run: Run
    status: str
    values: dict[str, Any]
    output: list[Json] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


def of_state(run: Run, state: RunState) -> Result:
    """The result of a run that the runner has finished with."""
    output, steps = state.unsaved()
    return Result(run, state.status, state.values(), output, steps)


def of_failure(run: Run, error: ModelError) -> Result:
    """The result of a run that could not even begin."""
    return Result(run, RunStatus.FAILED, {"error_code": error.code, "error_message": error.message})


def checkpoint(run: Run, state: RunState, *, at: datetime) -> None:
    """Keep what a run has done so far, while it goes on: another worker could continue from here.

    Raises:
        LeaseLost: the run is no longer ours.
    """
    output, steps = state.unsaved()
    over = [step for step in steps if step.ended]  # the model may have begun its next message already
    with transaction.atomic(), scope_of([run]):
        Run.objects.progress(run, at=at, **state.meter.values())
        RunStep.objects.write(_row(step, run, state.status) for step in over)
        if output:
            _append(run, output, at=at)
    state.saved(messages=len(output), steps=len(over))


def write(results: Sequence[Result], *, at: datetime) -> dict[UUID, str]:
    """Write the results; the states that those runs are in now that had still been ours.

    One result that cannot be stored, for whatever reason, does not take the others with it: that run fails.

    Raises:
        OperationalError, InterfaceError: the database is away; nothing more was written.
    """
    try:
        return _write(results, at=at)
    except Exception as error:
        if is_away(error):
            raise
        if len(results) > 1:
            written: dict[UUID, str] = {}
            for result in results:
                written |= write([result], at=at)
            return written
        log.exception("The result of run %s cannot be stored.", results[0].run.pk)
        told = ModelError("The answer could not be stored; see the console's log.", code="server_error")
        return _write([of_failure(results[0].run, told)], at=at)


def _write(results: Sequence[Result], *, at: datetime) -> dict[UUID, str]:
    with transaction.atomic():
        with scope_of(result.run for result in results):
            settled = [(result, _settled(result, at=at)) for result in sorted(results, key=_key)]
            written = [(result, status) for result, status in settled if status]
            RunStep.objects.write(_row(step, r.run, status) for r, status in written for step in r.steps)
            for result, _ in written:
                if not result.run.is_replay and result.output:
                    _append(result.run, result.output, at=at)
        _count([result for result, _ in written], at=at)
    return {result.run.pk: status for result, status in written}


def _key(result: Result) -> UUID:
    key: UUID = result.run.pk
    return key


def _settled(result: Result, *, at: datetime) -> str:
    """The state that the run is in now; empty when it is no longer ours."""
    try:
        return _settle(result, at=at)
    except LeaseLost:
        log.info("Run %s is no longer ours; its result was dropped.", result.run.pk)
        return ""


def _settle(result: Result, *, at: datetime) -> str:
    values = dict(result.values)
    if result.run.is_replay:
        values["output"] = [{key: value for key, value in m.items() if key not in OWN_KEYS} for m in result.output]
    if result.status in FINAL:
        Run.objects.end(result.run, status=result.status, at=at, **values)
        return result.status
    try:
        Run.objects.pause(result.run, at=at, **values)
    except LeaseLost:  # or somebody asked to cancel it meanwhile
        Run.objects.end(result.run, status=RunStatus.CANCELLED, at=at, **(values | {"required_action": None}))
        return RunStatus.CANCELLED
    return result.status


def _row(step: Step, run: Run, status: str) -> RunStep:
    """The step as a row; one that waited for a client is over when the run is."""
    is_over = status == RunStatus.CANCELLED and step.ended is None
    return RunStep(
        id=step.key,
        run_id=run.pk,
        tenant_id=run.tenant_id,
        thread_id=run.thread_id,
        index=step.index,
        type=step.json["type"],
        status=StepStatus.CANCELLED if is_over else step.json["status"],
        details=step.json["step_details"],
        usage=step.json["usage"],
        error=step.json["last_error"],
        started_at=step.started,
        ended_at=step.started if is_over else step.ended,
    )


def _append(run: Run, output: list[Json], *, at: datetime) -> None:
    created = [datetime.fromtimestamp(m["created_at"], tz=UTC) if "created_at" in m else at for m in output]
    messages = [{key: value for key, value in m.items() if key != "created_at"} for m in output]
    Message.objects.append(messages, thread_id=str(run.thread_id), run_id=run.pk, at=at, created=created)
    ChatThread.objects.note_model(str(run.thread_id), model=run.model, at=at)


def _count(written: Sequence[Result], *, at: datetime) -> None:
    counts: dict[UUID, list[int]] = defaultdict(lambda: [0, 0])
    for result in written:
        if result.run.job_id and result.status in FINAL:
            counts[result.run.job_id][result.status not in ANSWERED] += 1
    for job_id in sorted(counts):  # always in the same order, so that two writers cannot lock each other out
        done, failed = counts[job_id]
        Job.objects.count_ended(job_id, done=done, failed=failed, at=at)
