"""Several steps of triage as one change, for programs that say what a feedback is to be like."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db import transaction

from ai.exceptions import ChangedMeanwhile, Conflict, InvalidInput, NotFound
from ai.models import Feedback
from ai.models.feedback import FeedbackState, Severity
from ai.services import permissions
from ai.services.triage import fixes, rules, steps
from ai.services.triage.changes import Json, change, moved
from ai.stores.serialization import clean_text


@transaction.atomic
def revise(
    *,
    feedback_id: UUID,
    by: Any,
    at: datetime,
    version: int | None = None,
    state: str = "",
    severity: int | None = None,
    labels: Sequence[str] | None = None,
    assignee: str | None = None,
    reason: str | None = None,
    snoozed_until: datetime | None = None,
    fixed_by: UUID | Literal[""] | None = None,
) -> Feedback:
    """Give a feedback these values, all at once or none of them; what is None, or an empty state, stays as it is.

    Args:
        version: the version that the program looked at. When somebody has changed it since, nothing is changed.
        assignee: a user name; empty for nobody.
        fixed_by: the replay that did better; empty for none.

    Raises:
        Forbidden, NotFound, InvalidInput.
        ChangedMeanwhile: somebody else changed it; who, and when.
    """
    permissions.require(by, "ai.change_feedback")
    row: Feedback | None = Feedback.objects.filter(pk=feedback_id).first()
    if row is None:
        raise NotFound
    _require_person(assignee, row)
    _require_sense(row, state=state, assignee=assignee, snoozed_until=snoozed_until, at=at)
    values = _values(row, severity=severity, labels=labels, reason=reason)
    if fixed_by:
        fixes.require_replay(row, fixed_by)
    if fixed_by is not None:
        values["fixed_by"] = fixed_by or None

    before: list[str] = []

    def wanted(now: Feedback) -> Json:
        before.append(now.assignee)
        return {**_place(now, state, assignee, snoozed_until, by=by), **values}

    try:
        rows = change([feedback_id], wanted, by=by, at=at, seen=None if version is None else {feedback_id: version})
    except Conflict as error:
        raise ChangedMeanwhile(error.message, param="version", code="changed_meanwhile") from error
    if rows[0].assignee not in before:
        steps.tell_assigned(rows[0], by=by, at=at)
    return rows[0]


def _values(row: Feedback, *, severity: int | None, labels: Sequence[str] | None, reason: str | None) -> Json:
    values: Json = {}
    if severity is not None:
        if severity not in Severity.values:
            raise InvalidInput("A severity is a number from 1 (critical) to 4 (low).", param="severity")
        values |= {"severity": severity, "due_at": rules.due_at(severity, given_at=row.given_at)}
    if labels is not None:
        values["labels"] = _labels(labels)
    if reason is not None:
        values["reason"] = clean_text(reason.strip())[:200]
    return values


def _require_person(assignee: str | None, row: Feedback) -> None:
    if assignee and assignee not in steps.people(tenant_id=row.tenant_id):
        raise InvalidInput(f"{assignee[:50]} does not work for this tenant, or may not triage.", param="assignee")


def _require_sense(
    row: Feedback, *, state: str, assignee: str | None, snoozed_until: datetime | None, at: datetime
) -> None:
    """Refuse what contradicts itself."""
    if state and state not in FeedbackState.values:
        raise InvalidInput(f"A state is one of {', '.join(FeedbackState.values)}.", param="state")
    if (snoozed_until is not None) != (state == FeedbackState.SNOOZED):
        raise InvalidInput("“snoozed” and the time until when belong together.", param="snoozed_until")
    if snoozed_until is not None and not at < snoozed_until <= at + steps.LONGEST_SNOOZE:
        raise InvalidInput("Snooze until some time from now on, within a year.", param="snoozed_until")
    if state == FeedbackState.ASSIGNED and not (row.assignee if assignee is None else assignee):
        raise InvalidInput("Say to whom it is assigned.", param="assignee")
    if state == FeedbackState.OPEN and assignee:
        raise InvalidInput("What is new is assigned to nobody.", param="assignee")


def _place(row: Feedback, state: str, assignee: str | None, until: datetime | None, *, by: Any) -> Json:
    """What changes of where the triage stands, and of whose it is."""
    values: Json = {}
    if assignee:
        values |= {"state": FeedbackState.ASSIGNED, "snoozed_until": None}
    elif assignee == "" and row.state == FeedbackState.ASSIGNED:
        values["state"] = FeedbackState.TRIAGED
    if state == FeedbackState.SNOOZED:
        values |= {"state": FeedbackState.SNOOZED, "snoozed_until": until}
    elif state == FeedbackState.ASSIGNED and not (assignee or row.assignee):
        raise Conflict("Whoever had it has given it back meanwhile.")
    elif state:
        values |= moved(row, state, by=by)
    if assignee is not None:
        values["assignee"] = assignee
    return values


def _labels(given: Sequence[str]) -> list[str]:
    labels = list(dict.fromkeys(steps.label_of(label) for label in given))
    if len(labels) > steps.MOST_LABELS:
        raise InvalidInput(f"A feedback has at most {steps.MOST_LABELS} labels.", param="labels")
    return labels
