"""Titles for many threads at once: a job that only proposes. What becomes of the proposals is in `retitle_batches`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from ai import conf, dispatch, ids, llm, tenancy
from ai.exceptions import AIError, InvalidInput, NotFound
from ai.models import ChatThread, Job, JobItem
from ai.models.jobs import JobStatus
from ai.services import actors, audit, permissions, titles, working
from ai.services.selections import Selection
from ai.services.titles import Proposal
from ai.services.titling import estimates, tags
from ai.services.titling.conversations import of_thread
from ai.services.titling.estimates import Estimate
from ai.services.working import Clock

KIND = "retitle"
PERMISSION = "ai.retitle_chatthread"
#: Threads whose titles a rule finds between two looks at the job.
RULE_BATCH = 50

#: States of a thread in a batch. It is proposed (ticked) or left (not ticked), chosen and then applied, undoing and then
#: undone; kept where somebody changed the title in between.
PROPOSED, LEFT, SAME, LOCKED, CHOSEN, APPLIED, KEPT, UNDOING, UNDONE, FAILED = (
    "proposed",
    "unticked",
    "same",
    "locked",
    "chosen",
    "applied",
    "kept",
    "undoing",
    "undone",
    "failed",
)


def estimate(*, selection: Selection, model_alias: str) -> Estimate:
    """What titles for these threads will take and cost with the model.

    Raises:
        InvalidInput: there is no such model, or it cannot write titles.
    """
    titles.model_spec(model_alias)
    return estimates_of(selection=selection, model_aliases=[model_alias])[model_alias]


def estimates_of(*, selection: Selection, model_aliases: Iterable[str]) -> dict[str, Estimate]:
    """The same for several models, without those that cannot be used."""
    most = conf.current().retitle_max_threads
    threads = min(selection.count(most=most + 1), most)
    sample = list(selection.queryset().order_by("-last_activity_at", "-pk")[: estimates.SAMPLE])
    characters = estimates.average_characters(sample)
    choices = tags.allowed(sample[0].tenant_id) if sample else ()
    found = {}
    for alias in model_aliases:
        try:
            spec = titles.model_spec(alias)
            found[alias] = estimates.estimate(threads=threads, characters=characters, spec=spec, choices=choices)
        except AIError:
            continue
    return found


@transaction.atomic
def request(*, selection: Selection, by: Any, at: datetime, model_alias: str | None = None) -> Job:
    """Queue the finding of titles for threads; nothing of a thread changes until the proposals are applied.

    Args:
        model_alias: the model that writes them; empty for the rule, None for `AI_TITLE_MODEL`.

    Raises:
        Forbidden.
        NotFound: none of the threads exists for `by`.
        InvalidInput: there are more threads than `AI_RETITLE_MAX_THREADS`, there is no such model or it cannot write titles,
            or the threads are of several tenants and `by` does not see all tenants: such a job belongs to none of them.
    """
    permissions.require(by, PERMISSION)
    alias = conf.current().title_model if model_alias is None else model_alias
    titles.model_spec(alias)
    threads = _threads(selection)
    tenants = {thread.tenant_id for thread in threads}
    expected = estimate(selection=selection, model_alias=alias)
    locked = sum(thread.title_locked for thread in threads)
    job = Job(
        kind=KIND,
        title=f"Retitle {len(threads):,} thread{'s' * (len(threads) != 1)}",
        total=len(threads),
        done=locked,
        requested_by=actors.name_of(by),
        tenant_id=tenants.pop() if len(tenants) == 1 else None,
        data={"model": alias, "selection": selection.describe(), "locked": locked, **_expected(expected)},
        created=at,
        modified=at,
    )
    job.save(force_insert=True)
    JobItem.objects.add(_item(job, position, thread) for position, thread in enumerate(threads))
    told: dict[str, Any] = {
        "threads": len(threads),
        "locked": locked,
        "model": alias,
        "selection": selection.describe(),
    }
    audit.record("thread.retitle_requested", target=job, by=by, at=at, **told)
    dispatch.run_job(job_id=job.pk)
    return job


def _threads(selection: Selection) -> list[ChatThread]:
    found = selection.queryset().only("pk", "name", "tenant_id", "title_locked", "last_activity_at")
    most = conf.current().retitle_max_threads
    threads = list(found.latest_first()[: most + 1])
    if not threads:
        raise NotFound
    if len(threads) > most:
        raise InvalidInput(f"Choose at most {most:,} threads at a time.")
    if len({thread.tenant_id for thread in threads}) > 1 and tenancy.current().tenants is not None:
        raise InvalidInput("Choose threads of one tenant.")
    return threads


def _expected(found: Estimate) -> dict[str, Any]:
    return {"expected_tokens": found.tokens, "expected_cost": None if found.cost is None else str(found.cost)}


def _item(job: Job, position: int, thread: ChatThread) -> JobItem:
    return JobItem(
        job_id=job.pk,
        tenant_id=thread.tenant_id,
        position=position,
        object_id=str(thread.pk),
        status=LOCKED if thread.title_locked else "queued",
        data={"old": thread.name},
    )


def carry_on(*, job_id: UUID, worker: str, now: Clock) -> None:
    """Find titles until all threads have a proposal, the job is cancelled, or it is another worker's."""
    job = Job.objects.take(job_id, worker=worker, at=now())
    if job is None:
        return
    with working.on(job, now=now):
        _propose(job, now)


def _propose(job: Job, now: Clock) -> None:
    try:
        spec = titles.model_spec(job.data.get("model", ""))
    except AIError as error:
        _note_problem(job, error.message)
        spec = None
    while items := JobItem.objects.next_of(job.pk, most=_batch(spec)):
        found = _find(items, spec=spec)
        for item, thread, proposal in found:
            if not _settle(job, item, thread, proposal, now=now):
                return
        hopeless = next((proposal for _, _, proposal in found if proposal.is_hopeless), None)
        if hopeless:
            _note_problem(job, hopeless.note)
            spec = None
    Job.objects.finish(job, status=JobStatus.COMPLETED, at=now())


def _batch(spec: llm.ModelSpec | None) -> int:
    """So many that a batch takes less time than a worker may be silent."""
    return RULE_BATCH if spec is None else spec.concurrency


def _note_problem(job: Job, reason: str) -> None:
    job.data = {**job.data, "problem": f"{reason} The remaining titles follow the rule."}


Found = tuple[JobItem, ChatThread | None, Proposal]


def _find(items: list[JobItem], *, spec: llm.ModelSpec | None) -> list[Found]:
    """A proposal for each thread. The model is asked outside of any transaction."""
    threads = ChatThread.objects.in_bulk([ids.parse(item.object_id) for item in items])
    rows = [threads.get(ids.parse(item.object_id)) for item in items]
    found = proposals([row for row in rows if row is not None], spec=spec)
    nothing = Proposal("")
    return [(i, row, found.get(row.pk, nothing) if row else nothing) for i, row in zip(items, rows, strict=True)]


def proposals(rows: Iterable[ChatThread], *, spec: llm.ModelSpec | None) -> dict[UUID, Proposal]:
    """A proposal for each thread whose title is not locked. Each tenant's threads are offered that tenant's tags only."""
    by_tenant: dict[UUID | None, list[ChatThread]] = {}
    for row in rows:
        if not row.title_locked:
            by_tenant.setdefault(row.tenant_id, []).append(row)
    found: dict[UUID, Proposal] = {}
    for tenant_id, own in by_tenant.items():
        choices = tags.allowed(tenant_id) if spec else ()
        made = titles.find([of_thread(row) for row in own], spec=spec, choices=choices)
        found |= dict(zip((row.pk for row in own), made, strict=True))
    return found


def _settle(job: Job, item: JobItem, thread: ChatThread | None, proposal: Proposal, *, now: Clock) -> bool:
    """Keep the proposal for one thread; False when the job is no longer ours."""
    at = now()
    status, data, error = _outcome(thread, proposal)
    counted: dict[str, Any] = {
        "data": _sums(job.data, proposal),
        "failed": int(thread is None),
        "done": int(thread is not None),
    }
    with transaction.atomic():
        settled = JobItem.objects.settle(item, status=status, at=at, data=data, error=error)
        mine = Job.objects.advance(job, at=at, **counted) if settled else Job.objects.advance(job, at=at)
        if not mine:
            transaction.set_rollback(True)
    if mine and settled:
        job.data = counted["data"]
    return mine


def _outcome(thread: ChatThread | None, proposal: Proposal) -> tuple[str, dict[str, Any], str]:
    if thread is None:
        return FAILED, {}, "The thread is gone."
    if thread.title_locked:
        return LOCKED, {"old": thread.name}, ""
    new = [tag for tag in proposal.tags if tag not in (thread.tags or [])]
    data = {"old": thread.name, "new": proposal.title, "tags": new, "source": proposal.source}
    same = proposal.title == thread.name and not new
    return (SAME if same else PROPOSED), data | ({"note": proposal.note} if proposal.note else {}), ""


def _sums(data: dict[str, Any], proposal: Proposal) -> dict[str, Any]:
    """The job's data with what this proposal used. A cost that nobody knows makes the sum unknown."""
    known = data.get("cost", "0") is not None and proposal.cost is not None
    cost = str(Decimal(data.get("cost", "0")) + (proposal.cost or 0)) if known else None
    by_model = int(proposal.source != "rule")
    return {
        **data,
        "input_tokens": data.get("input_tokens", 0) + proposal.input_tokens,
        "output_tokens": data.get("output_tokens", 0) + proposal.output_tokens,
        "by_model": data.get("by_model", 0) + by_model,
        "cost": cost,
    }
