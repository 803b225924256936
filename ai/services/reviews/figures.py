"""What comes of a queue: how far it is, who does how much, how far reviewers agree, and the rates that a sample gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Q

from ai.models import ReviewItem, ReviewQueue, ReviewRubric, ReviewSlot, ReviewVerdict
from ai.services.reviews import queues
from ai.stores import agreement
from ai.stores.agreement import Rate
from ai.stores.rubrics import TEXTS, Question, QuestionType

CHUNK = 2_000


@dataclass(frozen=True)
class Progress:
    """How far a queue is, in reviews and in items by their state."""

    reviews: int
    answered: int
    reserved: int
    items: dict[str, int]

    @property
    def settled(self) -> int:
        """Items with an answer that counts."""
        return self.items.get("agreed", 0) + self.items.get("decided", 0)

    @property
    def disputed(self) -> int:
        """Items that somebody has to decide."""
        return self.items.get("disputed", 0)

    @property
    def percent(self) -> int:
        """Of the reviews."""
        return self.answered * 100 // self.reviews if self.reviews else 0


def progress(*, queue_id: UUID, at: datetime) -> Progress:
    """How far the queue is: two queries."""
    slots = ReviewSlot.objects.filter(queue_id=queue_id)
    answered = Q(submitted_at__isnull=False)
    counts = slots.aggregate(
        reviews=Count("pk"),
        answered=Count("pk", filter=answered),
        reserved=Count("pk", filter=~answered & Q(reserved_until__gte=at)),
    )
    rows = ReviewItem.objects.filter(queue_id=queue_id).order_by().values_list("state").annotate(count=Count("pk"))
    return Progress(**counts, items=dict(rows))


def counts(*, queue_ids: Iterable[UUID]) -> dict[UUID, tuple[int, int]]:
    """Of each queue, how many reviews it needs and how many it has: one query."""
    rows = ReviewSlot.objects.filter(queue_id__in=list(queue_ids)).order_by().values_list("queue_id")
    found = rows.annotate(reviews=Count("pk"), answered=Count("pk", filter=Q(submitted_at__isnull=False)))
    return {key: (reviews, answered) for key, reviews, answered in found}


@dataclass(frozen=True)
class Pace:
    """What one reviewer has done."""

    reviewer: str
    answered: int
    last_hour: int
    latest: datetime | None


def paces(*, queue_id: UUID, at: datetime) -> list[Pace]:
    """Who has done how much, the busiest first: one query. It says nothing about what they answered."""
    rows = ReviewSlot.objects.filter(queue_id=queue_id, submitted_at__isnull=False).order_by().values("reviewer")
    found = rows.annotate(
        answered=Count("pk"),
        last_hour=Count("pk", filter=Q(submitted_at__gte=at - timedelta(hours=1))),
        latest=Max("submitted_at"),
    )
    return [Pace(**row) for row in found.order_by("-answered", "reviewer")]


def last_hour(*, queue_id: UUID, reviewer: str, at: datetime) -> int:
    """How many reviews somebody gave in the last hour."""
    mine = ReviewSlot.objects.filter(queue_id=queue_id, reviewer=reviewer)
    return mine.filter(submitted_at__gte=at - timedelta(hours=1)).count()


@dataclass(frozen=True)
class Agreement:
    """How far reviewers agree on one question; None where that is undefined."""

    question: Question
    percent: float | None
    alpha: float | None
    kappas: dict[tuple[str, str], float | None]
    """Cohen's kappa of each pair of reviewers who share items."""


def agreements(*, queue_id: UUID) -> list[Agreement]:
    """How far reviewers agree on each question that is not a text, by the newest version of the rubric alone.

    Only items whose reviews are all there count, so that nothing is told of answers that others may still give.
    """
    queues.get(queue_id)
    current = ReviewRubric.objects.current(queue_id)
    compared = [question for question in current.rubric.questions if question.type not in TEXTS]
    units = _units(queue_id, current.version)
    return [_agreement(question, units) for question in compared]


def _units(queue_id: UUID, version: int) -> list[dict[str, dict[str, Any]]]:
    """Of each item that is complete: who answered what."""
    complete = ReviewItem.objects.filter(queue_id=queue_id).exclude(state="open").values("pk")
    rows = ReviewSlot.objects.filter(queue_id=queue_id, rubric_version=version, item_id__in=complete)
    found: dict[UUID, dict[str, dict[str, Any]]] = defaultdict(dict)
    for item_id, reviewer, answers in rows.values_list("item_id", "reviewer", "answers").iterator(CHUNK):
        found[item_id][reviewer] = answers or {}
    return list(found.values())


def _agreement(question: Question, units: Iterable[dict[str, dict[str, Any]]]) -> Agreement:
    ratings = [
        {who: plain(answers[question.id]) for who, answers in unit.items() if question.id in answers} for unit in units
    ]
    pairs: dict[tuple[str, str], list[tuple[Any, Any]]] = defaultdict(list)
    for rated in ratings:
        for one, other in combinations(sorted(rated), 2):
            pairs[one, other].append((rated[one], rated[other]))
    level = "interval" if question.type == QuestionType.NUMBER else "nominal"
    return Agreement(
        question,
        percent=agreement.percent(ratings),
        alpha=agreement.krippendorff_alpha(ratings, level=level),
        kappas={pair: agreement.cohen_kappa(both) for pair, both in sorted(pairs.items())},
    )


def plain(value: Any) -> Any:
    """An answer that can be compared and counted."""
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True)
class Finding:
    """How often a question was answered so: of `figures.findings`, among the items that have a verdict."""

    question: Question
    answer: str
    rate: Rate


def is_of_all(queue: ReviewQueue) -> bool:
    """Whether the rates say something of all that the items were chosen from, so that they have an interval.

    Where a share of each group was chosen, or what is in dispute, they are of the chosen items alone.
    """
    source = queue.source or {}
    return not (source.get("how") or source.get("before"))


def findings(*, queue_id: UUID) -> list[Finding]:
    """The rates of the answers that count, each with its 95 % interval; of a sample, for all it was taken from.

    The interval means nothing where they are of the chosen items alone (`is_of_all`).
    """
    queue = queues.get(queue_id)
    questions = ReviewRubric.objects.current(queue_id).rubric.questions
    verdicts = ReviewVerdict.objects.filter(queue_id=queue_id).values_list("answers", flat=True)
    return rates(questions, verdicts.iterator(CHUNK), population=queue.population)


def more_for(found: Finding, queue: ReviewQueue, *, margin: float) -> int:
    """How many more items are to be reviewed until the finding's interval is ± `margin`, a share of 1; 0 where it is."""
    return agreement.more_needed(found.rate.count, found.rate.total, margin=margin, population=queue.population)


def rates(
    questions: Iterable[Question], given: Iterable[Mapping[str, Any] | None], *, population: int | None = None
) -> list[Finding]:
    """How often each question was answered how in `given`, which may be a sample of `population`."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    totals: dict[str, int] = defaultdict(int)
    for answers in given:
        for name, value in (answers or {}).items():
            totals[name] += 1
            for each in value if isinstance(value, list) else [value]:
                counts[name][word(each)] += 1
    found = []
    for question in questions:
        for answer in possible(question):
            rate = agreement.rate(counts[question.id][answer], totals[question.id], population=population)
            if rate is not None:
                found.append(Finding(question, answer, rate))
    return found


def possible(question: Question) -> list[str]:
    """The answers whose rates are told."""
    return ["yes", "no"] if question.type == QuestionType.YES_NO else list(question.options)


def word(value: Any) -> str:
    """An answer, or one of several, as it is called."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
