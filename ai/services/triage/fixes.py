"""Replays that did better: which feedback a replay fixed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from ai.exceptions import InvalidInput, NotFound
from ai.models import Feedback, Message, Run
from ai.models.feedback import FeedbackState, Rating
from ai.models.runs import RunStatus
from ai.services import permissions
from ai.services.triage.changes import Json, change, moved
from ai.services.triage.steps import UNSETTLED, Seen

MOST = 200
ANSWERED = (RunStatus.COMPLETED, RunStatus.INCOMPLETE)


@dataclass(frozen=True)
class Fix:
    """The replay that fixed a feedback: its run, None where it has been deleted since."""

    run_id: UUID
    run: Run | None


@dataclass
class Complaints:
    """What was said of the answer that a replay replays: what it may fix, and what each replay fixed."""

    open: list[Feedback] = field(default_factory=list)
    fixed: dict[UUID, list[Feedback]] = field(default_factory=dict)


def fix_of(row: Feedback) -> Fix | None:
    """The replay that fixed the feedback; None where none is named."""
    if row.fixed_by is None:
        return None
    rows = Run.objects.replays().filter(pk=row.fixed_by, tenant_id=row.tenant_id, replay_of_thread=row.thread_id)
    return Fix(row.fixed_by, rows.only("pk", "model").first())


def link(*, feedback_ids: Iterable[UUID], run_id: UUID, by: Any, at: datetime, seen: Seen = None) -> list[Feedback]:
    """Say that a replay fixed the feedback.

    Raises:
        Forbidden, NotFound, Conflict.
        InvalidInput: the run is no replay of the feedback's answer, or has not answered.
    """
    permissions.require(by, "ai.change_feedback")

    def wanted(row: Feedback) -> Json:
        require_replay(row, run_id)
        return {"fixed_by": run_id}

    return change(feedback_ids, wanted, by=by, at=at, seen=seen)


def unlink(*, feedback_ids: Iterable[UUID], by: Any, at: datetime, seen: Seen = None) -> list[Feedback]:
    """Say that no replay fixed it.

    Raises:
        Forbidden, NotFound, Conflict.
    """
    return change(feedback_ids, lambda row: {"fixed_by": None}, by=by, at=at, seen=seen)


def resolve(*, run_id: UUID, by: Any, at: datetime, seen: Mapping[UUID, int] | None = None) -> list[Feedback]:
    """Resolve all that is still open of what was said of the replay's answer, as fixed by this replay: one change.

    Raises:
        Forbidden, Conflict.
        NotFound: there is no such replay.
        InvalidInput: nothing is open, or the replay has not answered.
    """
    permissions.require(by, "ai.change_feedback")
    run: Run | None = Run.objects.replays().filter(pk=run_id).first()
    if run is None:
        raise NotFound("There is no such replay.")
    keys = [row.pk for row in complaints(run).open]
    if not keys:
        raise InvalidInput("Nothing that was said of this answer is still open.")

    def wanted(row: Feedback) -> Json:
        require_replay(row, run_id)
        return {**moved(row, FeedbackState.RESOLVED, by=by), "fixed_by": run_id}

    return change(keys, wanted, by=by, at=at, seen=seen)


def complaints(run: Run) -> Complaints:
    """What was said of the answer that the replay replays; praise is nothing to fix. One query."""
    answer = Message.objects.filter(
        thread_id=str(run.replay_of_thread), sequence__gte=run.replay_from or 0, sequence__lte=run.replay_to or 0
    )
    said = Feedback.objects.filter(
        Q(state__in=UNSETTLED) | Q(fixed_by__isnull=False),
        thread_id=run.replay_of_thread,
        tenant_id=run.tenant_id,
        message_id__in=answer.values("pk"),
    )
    found = Complaints()
    for row in said.defer("history").order_by("given_at", "pk")[:MOST]:
        if row.fixed_by:
            found.fixed.setdefault(row.fixed_by, []).append(row)
        if row.state in UNSETTLED and row.rating != Rating.UP:
            found.open.append(row)
    return found


def require_replay(row: Feedback, run_id: UUID) -> None:
    """Pass a replay, with an answer, of the answer that the feedback is about.

    Raises:
        InvalidInput: it is none.
    """
    run: Run | None = Run.objects.replays().filter(pk=run_id, tenant_id=row.tenant_id).first()
    if run is None or run.replay_of_thread != row.thread_id or not _is_about(run, row):
        raise InvalidInput("This is no replay of the answer that the feedback is about.", param="fixed_by")
    if run.status not in ANSWERED:
        raise InvalidInput("This replay has no answer.", param="fixed_by")


def _is_about(run: Run, row: Feedback) -> bool:
    rows = Message.objects.filter(pk=row.message_id, thread_id=str(row.thread_id))
    place = rows.values_list("sequence", flat=True).first()
    return place is not None and (run.replay_from or 0) <= place <= (run.replay_to or 0)
