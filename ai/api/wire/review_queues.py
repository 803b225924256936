"""Review queues on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ai.api.pages import PageQuery
from ai.api.wire.base import Request, seconds
from ai.api.wire.names import PublicIds
from ai.models import ReviewItem, ReviewQueue, ReviewRubric
from ai.models.reviews import AGREEMENT
from ai.services import review_answers
from ai.services.review_answers import Settled
from ai.services.reviews import figures

Units = Literal["thread", "message", "run", "replay"]
QueueStates = Literal["open", "paused", "closed"]
ItemStates = Literal["open", "agreed", "disputed", "decided", "gone"]
QuestionTypes = Literal["yes_no", "choice", "multi_choice", "number", "text", "correction"]

#: So many things can be put into a queue with one request.
MOST_AT_ONCE = 1000

#: What is reviewed, as ids name it.
KINDS = {"thread": "thread", "message": "message", "run": "run", "replay": "run"}


class GivenQuestion(BaseModel):
    """One question of a rubric."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="What answers call it: small letters, digits and _.")
    type: QuestionTypes
    text: str
    required: bool | None = None
    options: list[str] | None = Field(None, description="What can be chosen.")
    minimum: float | None = None
    maximum: float | None = None
    help: str | None = None


class CreateReviewQueue(Request):
    """A new queue, which is open and empty."""

    name: str = Field(min_length=1, max_length=200)
    unit: Units = Field(description="What one review is about.")
    questions: list[GivenQuestion] = Field(min_length=1, max_length=30)
    instructions: str | None = Field(None, max_length=20_000, description="What reviewers read first; Markdown.")
    reviews_per_item: int | None = Field(None, ge=1, le=10)
    reservation_minutes: int | None = Field(None, ge=1, le=24 * 60)


class ModifyReviewQueue(Request):
    """Whether it gives out work."""

    state: QueueStates


GivenIds = Annotated[list[str], Field(min_length=1, max_length=MOST_AT_ONCE)]


class FillReviewQueue(Request):
    """What is to be reviewed: ids of what the queue's `unit` is; for replays those of their runs."""

    thread_ids: GivenIds | None = None
    message_ids: GivenIds | None = None
    run_ids: GivenIds | None = None


class ReviewItemQuery(PageQuery):
    """Which items, and the page of them."""

    state: ItemStates | None = None


class Progress(BaseModel):
    """How many reviews there are of those that are needed."""

    reviews: int
    answered: int


class Sample(BaseModel):
    """What the items are a random sample of."""

    selection: str
    size: int | None
    seed: int
    population: int | None


class ReviewQueueAnswer(BaseModel):
    """A queue, what it asks, and how far it is."""

    id: str
    object: Literal["review_queue"]
    created_at: int
    name: str
    unit: Units
    state: QueueStates
    instructions: str
    reviews_per_item: int
    reservation_minutes: int
    rubric_version: int
    questions: list[dict[str, Any]]
    progress: Progress
    sample: Sample | None


class QuestionAgreement(BaseModel):
    """How far reviewers agree on a question; null where that is undefined."""

    question: str
    percent: float | None
    alpha: float | None


class QuestionRate(BaseModel):
    """How often a question was answered so, among the items with an answer that counts, with the 95 % interval: null
    where these items were chosen such that they say nothing of others.
    """

    question: str
    answer: str
    count: int
    total: int
    rate: float
    low: float | None
    high: float | None


class ReviewQueueDetail(ReviewQueueAnswer):
    """A queue, and what comes of it. What tells how others answered is null without the scope `reviews`."""

    items: dict[str, int] | None
    agreement: list[QuestionAgreement] | None
    rates: list[QuestionRate] | None


class FillAnswer(BaseModel):
    """How many items were added; what the queue had already is passed over."""

    object: Literal["review_queue.filling"]
    review_queue_id: str
    added: int


class ReviewItemAnswer(BaseModel):
    """One thing to review, and where it stands."""

    id: str
    object: Literal["review_queue.item"]
    position: int
    state: ItemStates
    about: str
    thread_id: str


class Reviewer(BaseModel):
    """Who answered: the id that the console keeps, and the name of the account."""

    id: str
    name: str


class ReviewAnswer(BaseModel):
    """What one reviewer answered, by the ids of the questions."""

    reviewer: Reviewer
    answers: dict[str, Any]
    rubric_version: int
    submitted_at: int


class Verdict(BaseModel):
    """The answers that count: those of all reviewers where they agree, else those of whoever decided."""

    answers: dict[str, Any]
    rubric_version: int
    by: str
    is_agreement: bool
    reason: str | None
    created_at: int


class AnswersAnswer(ReviewItemAnswer):
    """A settled item with its answers."""

    verdict: Verdict
    reviews: list[ReviewAnswer]


# -- Queues


def queues(rows: Sequence[ReviewQueue]) -> list[dict[str, Any]]:
    """The queues as JSON: three queries at most, whatever their number."""
    keys = [row.pk for row in rows]
    asked, counts, ids = review_answers.rubrics(keys), figures.counts(queue_ids=keys), PublicIds(*keys)
    return [_queue(row, ids, asked[row.pk], counts.get(row.pk, (0, 0))) for row in rows]


def _queue(row: ReviewQueue, ids: PublicIds, rubric: ReviewRubric, counts: tuple[int, int]) -> dict[str, Any]:
    return {
        "id": ids.of("review_queue", row.pk),
        "object": "review_queue",
        "created_at": seconds(row.created),
        "name": row.name,
        "unit": row.unit,
        "state": row.state,
        "instructions": row.instructions,
        "reviews_per_item": row.reviews_per_item,
        "reservation_minutes": row.reservation_minutes,
        "rubric_version": rubric.version,
        "questions": rubric.questions,
        "progress": {"reviews": counts[0], "answered": counts[1]},
        "sample": _sample(row),
    }


def _sample(row: ReviewQueue) -> dict[str, Any] | None:
    said = row.source if isinstance(row.source, dict) else {}
    if "sample" not in said:
        return None
    known = {"selection": str(said.get("selection") or ""), "size": said["sample"], "seed": said.get("seed") or 0}
    return {**known, "population": row.population}


def queue(row: ReviewQueue, *, leads: bool, at: datetime) -> dict[str, Any]:
    """One of them with what comes of it, as far as the caller may know."""
    found = queues([row])[0]
    if not leads:
        return {**found, "items": None, "agreement": None, "rates": None}
    is_of_all = figures.is_of_all(row)
    return {
        **found,
        "items": figures.progress(queue_id=row.pk, at=at).items,
        "agreement": [
            {"question": each.question.id, "percent": each.percent, "alpha": each.alpha}
            for each in figures.agreements(queue_id=row.pk)
        ],
        "rates": [
            {
                "question": each.question.id,
                "answer": each.answer,
                "count": each.rate.count,
                "total": each.rate.total,
                "rate": each.rate.value,
                "low": each.rate.low if is_of_all else None,
                "high": each.rate.high if is_of_all else None,
            }
            for each in figures.findings(queue_id=row.pk)
        ],
    }


# -- Items


def items(rows: Sequence[ReviewItem], *, unit: str) -> list[dict[str, Any]]:
    """Items as JSON."""
    ids = PublicIds(*(key for row in rows for key in (row.pk, row.object_id, row.thread_id)))
    return [_item(row, ids, unit) for row in rows]


def _item(row: ReviewItem, ids: PublicIds, unit: str) -> dict[str, Any]:
    return {
        "id": ids.of("review_item", row.pk),
        "object": "review_queue.item",
        "position": row.position,
        "state": row.state,
        "about": ids.of(KINDS[unit], row.object_id),
        "thread_id": ids.of("thread", row.thread_id),
    }


def answers(rows: Sequence[ReviewItem], *, unit: str) -> list[dict[str, Any]]:
    """Settled items as JSON, with what was answered: four queries at most, whatever their number."""
    found = review_answers.of(rows)
    people = review_answers.names(found)
    shown = items([each.item for each in found], unit=unit)
    return [{**item, **_answered(each, people)} for item, each in zip(shown, found, strict=True)]


def _answered(found: Settled, people: dict[str, str]) -> dict[str, Any]:
    verdict = found.verdict
    is_agreement = verdict.decided_by == AGREEMENT
    return {
        "verdict": {
            "answers": verdict.answers,
            "rubric_version": verdict.rubric_version,
            "by": "all reviewers" if is_agreement else verdict.decided_by,
            "is_agreement": is_agreement,
            "reason": verdict.reason or None,
            "created_at": seconds(verdict.created),
        },
        "reviews": [
            {
                "reviewer": {"id": slot.reviewer or "", "name": people.get(slot.reviewer or "", slot.reviewer or "")},
                "answers": slot.answers or {},
                "rubric_version": slot.rubric_version or 0,
                "submitted_at": seconds(slot.submitted_at),
            }
            for slot in found.reviews
        ],
    }
