"""Samples of threads, messages and runs: by lot, with a share of each group, or of what people or models disagree about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Q

from ai import conf, ids
from ai.exceptions import InvalidInput, NotFound
from ai.models import Message, ReviewItem, ReviewQueue, Run
from ai.models.review_items import ItemState
from ai.models.reviews import ReviewUnit
from ai.services.comparisons import text_of_answer
from ai.services.reviews import sampling

CHUNK = 1_000
#: Replays whose original answers are read together.
COMPARED = 100
#: Groups whose share is kept with the queue.
MOST_GROUPS = 50

T = TypeVar("T")
Pairs = Iterator[tuple[UUID, str]]
#: Is told how many rows were read since it was told last.
Beat = Callable[[int], None]


def silent(_rows: int) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True)
class Taken:
    """What was chosen; how many there were to choose from, where the choice says something of all of them; how."""

    keys: list[UUID]
    population: int | None = None
    source: dict[str, Any] = field(default_factory=dict)


def _column(name: str, *, empty: str) -> Callable[[Any], Pairs]:
    def read(rows: Any) -> Pairs:
        for key, value in rows.values_list("pk", name).iterator(CHUNK):
            yield key, str(value or empty)

    return read


def _first_tag(rows: Any) -> Pairs:
    for key, tags in rows.values_list("pk", "tags").iterator(CHUNK):
        yield key, str(tags[0]) if isinstance(tags, list) and tags else "no tag"


def _model_of_message(rows: Any) -> Pairs:
    """The model of the run that made a message."""
    pairs = rows.values_list("pk", "run_id").iterator(CHUNK)
    while chunk := list(islice(pairs, CHUNK)):
        keys = {found for _, run_id in chunk if (found := _uuid(run_id))}
        models = dict(Run.objects.filter(pk__in=keys).values_list("pk", "model"))
        for key, run_id in chunk:
            yield key, models.get(_uuid(run_id)) or "no model"


def _uuid(text: str | None) -> UUID | None:
    try:
        return ids.parse(text) if text else None
    except NotFound:
        return None


_RUNS = {
    "model": ("each model", _column("model", empty="no model")),
    "status": ("each status", _column("status", empty="no status")),
}
#: Of each unit, what its rows can be grouped by: (words, how groups are read).
GROUPS: Mapping[ReviewUnit, Mapping[str, tuple[str, Callable[[Any], Pairs]]]] = {
    ReviewUnit.THREAD: {
        "tag": ("each first tag", _first_tag),
        "model": ("each model", _column("model", empty="no model")),
        "rating": ("each rating", _column("feedback", empty="not rated")),
    },
    ReviewUnit.MESSAGE: {
        "role": ("each role", _column("role", empty="no role")),
        "model": ("each model", _model_of_message),
    },
    ReviewUnit.RUN: _RUNS,
    ReviewUnit.REPLAY: _RUNS,
}
GROUPED, DISPUTED, DIFFERS = "by:", "only:disputed", "only:differs"
#: What is in dispute, in words.
ONLY = {
    ReviewUnit.RUN: {DIFFERS: "Only runs that a replay answers otherwise"},
    ReviewUnit.REPLAY: {DIFFERS: "Only replays that answer otherwise than the original"},
}


def offers(unit: str) -> dict[str, str]:
    """The ways to take a sample of a unit, in words, by what `queues.fill` calls them."""
    kind = ReviewUnit(unit)
    groups = {f"{GROUPED}{name}": f"By lot, a share of {words}" for name, (words, _) in GROUPS[kind].items()}
    disputed = {DISPUTED: "Only what reviewers of another queue disagreed about"}
    return {"": "By lot", **groups, **disputed, **ONLY.get(kind, {})}


def require(unit: ReviewUnit, *, how: str, size: int | None) -> None:
    """Nothing, where a sample of the unit can be taken so.

    Raises:
        InvalidInput: the unit has no such way to take a sample, or one of each group is wanted without a size.
    """
    if how not in offers(unit):
        raise InvalidInput("There is no such way to take a sample of these.", param="how")
    if how.startswith(GROUPED) and size is None:
        raise InvalidInput("Say how many: a share of each group is a sample.", param="sample")


def passes(how: str) -> int:
    """How often the rows are read to take a sample so."""
    return 2 if how.startswith(GROUPED) else 1


def take(rows: Any, queue: ReviewQueue, *, how: str, size: int | None, seed: int, beat: Beat = silent) -> Taken:
    """Keys of the rows, which are in the order of their keys. With no size, all that there are.

    Raises:
        InvalidInput: as `require`.
    """
    unit = ReviewUnit(queue.unit)
    require(unit, how=how, size=size)
    if how.startswith(GROUPED):
        return _of_groups(rows, unit, how.removeprefix(GROUPED), size=size or 0, seed=seed, beat=beat)
    if not how:
        found = _told(rows.values_list("pk", flat=True).iterator(CHUNK), beat)
        return (
            Taken(list(islice(found, _MOST))) if size is None else Taken(*sampling.random(found, size=size, seed=seed))
        )
    keys = _told(_disputed(rows, queue), beat) if how == DISPUTED else _differing(rows, unit, beat)
    source = {"how": how}
    # What is in dispute says nothing of how often that is.
    return Taken(
        list(islice(keys, _MOST)) if size is None else sampling.random(keys, size=size, seed=seed)[0], None, source
    )


#: More than fits a queue need not be read.
_MOST = 10_001


def _told(rows: Iterator[T], beat: Beat) -> Iterator[T]:
    size = min(CHUNK, conf.current().review_sample_rows)
    while chunk := list(islice(rows, size)):
        yield from chunk
        beat(len(chunk))


def _of_groups(rows: Any, unit: ReviewUnit, name: str, *, size: int, seed: int, beat: Beat) -> Taken:
    _, read = GROUPS[unit][name]
    keys, shares, total = sampling.of_groups(lambda: _told(read(rows), beat), size=size, seed=seed)
    kept = dict(sorted(shares.items(), key=lambda share: (-share[1], share[0]))[:MOST_GROUPS])
    # Small groups have more than their share, so that rates of the sample are none of all rows.
    return Taken(keys, None, {"how": f"{GROUPED}{name}", "groups": kept, "rows": total})


def _disputed(rows: Any, queue: ReviewQueue) -> Iterator[UUID]:
    """Things about which the reviewers of another queue disagreed, decided or not."""
    others = ReviewQueue.objects.filter(tenant_id=queue.tenant_id, unit=queue.unit).exclude(pk=queue.pk).values("pk")
    items = ReviewItem.objects.filter(queue_id__in=others, state__in=[ItemState.DISPUTED, ItemState.DECIDED])
    found: Iterator[UUID] = rows.filter(pk__in=items.values("object_id")).values_list("pk", flat=True).iterator(CHUNK)
    return found


def _differing(rows: Any, unit: ReviewUnit, beat: Beat) -> Iterator[UUID]:
    """Replays that answer otherwise than the original, or the runs that such replays are of."""
    if unit == ReviewUnit.REPLAY:
        for run in _otherwise(rows, beat):
            yield run.pk
        return
    keys = rows.values_list("pk", flat=True).iterator(CHUNK)
    while chunk := list(islice(keys, CHUNK)):
        replays = Run.objects.filter(replay_of__in=chunk, replay_of_thread__isnull=False).order_by("pk")
        yield from sorted({run.replay_of for run in _otherwise(replays) if run.replay_of})
        beat(len(chunk))


def _otherwise(replays: Any, beat: Beat = silent) -> Iterator[Run]:
    """The replays that have answered, and with other words than the original. Spaces and capitals make no other words."""
    found = replays.only("pk", "replay_of", "replay_of_thread", "replay_from", "replay_to", "output").iterator(COMPARED)
    while chunk := list(islice(found, COMPARED)):
        answered = [run for run in chunk if run.output]
        said = _originals(answered)
        # Where the original answer was deleted, there is nothing to differ from.
        yield from (run for run in answered if said[run.pk] and _words(run.output) != _words(said[run.pk]))
        beat(len(chunk))


def _originals(replays: list[Run]) -> dict[UUID, list[dict[str, Any]]]:
    """The messages that each replay answers anew: one query."""
    wanted = Q()
    for run in replays:
        wanted |= Q(thread_id=str(run.replay_of_thread), sequence__range=(run.replay_from or 0, run.replay_to or 0))
    rows = Message.objects.filter(wanted).order_by("sequence", "pk") if replays else Message.objects.none()
    messages = list(rows.values_list("thread_id", "sequence", "message"))
    return {
        run.pk: [
            message or {}
            for thread_id, number, message in messages
            if thread_id == str(run.replay_of_thread) and (run.replay_from or 0) <= number <= (run.replay_to or 0)
        ]
        for run in replays
    }


def _words(messages: Iterable[dict[str, Any]]) -> str:
    return " ".join(text_of_answer(list(messages)).split()).casefold()
