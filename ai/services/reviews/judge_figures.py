"""What a judge answered, beside what people did: how far it can be trusted, and what follows from it.

A judge never counts as a person. Its rates stand apart from people's, are of items that nobody has reviewed, and are given only
for questions on which it agrees with people well enough. Nobody sees its answer to an item that they may still review.

Nor can they work it out from how figures change with an answer of their own: what somebody answered and may still take back is
in none of the figures that they see, and there are none of fewer than ten items. Whoever wants to see figures with their own
answers lets these stay as they are first (`judging.count_own`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ai.exceptions import NotFound
from ai.models import ReviewItem, ReviewJudge, ReviewJudgement, ReviewRubric, ReviewSlot, ReviewVerdict
from ai.models.review_items import ItemState
from ai.models.reviews import AGREEMENT
from ai.services import actors
from ai.services.reviews import history, queues
from ai.services.reviews.figures import CHUNK, Finding, plain, possible, rates
from ai.stores import agreement
from ai.stores.rubrics import CHOICES, TEXTS, Question, QuestionType

#: With more different answers than this, a table of who said what is no help.
MOST_LABELS = 12
#: Figures of fewer items would tell what the judge said of each.
LEAST_TOLD = 10

Pair = tuple[Any, Any]


@dataclass(frozen=True)
class Matrix:
    """How often the judge said the column where people said the row."""

    labels: list[str]
    rows: list[tuple[str, list[int]]]


@dataclass(frozen=True)
class Compared:
    """The judge against people, on one question; None where a figure is undefined, or would be of fewer than ten items."""

    question: Question
    items: int
    """Items that both have answered."""
    pairs: int
    """Answers of people that it was compared with."""
    percent: float | None
    kappa: float | None
    matrix: Matrix | None
    threshold: float
    least_items: int

    @property
    def is_trusted(self) -> bool:
        """Whether it agrees with people well enough, on enough items."""
        return self.kappa is not None and self.kappa >= self.threshold and self.items >= self.least_items

    @property
    def why_not(self) -> str:
        """Why it is not trusted on this question, in a few words."""
        if self.items < self.least_items:
            return f"{self.items:,} of {self.least_items:,} items"
        if self.kappa is None:
            return "\u03ba is undefined: both always say the same one thing"
        return "" if self.is_trusted else f"\u03ba {self.kappa:.2f} of {self.threshold:.2f}"


@dataclass(frozen=True)
class Trust:
    """How far a version of a judge is, and how far it can be trusted."""

    judge: ReviewJudge
    answered: int
    failed: int
    compared: list[Compared]
    own: int = 0
    """Items that whoever asks has answered and may answer anew: they are left out of what they are shown."""

    @property
    def may_count_own(self) -> bool:
        """Whether there could be figures, or other ones, with what `own` leaves out."""
        return bool(self.own) and any(each.items + self.own >= LEAST_TOLD for each in self.compared)

    @property
    def trusted(self) -> list[Compared]:
        """The questions on which it is trusted."""
        return [each for each in self.compared if each.is_trusted]

    @property
    def words(self) -> str:
        """The state in one line, such as “not yet trusted: κ 0.41 of 0.60 on 37 items”."""
        if not self.compared:
            return "never trusted: this queue asks for texts only, which cannot be compared"
        if len(self.trusted) == len(self.compared):
            lowest = min(each.kappa or 0.0 for each in self.compared)
            return f"trusted: \u03ba {lowest:.2f} of {self.judge.threshold:.2f} on {self._items} items"
        if self.trusted:
            return f"trusted on {len(self.trusted)} of {len(self.compared)} questions"
        known = [each.kappa for each in self.compared if each.kappa is not None]
        said = f"{min(known):.2f}" if known else "unknown,"
        least = max((each.least_items for each in self.compared), default=0)
        few = f"; at least {least:,} are needed" if self._items < least else ""
        return f"not yet trusted: \u03ba {said} of {self.judge.threshold:.2f} on {self._items:,} items{few}"

    @property
    def _items(self) -> int:
        return min((each.items for each in self.compared), default=0)


def trust(*, queue_id: UUID, by: Any, at: datetime) -> Trust | None:
    """How far the queue's judge agrees with people, by its newest version, as `by` may know it; None where there is no judge.

    It is compared with what all reviewers of an item said, or with each review where they differ, decided or not. Items whose
    reviews are not all there say nothing, so that nothing is told of answers that others may still give. A fixed number of
    queries.

    Raises:
        NotFound: there is no such queue.
    """
    queues.get(queue_id)
    judge = ReviewJudge.objects.current(queue_id)
    if judge is None:
        return None
    rubric = ReviewRubric.objects.filter(queue_id=queue_id)
    asked = rubric.get(version=judge.rubric_version) if judge.rubric_version else rubric.latest("version")
    questions = [question for question in asked.rubric.questions if question.type not in TEXTS]
    own = _own(queue_id, by, at)
    answered, failed, pairs, items = _paired(judge, questions, own)
    compared = [_compared(judge, question, pairs[question.id], len(items[question.id])) for question in questions]
    return Trust(judge, answered, failed, compared, len(own))


def _own(queue_id: UUID, by: Any, at: datetime) -> set[UUID]:
    """The items on which people agree, and that `by` could answer anew after seeing what changed with their answer."""
    if not by.has_perm("ai.review_reviewqueue"):
        return set()
    agreed = ReviewItem.objects.filter(queue_id=queue_id, state=ItemState.AGREED).values("pk")
    mine = ReviewSlot.objects.filter(queue_id=queue_id, reviewer=actors.id_of(by), submitted_at__gte=at - history.UNDO)
    return set(mine.filter(item_id__in=agreed, final_at__isnull=True).values_list("item_id", flat=True))


def _paired(
    judge: ReviewJudge, questions: Sequence[Question], left_out: set[UUID]
) -> tuple[int, int, dict[str, list[Pair]], dict[str, set[UUID]]]:
    """How many answers and failures there are; of each question what people and the judge said, and of which items."""
    rows = ReviewJudgement.objects.filter(queue_id=judge.queue_id, judge_version=judge.version)
    said = dict(rows.values_list("item_id", "answers").iterator(CHUNK))
    pairs: dict[str, list[Pair]] = defaultdict(list)
    items: dict[str, set[UUID]] = defaultdict(set)
    for item_id, answers in _of_people(judge) if judge.rubric_version else ():
        judged: dict[str, Any] = {} if item_id in left_out else said.get(item_id) or {}
        for question in questions:
            if question.id in answers and question.id in judged:
                pairs[question.id].append((plain(answers[question.id]), plain(judged[question.id])))
                items[question.id].add(item_id)
    failed = sum(answers is None for answers in said.values())
    return len(said) - failed, failed, pairs, items


def _of_people(judge: ReviewJudge) -> Iterator[tuple[UUID, dict[str, Any]]]:
    """What people said of each item that they are done with, by the version of the rubric that the judge answers."""
    same: dict[str, Any] = {"queue_id": judge.queue_id, "rubric_version": judge.rubric_version}
    agreed = ReviewVerdict.objects.filter(**same, decided_by=AGREEMENT).values_list("item_id", "answers")
    yield from ((item_id, answers or {}) for item_id, answers in agreed.iterator(CHUNK))
    # Whoever decides sees what the judge said: such a decision says nothing of how far people agree with it.
    differ = ReviewItem.objects.filter(queue_id=judge.queue_id, state__in=[ItemState.DISPUTED, ItemState.DECIDED])
    slots = ReviewSlot.objects.filter(**same, submitted_at__isnull=False, item_id__in=differ.values("pk"))
    for item_id, answers in slots.values_list("item_id", "answers").iterator(CHUNK):
        yield item_id, answers or {}


def _compared(judge: ReviewJudge, question: Question, pairs: list[Pair], items: int) -> Compared:
    same = sum(person == judged for person, judged in pairs)
    is_told = items >= LEAST_TOLD
    return Compared(
        question=question,
        items=items,
        pairs=len(pairs),
        percent=same / len(pairs) if is_told else None,
        kappa=agreement.cohen_kappa(pairs) if is_told else None,
        matrix=_matrix(question, pairs) if is_told else None,
        threshold=judge.threshold,
        least_items=max(judge.least_items, LEAST_TOLD),
    )


def _matrix(question: Question, pairs: list[Pair]) -> Matrix | None:
    """The table of a question with few answers; None without pairs, and for numbers."""
    if not pairs or question.type not in (*CHOICES, QuestionType.YES_NO):
        return None
    if question.type == QuestionType.MULTI_CHOICE:
        labels = sorted({_label(each) for pair in pairs for each in pair})
    else:
        labels = possible(question)
    if len(labels) > MOST_LABELS:
        return None
    counts = agreement.confusion((_label(person), _label(judged)) for person, judged in pairs)
    return Matrix(labels, [(row, [counts.get((row, column), 0) for column in labels]) for row in labels])


def _label(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def findings(found: Trust) -> list[Finding]:
    """The judge's own rates, of the items that no person has reviewed; only for questions on which it is trusted.

    None of it is among people's findings (`figures.findings`), and there is none of fewer than ten items.
    """
    if not found.trusted:
        return []
    queue_id = found.judge.queue_id
    reviewed = ReviewSlot.objects.filter(queue_id=queue_id, submitted_at__isnull=False).values("item_id")
    open_ = ReviewItem.objects.filter(queue_id=queue_id, state=ItemState.OPEN).exclude(pk__in=reviewed)
    rows = ReviewJudgement.objects.given(queue_id, found.judge.version).filter(item_id__in=open_.values("pk"))
    answers = list(rows.values_list("answers", flat=True).iterator(CHUNK))
    if len(answers) < LEAST_TOLD:
        return []
    return rates([each.question for each in found.trusted], answers)


def answer_for(*, item_id: UUID, by: Any) -> tuple[ReviewJudgement, ReviewJudge] | None:
    """The newest version's answer to an item, for whoever decides and can no longer be led by it; else None.

    Who may still review the item, or could take their own answer back and give another, does not see it.

    Raises:
        NotFound: there is no such item.
    """
    item: ReviewItem | None = ReviewItem.objects.filter(pk=item_id).first()
    if item is None:
        raise NotFound("There is no such item.")
    if not _may_see(item, by):
        return None
    judge = ReviewJudge.objects.current(item.queue_id)
    row = judge and ReviewJudgement.objects.given(item.queue_id, judge.version).filter(item_id=item_id).first()
    return (row, judge) if row and judge else None


def _may_see(item: ReviewItem, by: Any) -> bool:
    if not by.has_perm("ai.adjudicate_reviewqueue"):
        return False
    if not by.has_perm("ai.review_reviewqueue"):
        return True
    if item.state == ItemState.AGREED:
        mine = ReviewSlot.objects.filter(item_id=item.pk, reviewer=actors.id_of(by), final_at__isnull=True)
        return not mine.exists()
    return item.state in (ItemState.DISPUTED, ItemState.DECIDED)


def failures(*, queue_id: UUID, judge: ReviewJudge, most: int) -> list[tuple[int, str]]:
    """(number of the item, why it has no answer) of what the version failed on: two queries."""
    rows = ReviewJudgement.objects.filter(queue_id=queue_id, judge_version=judge.version, answers__isnull=True)
    found = list(rows.order_by("modified", "pk").values_list("item_id", "error")[:most])
    numbers = dict(ReviewItem.objects.filter(pk__in=[key for key, _ in found]).values_list("pk", "position"))
    return sorted((numbers[key] + 1, error) for key, error in found if key in numbers)
