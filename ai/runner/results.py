"""Writing what runs gave, many in one short transaction. Only who still holds a run's lease writes its answer."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction

from ai.exceptions import LeaseLost, ModelError
from ai.models import ChatThread, Job, Message, Run, RunStep
from ai.models.runs import FINAL, RunStatus
from ai.runner.loading import scope_of
from ai.runner.state import RunState, Step

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
    return Result(run, state.status, state.values(), state.output, state.steps)


def of_failure(run: Run, error: ModelError) -> Result:
    """The result of a run that could not even begin."""
    return Result(run, RunStatus.FAILED, {"error_code": error.code, "error_message": error.message})


def write(results: Sequence[Result], *, at: datetime) -> set[UUID]:
    """Write the results; the ids of the runs that had still been ours.

    One result that cannot be stored, for whatever reason, does not take the others with it: that run fails.

    Raises:
        OperationalError, InterfaceError: the database is away; nothing more was written.
    """
    try:
        return _write(results, at=at)
    except AWAY:
        raise
    except Exception:
        if len(results) > 1:
            return set().union(*(write([result], at=at) for result in results))
        log.exception("The result of run %s cannot be stored.", results[0].run.pk)
        error = ModelError("The answer could not be stored; see the console's log.", code="server_error")
        return _write([of_failure(results[0].run, error)], at=at)


def _write(results: Sequence[Result], *, at: datetime) -> set[UUID]:
    with transaction.atomic():
        with scope_of(result.run for result in results):
            written = [result for result in sorted(results, key=_key) if _is_settled(result, at=at)]
            RunStep.objects.write(_row(step, result.run) for result in written for step in result.steps)
            for result in written:
                if not result.run.is_replay and result.output:
                    _append(result, at=at)
        _count(written, at=at)
    return {result.run.pk for result in written}


def _key(result: Result) -> UUID:
    key: UUID = result.run.pk
    return key


def _is_settled(result: Result, *, at: datetime) -> bool:
    try:
        _settle(result, at=at)
    except LeaseLost:
        log.info("Run %s is no longer ours; its result was dropped.", result.run.pk)
        return False
    return True


def _settle(result: Result, *, at: datetime) -> None:
    values = dict(result.values)
    if result.run.is_replay:
        values["output"] = [{key: value for key, value in m.items() if key != "id"} for m in result.output]
    if result.status in FINAL:
        Run.objects.end(result.run, status=result.status, at=at, **values)
        return
    try:
        Run.objects.pause(result.run, at=at, **values)
    except LeaseLost:  # or somebody asked to cancel it meanwhile
        Run.objects.end(result.run, status=RunStatus.CANCELLED, at=at, **(values | {"required_action": None}))


def _row(step: Step, run: Run) -> RunStep:
    return RunStep(
        id=step.key,
        run_id=run.pk,
        tenant_id=run.tenant_id,
        thread_id=run.thread_id,
        index=step.index,
        type=step.json["type"],
        status=step.json["status"],
        details=step.json["step_details"],
        usage=step.json["usage"],
        error=step.json["last_error"],
        started_at=step.started,
        ended_at=step.ended,
    )


def _append(result: Result, *, at: datetime) -> None:
    run = result.run
    Message.objects.append(result.output, thread_id=str(run.thread_id), run_id=run.pk, at=at)
    ChatThread.objects.note_model(str(run.thread_id), model=run.model, at=at)


def _count(written: Sequence[Result], *, at: datetime) -> None:
    counts: dict[UUID, list[int]] = defaultdict(lambda: [0, 0])
    for result in written:
        if result.run.job_id and result.status in FINAL:
            counts[result.run.job_id][result.status not in ANSWERED] += 1
    for job_id in sorted(counts):  # always in the same order, so that two writers cannot lock each other out
        done, failed = counts[job_id]
        Job.objects.count_ended(job_id, done=done, failed=failed, at=at)
