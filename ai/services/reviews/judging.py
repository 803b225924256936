"""A queue's judge: a model that answers the rubric as people do, in the background, and beside them.

A worker's part is in `judge_work`; what came of it, and how far the judge can be trusted, in `judge_figures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.db import transaction

from ai import dispatch, llm
from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import Job, JobItem, ReviewItem, ReviewJudge, ReviewJudgement, ReviewQueue, ReviewRubric, ReviewSlot
from ai.models.review_items import ItemState
from ai.models.review_judges import LEAST_ITEMS, THRESHOLD
from ai.services import actors, audit, permissions
from ai.services.reviews import material, queues
from ai.stores.serialization import clean_text

if TYPE_CHECKING:
    from ai.services.titling.estimates import Estimate

KIND = "judge"
#: Whoever spends money on a model needs this besides leading the queue.
PERMISSIONS = ("ai.change_reviewqueue", "ai.replay_run")
MOST_ITEMS = 20_000
PROMPT_CHARACTERS = 10_000
#: What Marvin's prompts and ours take, a reason, and an answer (measured).
PROMPT_TOKENS, REASON_TOKENS, ANSWER_TOKENS = 480, 80, 12
LOCAL, LOCAL_CHARACTERS = "local", 4_000
NO_JUDGE = "This queue has no judge yet: say which model judges first."


def _require(by: Any) -> None:
    for permission in PERMISSIONS:
        permissions.require(by, permission)


def model_spec(alias: str) -> llm.ModelSpec:
    """The model behind the alias.

    Raises:
        InvalidInput: there is no such model, it is disabled, or it is an agent, which may have tools.
    """
    if not alias.strip():
        raise InvalidInput("Choose the model that judges.", param="model")
    try:
        spec = llm.spec(alias.strip())
    except NotFound as error:
        raise InvalidInput(error.message, param="model") from error
    if spec.provider == llm.AGENT:
        raise InvalidInput("A Marvin agent cannot judge; choose a model.", param="model")
    return spec


@transaction.atomic
def set_up(
    *,
    queue_id: UUID,
    model_alias: str,
    by: Any,
    at: datetime,
    prompt: str = "",
    threshold: float = THRESHOLD,
    least_items: int = LEAST_ITEMS,
) -> ReviewJudge:
    """Give the queue a judge, or change it. Once it has begun to answer, another prompt or model is a new version.

    Args:
        prompt: what it is to heed besides the rubric.
        threshold: the κ against people from which on it is trusted.
        least_items: on how many items that is measured at least.

    Raises:
        Forbidden, NotFound.
        InvalidInput: a value cannot be used; `param` names it.
        Conflict: somebody else changed it meanwhile.
    """
    _require(by)
    queue = queues.get(queue_id)
    words = clean_text(prompt).strip()
    if len(words) > PROMPT_CHARACTERS:
        raise InvalidInput(f"The prompt has at most {PROMPT_CHARACTERS:,} characters.", param="prompt")
    if not 0 <= threshold <= 1:
        raise InvalidInput("The threshold is a κ from 0 to 1.", param="threshold")
    if not 1 <= least_items <= MOST_ITEMS:
        raise InvalidInput(f"Give a number of items from 1 to {MOST_ITEMS:,}.", param="least_items")
    model = model_spec(model_alias).alias
    current = ReviewJudge.objects.current(queue_id)
    if current is None or not _changed(current, prompt=words, model=model, at=at):
        version = current.version + 1 if current else 1
        current = ReviewJudge.objects.write(
            ReviewJudge(
                tenant_id=queue.tenant_id, queue_id=queue.pk, version=version, prompt=words, model=model,
                made_by=actors.name_of(by),
            )
        )  # fmt: skip
    ReviewJudge.objects.demand(current, threshold=threshold, least_items=least_items, at=at)
    current.refresh_from_db()
    told: dict[str, Any] = {
        "version": current.version,
        "model": model,
        "threshold": threshold,
        "least_items": least_items,
    }
    audit.record("review_queue.judge_changed", target=queue, by=by, at=at, **told)
    return current


def _changed(current: ReviewJudge, *, prompt: str, model: str, at: datetime) -> bool:
    """Whether this version says so now; False where a new one is needed."""
    if (current.prompt, current.model) == (prompt, model):
        return True
    return ReviewJudge.objects.change(current, prompt=prompt, model=model, at=at)


def waiting(*, queue_id: UUID, judge: ReviewJudge | None) -> Any:
    """The items that the judge's version has not answered, in their order; all of them, where it must answer anew."""
    rows = ReviewItem.objects.filter(queue_id=queue_id).exclude(state=ItemState.GONE).order_by("position")
    if judge is None or _is_of_an_old_rubric(judge):
        return rows
    given = ReviewJudgement.objects.given(queue_id, judge.version).values("item_id")
    return rows.exclude(pk__in=given)


def _is_of_an_old_rubric(judge: ReviewJudge) -> bool:
    current = ReviewRubric.objects.current(judge.queue_id).version
    return judge.rubric_version is not None and judge.rubric_version != current


def open_job(*, queue_id: UUID) -> Job | None:
    """The job in which the judge answers at this moment."""
    job: Job | None = Job.objects.filter(key=_key(queue_id)).first()
    return job if job is not None and job.is_open else None


def _key(queue_id: UUID) -> str:
    return f"judge:{queue_id.hex}"


@transaction.atomic
def start(*, queue_id: UUID, by: Any, at: datetime) -> Job:
    """Let the judge answer every item that it has not answered yet, in the background. A second start gives the same job.

    Raises:
        Forbidden, NotFound.
        InvalidInput: its model is gone, or cannot judge.
        Conflict: the queue has no judge, or it has answered everything.
    """
    _require(by)
    queue = ReviewQueue.objects.locked(queues.get(queue_id).pk)
    if under_way := open_job(queue_id=queue_id):
        return under_way
    judge = ReviewJudge.objects.current(queue_id)
    if judge is None:
        raise Conflict(NO_JUDGE)
    model_spec(judge.model)
    items = list(waiting(queue_id=queue_id, judge=judge)[: MOST_ITEMS + 1])
    if not items:
        raise Conflict("The judge has answered every item of this queue.")
    if len(items) > MOST_ITEMS:
        raise InvalidInput(f"A judge answers at most {MOST_ITEMS:,} items at a time.")
    judge = _frozen(judge, by=by, at=at)
    if known := Job.objects.filter(key=_key(queue_id)).first():
        Job.objects.release_key(known.pk)
    job, is_new = Job.objects.open_once(_job(queue, judge, items, by=by, at=at))
    if is_new:
        JobItem.objects.add(
            JobItem(job_id=job.pk, tenant_id=job.tenant_id, position=number, object_id=str(item.pk))
            for number, item in enumerate(items)
        )
        told: dict[str, Any] = {"version": judge.version, "model": judge.model, "items": len(items)}
        audit.record("review_queue.judged", target=queue, by=by, at=at, **told)
        dispatch.run_job(job_id=job.pk)
    return job


def _frozen(judge: ReviewJudge, *, by: Any, at: datetime) -> ReviewJudge:
    """The version that answers the newest rubric: neither changes from now on."""
    asked = ReviewRubric.objects.current(judge.queue_id)
    ReviewRubric.objects.freeze(judge.queue_id, version=asked.version, at=at)
    if not ReviewJudge.objects.freeze(judge, rubric_version=asked.version, at=at):
        kept = {
            name: getattr(judge, name)
            for name in ("tenant_id", "queue_id", "prompt", "model", "threshold", "least_items")
        }
        judge = ReviewJudge.objects.write(ReviewJudge(**kept, version=judge.version + 1, made_by=actors.name_of(by)))
        ReviewJudge.objects.freeze(judge, rubric_version=asked.version, at=at)
    judge.refresh_from_db()
    return judge


def _job(queue: ReviewQueue, judge: ReviewJudge, items: Sequence[ReviewItem], *, by: Any, at: datetime) -> Job:
    return Job(
        kind=KIND,
        title=f"Judge {len(items):,} item{'s' * (len(items) != 1)} of {queue.name}"[:255],
        total=len(items),
        requested_by=actors.name_of(by),
        tenant_id=queue.tenant_id,
        key=_key(queue.pk),
        data={"queue": str(queue.pk), "judge": str(judge.pk), "model": judge.model, "version": judge.version},
        created=at,
        modified=at,
    )


@transaction.atomic
def count_own(*, queue_id: UUID, by: Any, at: datetime) -> int:
    """Let what `by` answered be among the figures that they see; how many items. These answers stay as they are from then on.

    Otherwise whoever changes an answer and looks again could work out what the judge said (`judge_figures`).

    Raises:
        Forbidden, NotFound.
        Conflict: the queue has no judge, or nothing of theirs is left out.
    """
    permissions.require(by, "ai.change_reviewqueue")
    queue = queues.get(queue_id)
    if ReviewJudge.objects.current(queue_id) is None:
        raise Conflict(NO_JUDGE)
    count = ReviewSlot.objects.make_final(queue_id, actors.id_of(by), at=at)
    if not count:
        raise Conflict("Nothing that you answered is left out of the figures.")
    audit.record("review_queue.own_answers_final", target=queue, by=by, at=at, items=count)
    return count


def estimate(*, queue_id: UUID) -> Estimate:
    """About how many tokens the judge takes for what it has not answered, and what that costs.

    Raises:
        NotFound: there is no such queue.
        InvalidInput: its model is gone, or cannot judge.
        Conflict: it has no judge.
    """
    from ai.services.titling import estimates  # noqa: PLC0415 - many patterns, compiled when something is first estimated

    queue, judge = queues.get(queue_id), ReviewJudge.objects.current(queue_id)
    if judge is None:
        raise Conflict(NO_JUDGE)
    spec = model_spec(judge.model)
    rows = waiting(queue_id=queue_id, judge=judge)
    count = min(rows.count(), MOST_ITEMS)
    rubric = ReviewRubric.objects.current(queue_id).rubric
    lengths = [length for item in rows[: estimates.SAMPLE] if (length := _length(item, queue.unit, spec))]
    read = sum(lengths) / len(lengths) if lengths else 0.0
    asked = (
        PROMPT_TOKENS + (read + 2 * len(str(rubric.to_json())) + len(judge.prompt)) / estimates.CHARACTERS_OF_A_TOKEN
    )
    usage = estimates.Usage(round(asked * count), (REASON_TOKENS + ANSWER_TOKENS * len(rubric.questions)) * count)
    cost = llm.cost(spec, cast("Any", usage))
    tokens = usage.input_tokens + usage.output_tokens
    return estimates.Estimate(count, tokens, None if cost is None else estimates.rounded(cost))


def _length(item: ReviewItem, unit: str, spec: llm.ModelSpec) -> int:
    """How long the item is for this model; 0 where it is gone."""
    try:
        return len(material.of(item, unit, budget=budget_of(spec)))
    except NotFound:
        return 0


def budget_of(spec: llm.ModelSpec) -> int:
    """How many characters of an item the model reads at most: the small embedded one has room for few."""
    return LOCAL_CHARACTERS if spec.provider == LOCAL else material.CHARACTERS
