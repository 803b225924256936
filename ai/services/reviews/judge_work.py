"""A worker's part of a judge: item after item is read, asked about and settled, and nothing is done twice."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction

from ai import conf, ids, llm, tenancy
from ai.exceptions import AIError, LeaseLost, NotFound
from ai.models import Job, JobItem, ReviewItem, ReviewJudge, ReviewJudgement, ReviewRubric
from ai.models.jobs import JobStatus
from ai.models.reviews import ReviewUnit
from ai.services import working
from ai.services.reviews import judging, material, queues
from ai.services.working import Clock
from ai.stores.rubrics import Rubric

if TYPE_CHECKING:
    from ai.services.reviews.judge_calls import Judged

#: Failures that every other item will meet as well.
HOPELESS = frozenset({"authentication_failed", "model_not_found"})
DONE, FAILED = "done", "failed"

_loading = Lock()


@dataclass(frozen=True)
class _Work:
    """What a job needs of its queue: all of it stays as it is."""

    judge: ReviewJudge
    unit: str
    rubric: Rubric
    spec: llm.ModelSpec


def carry_on(*, job_id: UUID, worker: str, now: Clock) -> None:
    """Ask the model about item after item until all are answered, the job is cancelled, or it is another worker's."""
    job = Job.objects.take(job_id, worker=worker, at=now())
    if job is None:
        return
    with working.on(job, now=now), tenancy.scope(str(job.tenant_id)):
        _go_through(job, _work(job), now)


def _work(job: Job) -> _Work:
    judge = ReviewJudge.objects.get(pk=ids.parse(job.data["judge"]))
    asked = ReviewRubric.objects.get(queue_id=judge.queue_id, version=judge.rubric_version)
    return _Work(judge, queues.get(judge.queue_id).unit, asked.rubric, judging.model_spec(judge.model))


def _go_through(job: Job, work: _Work, now: Clock) -> None:
    while items := JobItem.objects.next_of(job.pk, most=work.spec.concurrency):
        for item, judged in _answered(job, items, work, now=now):
            if judged.code in HOPELESS:
                Job.objects.finish(job, status=JobStatus.FAILED, at=now(), error=judged.error)
                return
            if not _settle(job, item, judged, work, now=now):
                return
    Job.objects.finish(job, status=JobStatus.COMPLETED, at=now())


def _answered(job: Job, items: list[JobItem], work: _Work, *, now: Clock) -> list[tuple[JobItem, Judged]]:
    """What the model answers about each. It is asked outside of any transaction."""
    _load()
    from ai.services.reviews.judge_calls import Judged  # noqa: PLC0415 - `_load` has done it

    rows = ReviewItem.objects.in_bulk([ids.parse(item.object_id) for item in items])
    read: dict[UUID, str] = {}
    found: dict[UUID, Judged] = {}
    for item in items:
        try:
            read[item.pk] = _read(rows.get(ids.parse(item.object_id)), work)
        except NotFound as error:
            found[item.pk] = Judged(error=error.message)
    found |= async_to_sync(_ask)(job, read, work, now)
    return [(item, found[item.pk]) for item in items]


def _read(row: ReviewItem | None, work: _Work) -> str:
    if row is None:
        raise NotFound("The item is gone.")
    return material.of(row, work.unit, budget=judging.budget_of(work.spec))


def _load() -> None:
    """Import Marvin, one thread at a time and after what runs take: two threads can meet packages half loaded."""
    from ai.services import runs  # noqa: PLC0415 - only workers need it

    runs.prepare()
    with _loading:
        import ai.services.reviews.judge_calls  # noqa: F401, PLC0415


async def _ask(job: Job, read: dict[UUID, str], work: _Work, now: Clock) -> dict[UUID, Judged]:
    from ai.services.reviews import judge_calls  # noqa: PLC0415 - `_load` has done it

    what = material.WHAT[ReviewUnit(work.unit)]
    try:
        model = llm.resolve(work.spec)
        calls = [
            judge_calls.judge(material=text, what=what, prompt=work.judge.prompt, rubric=work.rubric, model=model)
            for text in read.values()
        ]
        answers = await _while_held(job, asyncio.gather(*calls), now)
    except LeaseLost:
        raise
    except AIError as error:  # there is no key, or the address is not allowed
        code = llm.translate(error).code
        answers = [
            judge_calls.Judged(error=error.message, code=code if code in HOPELESS else "model_not_found") for _ in read
        ]
    finally:
        await llm.aclose()
    return dict(zip(read, answers, strict=True))


async def _while_held(job: Job, calls: asyncio.Future[list[Judged]], now: Clock) -> list[Judged]:
    """What the calls return, with the lease kept meanwhile: a model may think longer than a worker may be silent.

    Raises:
        LeaseLost: the job was cancelled or is another worker's; the model is asked no more.
    """
    try:
        while not calls.done():
            await asyncio.wait([calls], timeout=conf.current().run_lease_seconds / 3)
            if not calls.done() and not await sync_to_async(_keep)(job, now):
                raise LeaseLost
        return calls.result()
    finally:
        calls.cancel()
        with suppress(asyncio.CancelledError):
            await calls


def _keep(job: Job, now: Clock) -> bool:
    return Job.objects.advance(job, at=now())


def _settle(job: Job, item: JobItem, judged: Judged, work: _Work, *, now: Clock) -> bool:
    """Keep what became of one item; False when the job is no longer ours."""
    at, data = now(), _sums(job.data, judged, work.spec)
    has_failed = judged.answers is None
    with transaction.atomic():
        settled = JobItem.objects.settle(
            item, status=FAILED if has_failed else DONE, at=at, data={}, error=judged.error
        )
        if settled:
            ReviewJudgement.objects.keep(_row(job, item, judged, work), at=at)
            mine = Job.objects.advance(job, done=int(not has_failed), failed=int(has_failed), at=at, data=data)
        else:
            mine = Job.objects.advance(job, at=at)
        if not mine:
            transaction.set_rollback(True)
    if mine and settled:
        job.data = data
    return mine


def _row(job: Job, item: JobItem, judged: Judged, work: _Work) -> ReviewJudgement:
    return ReviewJudgement(
        tenant_id=job.tenant_id,
        queue_id=work.judge.queue_id,
        item_id=ids.parse(item.object_id),
        judge_version=work.judge.version,
        rubric_version=work.judge.rubric_version or 0,
        answers=judged.answers,
        reason=judged.reason,
        error="" if judged.answers is not None else judged.error or "The model gave no answer.",
        input_tokens=judged.usage.input_tokens,
        output_tokens=judged.usage.output_tokens,
        cost=llm.cost(work.spec, judged.usage),
    )


def _sums(data: dict[str, Any], judged: Judged, spec: llm.ModelSpec) -> dict[str, Any]:
    """The job's data with what this item used. A cost that nobody knows makes the sum unknown."""
    cost, before = llm.cost(spec, judged.usage), data.get("cost", "0")
    total = None if cost is None or before is None else str(Decimal(before) + cost)
    return {
        **data,
        "input_tokens": data.get("input_tokens", 0) + judged.usage.input_tokens,
        "output_tokens": data.get("output_tokens", 0) + judged.usage.output_tokens,
        "cost": total,
    }
