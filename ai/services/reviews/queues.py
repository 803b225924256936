"""Making review queues, filling them, opening and closing them, changing what they ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import ChatThread, Message, ReviewItem, ReviewQueue, ReviewRubric, Run
from ai.models.review_events import ReviewEventKind
from ai.models.reviews import MOST_REVIEWS, QueueState, ReviewUnit
from ai.services import actors, audit, permissions
from ai.services.reviews import history, sampling_rows
from ai.services.selections import Selection
from ai.stores.rubrics import Rubric
from ai.stores.serialization import clean_text

MOST_ITEMS = 10_000
LONGEST_MINUTES = 24 * 60

#: Which rows a unit is chosen from.
NOUNS = {
    ReviewUnit.THREAD: "threads",
    ReviewUnit.MESSAGE: "messages",
    ReviewUnit.RUN: "runs",
    ReviewUnit.REPLAY: "runs",
}


def get(queue_id: UUID) -> ReviewQueue:
    """The queue.

    Raises:
        NotFound: there is none in scope.
    """
    found: ReviewQueue | None = ReviewQueue.objects.filter(pk=queue_id).first()
    if found is None:
        raise NotFound("There is no such review queue.")
    return found


@transaction.atomic
def make(
    *,
    name: str,
    unit: str,
    questions: Sequence[Any],
    tenant_id: UUID,
    by: Any,
    at: datetime,
    instructions: str = "",
    reviews_per_item: int = 1,
    reservation_minutes: int = 30,
) -> ReviewQueue:
    """A new, empty queue that is open.

    Raises:
        Forbidden.
        InvalidInput: a value cannot be used; `param` names it.
        Conflict: the tenant has a queue with this name.
    """
    permissions.require(by, "ai.add_reviewqueue")
    title = " ".join(clean_text(name).split())
    if not 0 < len(title) <= 200:
        raise InvalidInput("Give the queue a name of at most 200 characters.", param="name")
    if unit not in ReviewUnit.values:
        raise InvalidInput(f"Choose what is reviewed: {', '.join(ReviewUnit.values)}.", param="unit")
    if not 1 <= reviews_per_item <= MOST_REVIEWS:
        raise InvalidInput(f"An item has between 1 and {MOST_REVIEWS} reviews.", param="reviews_per_item")
    if not 1 <= reservation_minutes <= LONGEST_MINUTES:
        raise InvalidInput("A reservation lasts between a minute and a day.", param="reservation_minutes")
    rubric = Rubric.from_json(questions)
    queue = ReviewQueue(
        tenant_id=ReviewQueue.objects.tenant_for_new_row(tenant_id),
        name=title,
        unit=unit,
        instructions=clean_text(instructions).strip(),
        reviews_per_item=reviews_per_item,
        reservation_minutes=reservation_minutes,
        made_by=actors.name_of(by),
    )
    try:
        with transaction.atomic():
            ReviewQueue.objects.make(queue, rubric)
    except IntegrityError:
        raise Conflict(f"There is a queue “{title}” already; choose another name.", param="name") from None
    audit.record("review_queue.added", target=queue, by=by, at=at, name=title)
    return queue


def fill(
    *,
    queue_id: UUID,
    selection: Selection,
    by: Any,
    at: datetime,
    sample: int | None = None,
    seed: int = 1,
    how: str = "",
) -> int:
    """Add what is selected, or a sample of it, to the queue; how many items that were. What it has is passed over.

    Nobody waits for the database while the sample is drawn. From many rows that takes seconds: `filling.start` leaves it to a worker.

    Args:
        how: how a sample is taken: by lot, by lot with a share of each group ("by:model"), or only of what is in dispute
            ("only:disputed"); `sampling_rows.offers` says which there are for a unit.

    Raises:
        Forbidden, NotFound.
        InvalidInput: the selection is of other things than the queue's, of another tenant's, empty, or too big; or there is no
            such way to take a sample.
        Conflict: the queue is closed.
    """
    permissions.require(by, "ai.change_reviewqueue")
    wanted = Wanted(selection.frozen(at=at), sample, seed, how)
    queue = fillable(queue_id, wanted)
    return put(queue_id=queue_id, wanted=wanted, taken=wanted.take(queue), by=by, at=at)


@dataclass(frozen=True)
class Wanted:
    """What is to be added to a queue: a frozen selection, or a sample of so many of it, and how that is taken."""

    selection: Selection
    sample: int | None = None
    seed: int = 1
    how: str = ""

    def rows(self, queue: ReviewQueue) -> Any:
        """What there is to choose from, in the order of the keys."""
        rows = self.selection.queryset().filter(tenant_id=queue.tenant_id).order_by("pk")
        return rows.filter(replay_of_thread__isnull=False) if queue.unit == ReviewUnit.REPLAY else rows

    def take(self, queue: ReviewQueue, *, beat: sampling_rows.Beat = sampling_rows.silent) -> sampling_rows.Taken:
        """What is chosen. `beat` is told how many rows were read since it was told last.

        Raises:
            InvalidInput: there is no such way to take a sample, there is nothing to choose from, or it is too much.
        """
        size = None if self.sample is None else min(self.sample, MOST_ITEMS)
        taken = sampling_rows.take(self.rows(queue), queue, how=self.how, size=size, seed=self.seed, beat=beat)
        if not taken.keys:
            raise InvalidInput(f"There are no such {self.selection.noun} in the queue's tenant.")
        if len(taken.keys) > MOST_ITEMS:
            raise InvalidInput(f"These are more than {MOST_ITEMS:,} {self.selection.noun}; review a sample of them.")
        return taken


def fillable(queue_id: UUID, wanted: Wanted) -> ReviewQueue:
    """The queue, when this can be added to it.

    Raises:
        NotFound, InvalidInput, Conflict: as `fill`.
    """
    queue = get(queue_id)
    _require_open(queue)
    noun = NOUNS[ReviewUnit(queue.unit)]
    if wanted.selection.noun != noun:
        raise InvalidInput(f"This queue is for {noun}, not for {wanted.selection.noun}.")
    sampling_rows.require(ReviewUnit(queue.unit), how=wanted.how, size=wanted.sample)
    return queue


def _require_open(queue: ReviewQueue) -> None:
    if queue.state == QueueState.CLOSED:
        raise Conflict("The queue is closed; open it again first.")


@transaction.atomic
def put(*, queue_id: UUID, wanted: Wanted, taken: sampling_rows.Taken, by: Any, at: datetime) -> int:
    """Add what was chosen to the queue; how many items that were.

    Raises:
        NotFound.
        Conflict: the queue was closed meanwhile.
    """
    queue = ReviewQueue.objects.locked(get(queue_id).pk)
    _require_open(queue)
    was_filled = ReviewItem.objects.filter(queue_id=queue.pk).exists()
    added = _add(queue, taken.keys)
    words = wanted.selection.describe()
    if added or not was_filled:
        how_taken = {"selection": words, "sample": wanted.sample, "seed": wanted.seed, **taken.source}
        source = how_taken if wanted.sample is not None or wanted.how else {}
        _told(queue, source | _before(queue), None if was_filled else taken.population, at=at)
    told: dict[str, Any] = {"items": added, "selection": words, **({"how": wanted.how} if wanted.how else {})}
    audit.record("review_queue.filled", target=queue, by=by, at=at, **told)
    return added


def _told(queue: ReviewQueue, source: dict[str, Any], population: int | None, *, at: datetime) -> None:
    """Keep where the items come from. With what a queue had before they are no sample of what they were taken from."""
    ReviewQueue.objects.filter(pk=queue.pk).update(source=source, population=population, modified=at)


def _before(queue: ReviewQueue) -> dict[str, Any]:
    """How items were chosen that the queue had before, where that was not by lot."""
    source = queue.source or {}
    how = source.get("how") or source.get("before")
    return {"before": how} if how else {}


def _add(queue: ReviewQueue, keys: Sequence[UUID]) -> int:
    threads = _threads(queue, keys)
    known = ReviewItem.objects.filter(queue_id=queue.pk)
    last = known.order_by("-position").values_list("position", flat=True).first()
    begin = 0 if last is None else last + 1
    here = set(known.values_list("object_id", flat=True))
    fresh = [key for key in keys if key in threads and key not in here]
    items = [
        ReviewItem(
            tenant_id=queue.tenant_id, queue_id=queue.pk, object_id=key, thread_id=threads[key], position=position
        )
        for position, key in enumerate(fresh, start=begin)
    ]
    return ReviewItem.objects.add(items, slots=queue.reviews_per_item)


def _threads(queue: ReviewQueue, keys: Sequence[UUID]) -> dict[UUID, UUID]:
    """The thread that each thing is in."""
    if queue.unit == ReviewUnit.THREAD:
        return {key: key for key in keys}
    model, column = (Message, "thread_id") if queue.unit == ReviewUnit.MESSAGE else (Run, "thread_id")
    if queue.unit == ReviewUnit.REPLAY:
        column = "replay_of_thread"
    found: dict[UUID, UUID] = {}
    for chunk in _chunks(keys):
        rows = model._base_manager.filter(pk__in=chunk).values_list("pk", column)
        found |= {key: UUID(str(thread)) for key, thread in rows if thread}
    return found


def _chunks(keys: Sequence[UUID], size: int = 1_000) -> Iterable[Sequence[UUID]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))


@transaction.atomic
def move(*, queue_id: UUID, state: str, by: Any, at: datetime, was: str | None = None) -> ReviewQueue:
    """Open, pause or close the queue. Reservations stay; a queue that is not open gives out no new ones.

    Args:
        was: the state that `by` saw; where it is another one by now, nothing changes.

    Raises:
        Forbidden, NotFound.
        InvalidInput: there is no such state.
        Conflict: somebody else changed it at the same moment, or it is not as it was.
    """
    permissions.require(by, "ai.change_reviewqueue")
    if state not in QueueState.values:
        raise InvalidInput(f"A queue is one of {', '.join(QueueState.values)}.", param="state")
    queue = get(queue_id)
    if queue.state == state and was is None:
        return queue
    if not ReviewQueue.objects.move(queue_id, state=state, was=was or queue.state, at=at):
        raise Conflict("Somebody else has changed the queue's state meanwhile; look again.")
    audit.record(f"review_queue.{state}", target=queue, by=by, at=at)
    history.note(
        ReviewEventKind.MOVED, queue=queue, by=by, at=at, before={"state": queue.state}, after={"state": state}
    )
    return get(queue_id)


@transaction.atomic
def ask(*, queue_id: UUID, questions: Sequence[Any], by: Any, at: datetime) -> ReviewRubric:
    """Change what the queue asks. Once somebody has answered, that is a new version, and answers so far keep theirs.

    Raises:
        Forbidden, NotFound.
        InvalidInput: these are no questions.
        Conflict: somebody else changed them meanwhile.
    """
    permissions.require(by, "ai.change_reviewqueue")
    queue, rubric = get(queue_id), Rubric.from_json(questions)
    current = ReviewRubric.objects.current(queue_id)
    if current.rubric == rubric:
        return current
    if not ReviewRubric.objects.change(current, rubric, at=at):
        current = ReviewRubric.objects.write(queue, rubric, version=current.version + 1)
    audit.record("review_queue.asked", target=queue, by=by, at=at, version=current.version)
    return ReviewRubric.objects.current(queue_id)


def assign(*, item_id: UUID, to: Any, by: Any, at: datetime) -> None:
    """Keep a free review of an item for somebody, who need not take it.

    Raises:
        Forbidden, NotFound.
        InvalidInput: they may not review there.
        Conflict: none of its reviews is free for them.
    """
    from ai.services.reviews import assigning  # noqa: PLC0415 - it builds on this module

    permissions.require(by, "ai.change_reviewqueue")
    item = ReviewItem.objects.filter(pk=item_id).first()
    if item is None:
        raise NotFound("There is no such item.")
    assigning.assign_items(queue_id=item.queue_id, item_ids=[item_id], to=to, by=by, at=at)


def is_there(item: ReviewItem, unit: str) -> bool:
    """Whether what an item is about has not been deleted meanwhile."""
    model: Any = {ReviewUnit.THREAD: ChatThread, ReviewUnit.MESSAGE: Message}.get(ReviewUnit(unit), Run)
    return bool(model.objects.filter(pk=item.object_id).exists())
