"""Replays: an answer of a conversation, asked for again from other models. The conversation itself stays as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ai import dispatch, ids, llm, tenancy
from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import ChatThread, Job, Message, Run
from ai.models.runs import RunStatus
from ai.runner.loading import OVERRIDES
from ai.services import actors, audit, permissions
from ai.services.comparisons import Answer, Comparison, comparison
from ai.services.targets import Aim, Target, aims_of

__all__ = ["Answer", "Comparison", "Target", "comparison", "promote", "request"]

KIND = "replay"
MOST_RUNS = 20_000
FEW = 2


@transaction.atomic
def request(
    *,
    targets: Sequence[Target],
    model_aliases: Sequence[str],
    by: Any,
    at: datetime,
    instructions: str | None = None,
    temperature: float | None = None,
    key: str = "",
) -> Job:
    """Queue a replay of each target on each model; workers begin when the transaction commits.

    Args:
        instructions: replaces the original's, leading system messages included; None keeps them.
        key: the same one again (a form sent twice) gives the same job, whatever else is asked.

    Raises:
        Forbidden.
        NotFound: a thread, a run or a model does not exist for `by`.
        InvalidInput: nothing to replay, too much to replay, a temperature outside 0 to 2, or threads of several tenants
            for somebody who does not see them all.
    """
    permissions.require(by, "ai.replay_run")
    kept = hashlib.sha256(f"{actors.id_of(by)}:{key}".encode()).hexdigest() if key else None
    known: Job | None = Job.objects.filter(key=kept).first() if kept else None
    if known:
        return known
    aliases = _checked(targets, model_aliases, temperature)
    aims = aims_of(list(dict.fromkeys(targets)))
    tenant_id = _tenant_of(aims)
    job, new = Job.objects.open_once(_job(aims, aliases, tenant_id=tenant_id, by=by, at=at, key=kept))
    if not new:
        return job
    overrides = _overrides(instructions, temperature)
    runs = [_run(aim, alias, job=job, overrides=overrides, at=at) for aim in aims for alias in aliases]
    Run.objects.queue_replays(runs)
    changed = sorted(overrides)
    audit.record("run.replayed", target=job, by=by, at=at, runs=len(runs), models=aliases, overrides=changed)
    _dispatch(runs)
    return job


def _checked(targets: Sequence[Target], model_aliases: Sequence[str], temperature: float | None) -> list[str]:
    aliases = list(dict.fromkeys(model_aliases))
    if not targets or not aliases:
        raise InvalidInput("Choose at least one conversation and at least one model.")
    if len(targets) * len(aliases) > MOST_RUNS:
        raise InvalidInput(f"That would be more than {MOST_RUNS:,} replays; choose fewer conversations or models.")
    if temperature is not None and not 0 <= temperature <= 2:
        raise InvalidInput("The temperature must be between 0 and 2.")
    for alias in aliases:
        llm.spec(alias)
    return aliases


def _tenant_of(aims: Sequence[Aim]) -> UUID | None:
    """The job's tenant. One for several tenants is none's: only who sees everything sees it."""
    tenants = {aim.tenant_id for aim in aims}
    if len(tenants) > 1 and tenancy.current().tenants is not None:
        raise InvalidInput("Choose threads of one tenant.")
    return tenants.pop() if len(tenants) == 1 else None


def _overrides(instructions: str | None, temperature: float | None) -> dict[str, Any]:
    given = {"instructions": instructions, "temperature": temperature}
    return {name: value for name, value in given.items() if value is not None}


def _job(
    aims: Sequence[Aim], aliases: Sequence[str], *, tenant_id: UUID | None, by: Any, at: datetime, key: str | None
) -> Job:
    answers = "1 answer" if len(aims) == 1 else f"{len(aims):,} answers"
    return Job(
        kind=KIND,
        title=f"Replay {answers} on {', '.join(aliases)}"[:255],
        requested_by=actors.name_of(by),
        tenant_id=tenant_id,
        key=key,
        total=len(aims) * len(aliases),
        data={"models": list(aliases)},
        created=at,
        modified=at,
    )


def _run(aim: Aim, alias: str, *, job: Job, overrides: dict[str, Any], at: datetime) -> Run:
    key, original = ids.new(at=at.timestamp()), aim.original
    settings = dict(original.settings or {}) if original else {}
    if "temperature" in overrides:
        settings["temperature"] = overrides["temperature"]
    return Run(
        id=key,
        thread_id=str(aim.thread_id),
        tenant_id=aim.tenant_id,
        assistant_id=original.assistant_id if original else None,
        job_id=job.pk,
        requested_by=job.requested_by,
        model=alias,
        instructions=overrides.get("instructions", original.instructions if original else ""),
        tools=original.tools if original else [],
        settings=settings,
        metadata={OVERRIDES: dict.fromkeys(overrides, True)} if overrides else {},
        history_until=aim.history_until,
        replay_of=original.pk if original else None,
        replay_of_thread=aim.thread_id,
        replay_from=aim.first,
        replay_to=aim.last,
        replay_key=hashlib.sha256(f"{job.pk}:{aim.thread_id}:{aim.first}:{aim.run_id}:{alias}".encode()).hexdigest(),
        created=at,
        modified=at,
    )


def _dispatch(runs: Sequence[Run]) -> None:
    if len(runs) > FEW:
        dispatch.drain_runs()
        return
    for run in runs:
        dispatch.execute_run(run_id=run.pk)


@transaction.atomic
def promote(*, run_id: UUID, by: Any, at: datetime) -> ChatThread:
    """Make a replay's answer the end of a new thread, after a copy of the history that led to it.

    A replay is promoted once: again gives the same thread.

    Raises:
        Forbidden, NotFound.
        Conflict: the run is no replay, or has no answer.
    """
    permissions.require(by, "ai.add_chatthread")
    run: Run | None = Run.objects.filter(pk=run_id).first()
    if run is None:
        raise NotFound(f"No run found with id '{run_id}'.")
    if not run.is_replay or run.status not in {RunStatus.COMPLETED, RunStatus.INCOMPLETE} or not run.output:
        raise Conflict("Only a replay that has answered can become a thread.")
    fork_id = ids.new(at=at.timestamp())
    if not Run.objects.promote(run.pk, thread_id=fork_id, at=at):
        run.refresh_from_db(fields=["promoted_to"])
        return ChatThread.objects.get_thread(str(run.promoted_to))
    original = ChatThread.objects.get_thread(str(run.replay_of_thread))
    fork = _fork(original, run, fork_id=fork_id, at=at)
    audit.record("run.promoted", target=run, by=by, at=at, thread=str(fork.pk))
    return fork


def _fork(original: ChatThread, run: Run, *, fork_id: UUID, at: datetime) -> ChatThread:
    history = list(Message.objects.list_thread_messages(original.pk).filter(sequence__lte=run.history_until or 0))
    answer = [{key: value for key, value in message.items() if key != "recorded"} for message in run.output]
    fork = ChatThread(
        id=fork_id,
        name=original.name,
        tags=original.tags,
        tenant_id=original.tenant_id,
        user_id=original.user_id,
        data=original.data,
        source="fork",
        model=run.model,
        has_files=original.has_files,
        forked_from=original.pk,
        message_count=len(history) + len(answer),
        last_sequence=len(history) + len(answer),
        last_activity_at=at,
        created=at,
        modified=at,
    )
    ChatThread.objects.insert(fork)
    rows = [_copy(row, fork, sequence=i, at=at) for i, row in enumerate(history, 1)]
    rows += [
        Message.objects.build(message, thread=fork, sequence=i, at=at, run_id=run.pk)
        for i, message in enumerate(answer, len(history) + 1)
    ]
    Message.objects.insert(rows)
    return fork


def _copy(row: Message, fork: ChatThread, *, sequence: int, at: datetime) -> Message:
    message = {key: value for key, value in (row.message or {}).items() if key not in {"id", "run_id"}}
    copied: Message = Message.objects.build(message, thread=fork, sequence=sequence, at=at)
    copied.created = row.created
    return copied
