"""One Marvin run as a row of the console, with its steps. Everything here but `Recording.heard` makes queries."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from marvin import Task
from pydantic_ai.messages import ModelResponse

from ai import conf, ids, tenancy
from ai.exceptions import LeaseLost
from ai.marvin import subjects
from ai.marvin.messages import asked
from ai.marvin.outcomes import Outcome
from ai.marvin.steps import Steps
from ai.marvin.store import Store, Written
from ai.models import ChatThread, Run, RunStep
from ai.models.run_steps import StepStatus
from ai.models.runs import RunStatus
from ai.runner import live
from ai.runner.usage import Meter
from ai.services import actors, audit

log = logging.getLogger(__name__)

Json = dict[str, Any]

_STEP_STATUS = {RunStatus.CANCELLED: StepStatus.CANCELLED}


class Recording:
    """Keeps what `tasks` do in a thread. The run is this process's: no worker ever takes it over."""

    def __init__(self, store: Store, tasks: Sequence[Task[Any]], *, by: Any = actors.SYSTEM) -> None:
        self.tasks = list(tasks)
        self._store, self._by = store, by
        actor = self.tasks[0].get_actor()
        alias, spec = subjects.model_of(actor)
        self.meter = Meter(spec)
        self.run = Run(
            model=alias[:255],
            instructions=subjects.instructions_of(actor),
            tools=subjects.tools_of(actor, self.tasks),
            settings=subjects.settings_of(actor),
            metadata={"agent": subjects.speaker(actor).name},
            tenant_id=store.tenant_id,
            requested_by=actors.id_of(by),
        )
        self.steps = Steps(self.run.pk, store.tenant_id, "")
        self._answered_by = ""
        self._read_until: int | None = None

    def begin(self, *, at: datetime) -> None:
        """Note that the run has begun.

        Raises:
            ThreadBusy: the thread has an active run.
            NotFound: the thread is another tenant's.
        """
        settings = conf.current()
        with tenancy.scope(self._store.tenant_id), transaction.atomic():
            thread = self._store.open(opening=asked(self.tasks[0]))
            run = self.run
            run.thread_id = self.steps.thread_id = str(thread.pk)
            run.status, run.created, run.started_at = RunStatus.IN_PROGRESS, at, at
            run.leased_by = ids.lease("marvin")
            run.lease_until = at + timedelta(seconds=settings.run_lease_seconds)
            run.attempt = (
                settings.run_max_attempts
            )  # if this process dies, the run has failed: nobody else has its agent
            Run.objects.queue(run)
            audit.record("run.started", target=run, by=self._by, at=at, model=run.model)

    def turn_over(
        self, rows: Sequence[Written], answers: Sequence[ModelResponse], *, began: datetime, at: datetime
    ) -> None:
        """Keep the steps of a turn."""
        for answer in answers:
            self.meter.add(answer.usage)
            self._answered_by = answer.model_name or self._answered_by
        own = [row.sequence for row, _ in rows if row.run_id]
        if own and self._read_until is None:
            self._read_until = own[0] - 1
        with tenancy.scope(self._store.tenant_id):
            RunStep.objects.write(self.steps.of_turn(rows, answers, began=began, ended=at))

    def end(self, outcome: Outcome, *, at: datetime) -> None:
        """Bring the run to its final state, unless somebody else has meanwhile."""
        status, error = outcome
        values: Json = {**self.meter.values(), "response_model": self._answered_by[:255]}
        if error is not None:
            values |= {"error_code": error.code[:32], "error_message": error.message}
        with tenancy.scope(self._store.tenant_id):
            until = self._read_until
            values["history_until"] = self._last_sequence() if until is None else until
            try:
                with transaction.atomic():
                    Run.objects.end(self.run, status=status, at=at, **values)
                    broken = self.steps.of_break(_STEP_STATUS.get(status, StepStatus.FAILED), error, at=at)
                    RunStep.objects.write(broken)
                    ChatThread.objects.note_model(str(self.run.thread_id), model=self.run.model, at=at)
            except LeaseLost:
                log.warning("Run %s was ended by somebody else while it went on here.", self.run.pk)

    def _last_sequence(self) -> int:
        thread = self._store.find()
        return thread.last_sequence if thread else 0

    def is_to_cancel(self, *, at: datetime, renew: bool) -> bool:
        """Whether somebody asked to cancel the run; with `renew`, its lease is lengthened."""
        with tenancy.scope(self._store.tenant_id):
            if renew:
                return self.run.pk in Run.objects.renew([self.run], at=at)
            return self.run.pk in Run.objects.to_cancel([self.run.pk])

    def show(self, text: str) -> None:
        """Let a page that shows the run show what it says at the moment."""
        live.show([(self.run.pk, [{"role": "assistant", "content": text}])])

    def forget(self) -> None:
        """Nothing is said at the moment."""
        live.forget([self.run.pk])
