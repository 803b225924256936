"""Making room in the middle of a thread: messages get new numbers, and whatever counts by them follows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from ai import ids
from ai.models.messages import Message
from ai.models.runs import Run

#: Beyond every number that a thread has.
_ASIDE = 1_000_000_000


def renumber(thread_id: UUID, moved: Mapping[int, int]) -> None:
    """Give the messages of a locked thread that have the numbers `moved` their new, greater ones, in the same order.

    What runs and replays had read, and which messages a replay is of, stays the same.
    """
    if not moved:
        return
    first = min(moved)
    # The thread is in scope. With its tenant in these queries too, SQLite would read all that the tenant has.
    messages = Message._base_manager.filter(thread_id=str(thread_id))
    with transaction.atomic():
        # A number is a thread's once: all of them step aside first.
        messages.filter(sequence__gte=first).update(sequence=F("sequence") + _ASIDE)
        rows = list(messages.filter(sequence__gte=_ASIDE).only("pk", "sequence"))
        for row in rows:
            row.sequence = moved[row.sequence - _ASIDE]
        Message._base_manager.bulk_update(rows, ["sequence"], batch_size=200)
        _follow(thread_id, moved)


def reread(thread_id: UUID, history_of: Callable[[Run], int]) -> None:
    """Set anew what imported runs had read, now that more of the thread is known."""
    changed = []
    for run in Run._base_manager.filter(thread_id=str(thread_id)).only("pk", "created", "history_until"):
        if ids.may_be_adopted(run.pk) and run.history_until != history_of(run):
            run.history_until = history_of(run)
            changed.append(run)
    Run._base_manager.bulk_update(changed, ["history_until"], batch_size=200)


def _follow(thread_id: UUID, moved: Mapping[int, int]) -> None:
    numbers = sorted(moved)

    def now(before: int) -> int:
        """The number after which everything is that was after `before`."""
        place = bisect_right(numbers, before)
        return before if not place else before - numbers[place - 1] + moved[numbers[place - 1]]

    of_thread = Q(thread_id=str(thread_id)) | Q(replay_of_thread=thread_id)
    columns = ("history_until", "replay_from", "replay_to")
    runs = list(Run._base_manager.filter(of_thread).only("pk", *columns))
    for run in runs:
        run.history_until = None if run.history_until is None else now(run.history_until)
        run.replay_from = None if run.replay_from is None else now(run.replay_from - 1) + 1
        run.replay_to = None if run.replay_to is None else now(run.replay_to)
    Run._base_manager.bulk_update(runs, columns, batch_size=200)
