"""What exactly is replayed: which answer of which thread, and what its model had read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Max, Q

from ai import ids
from ai.exceptions import InvalidInput, NotFound
from ai.models import ChatThread, Message, Run

CHUNK = 200

#: Messages of threads and runs that were found in scope. With the tenant in these queries too, SQLite would read all that the
#: tenant has instead of the threads' own.
_messages = Message._base_manager

INSTRUCTIONS = ("system", "developer")


@dataclass(frozen=True)
class Target:
    """An answer to replay: that of a run, or the last one of a thread."""

    thread_id: UUID
    run_id: UUID | None = None


@dataclass(frozen=True)
class Aim:
    """A target found: the model reads up to `history_until`; the answer is the messages `first` to `last`.

    An answer that was never given (the run failed, or nobody asked yet) has `last < first`.
    """

    thread_id: UUID
    tenant_id: UUID | None
    history_until: int
    first: int
    last: int
    original: Run | None = None
    run_id: UUID | None = None


@dataclass(frozen=True)
class _Row:
    sequence: int
    role: str
    run_id: str | None


def aims_of(targets: Sequence[Target]) -> list[Aim]:
    """What the targets mean, in their order, with a few queries for each 200 of them.

    Raises:
        NotFound: a thread or a run does not exist, or is another tenant's.
        InvalidInput: in none of the threads was anything asked.
    """
    found: list[Aim] = []
    for start in range(0, len(targets), CHUNK):
        found += _chunk(targets[start : start + CHUNK])
    if not found:
        raise InvalidInput("There is nothing to replay: nobody has asked anything in these conversations.")
    return found


def _chunk(targets: Sequence[Target]) -> Iterator[Aim]:
    threads = ChatThread.objects.only("pk", "tenant_id", "last_sequence").in_bulk([t.thread_id for t in targets])
    for target in targets:
        if target.thread_id not in threads:
            raise NotFound(f"No thread found with id '{target.thread_id}'.")
    by_run = _of_runs([t for t in targets if t.run_id])
    by_thread = _of_threads([threads[t.thread_id] for t in targets if not t.run_id])
    for target in targets:
        aim = by_run[target.run_id] if target.run_id else by_thread.get(target.thread_id)
        if aim is not None and aim.history_until > 0:
            yield aim


# -- The last answer of threads


def _of_threads(threads: Sequence[ChatThread]) -> dict[UUID, Aim]:
    if not threads:
        return {}
    asked = _last_questions([str(thread.pk) for thread in threads])
    after = _rows_after(asked)
    originals = _runs({_run_key(row) for rows in after.values() for row in rows})
    found = {}
    for thread in threads:
        question = asked.get(str(thread.pk))
        if question:
            rows = after[str(thread.pk)]
            original = next((originals[key] for row in rows if (key := _run_key(row)) in originals), None)
            found[thread.pk] = Aim(
                thread_id=thread.pk,
                tenant_id=thread.tenant_id,
                history_until=question,
                first=question + 1,
                last=max((row.sequence for row in rows), default=question),
                original=original,
            )
    return found


def _last_questions(thread_ids: Sequence[str]) -> dict[str, int]:
    asked = _messages.filter(thread_id__in=thread_ids, role="user").order_by()
    return {str(t): int(last) for t, last in asked.values_list("thread_id").annotate(last=Max("sequence"))}


def _rows_after(asked: dict[str, int]) -> dict[str, list[_Row]]:
    found: dict[str, list[_Row]] = defaultdict(list)
    if asked:
        after = Q()
        for thread_id, sequence in asked.items():
            after |= Q(thread_id=thread_id, sequence__gt=sequence)
        rows = _messages.filter(after).order_by("thread_id", "sequence")
        for name, sequence, role, run_id in rows.values_list("thread_id", "sequence", "role", "run_id"):
            found[str(name)].append(_Row(sequence, role, run_id))
    return found


def _run_key(row: _Row) -> UUID | None:
    try:
        return ids.parse(row.run_id or "")
    except NotFound:  # a foreign id, from an import
        return None


def _runs(keys: set[UUID | None]) -> dict[UUID, Run]:
    keys = keys - {None}
    return dict(Run.objects.originals().in_bulk(list(keys))) if keys else {}


# -- The answers of runs


def _of_runs(targets: Sequence[Target]) -> dict[UUID | None, Aim]:
    if not targets:
        return {}
    runs = Run.objects.in_bulk([target.run_id for target in targets])
    originals = Run.objects.in_bulk([run.replay_of for run in runs.values() if run.replay_of])
    spans = _spans([run for run in runs.values() if not run.is_replay])
    found: dict[UUID | None, Aim] = {}
    for target in targets:
        run = runs.get(target.run_id)
        if run is None or str(run.thread_id) != str(target.thread_id):
            raise NotFound(f"No run found with id '{target.run_id}' in this thread.")
        found[run.pk] = _of_replay(run, originals.get(run.replay_of)) if run.is_replay else _of_run(run, spans)
    return found


def _of_replay(run: Run, original: Run | None) -> Aim:
    """Replaying a replay replays what it replayed."""
    return Aim(
        thread_id=UUID(str(run.replay_of_thread)),
        tenant_id=run.tenant_id,
        history_until=run.history_until or 0,
        first=run.replay_from or 0,
        last=run.replay_to or 0,
        original=original,
        run_id=run.replay_of,
    )


def _of_run(run: Run, spans: dict[UUID, tuple[int, int]]) -> Aim:
    first, last = spans.get(run.pk) or (0, 0)
    until = run.history_until if run.history_until is not None else first - 1
    if not first:
        until = _read_before(run) if run.history_until is None else until
        first, last = until + 1, until
    return Aim(
        thread_id=UUID(str(run.thread_id)),
        tenant_id=run.tenant_id,
        history_until=min(until, first - 1),
        first=first,
        last=last,
        original=run,
        run_id=run.pk,
    )


def _read_before(run: Run) -> int:
    """The end of what a run without messages had read, going by time."""
    rows = _messages.filter(thread_id=str(run.thread_id), created__lte=run.created)
    last: int | None = rows.aggregate(last=Max("sequence"))["last"]
    return last or 0


def _spans(runs: Sequence[Run]) -> dict[UUID, tuple[int, int]]:
    names = {name: run.pk for run in runs for name in (str(run.pk), run.pk.hex, ids.public("run", run.pk))}
    if not names:
        return {}
    spans: dict[UUID, tuple[int, int]] = {}
    rows = _messages.filter(run_id__in=names).exclude(role="user").order_by("run_id", "sequence")
    for name, sequence in rows.values_list("run_id", "sequence"):
        key = names[str(name)]
        first, last = spans.get(key, (sequence, sequence))
        spans[key] = (min(first, sequence), max(last, sequence))
    return spans
