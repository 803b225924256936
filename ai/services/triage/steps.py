"""What a person can do with feedback in the inbox, with one or with many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q

from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import Feedback, FeedbackEvent, TenantMembership
from ai.models.feedback import FeedbackState, Severity
from ai.models.feedback_events import EventKind
from ai.services import actors, notifications, permissions
from ai.services.triage import rules
from ai.services.triage.changes import Json, change, moved, note
from ai.stores.serialization import clean_text

Seen = Mapping[UUID, int] | None

LONGEST_SNOOZE = timedelta(days=366)
MOST_LABELS, LONGEST_LABEL = 20, 50
MOST_DUPLICATES = 100
#: What somebody is still to look at; what was settled is no duplicate to be merged.
UNSETTLED = (FeedbackState.OPEN, FeedbackState.TRIAGED, FeedbackState.ASSIGNED, FeedbackState.SNOOZED)


def move(
    *, feedback_ids: Iterable[UUID], state: str, by: Any, at: datetime, reason: str = "", seen: Seen = None
) -> list[Feedback]:
    """Move feedback to another state. What is assigned to nobody is assigned to `by`.

    Raises:
        Forbidden, NotFound, Conflict.
        InvalidInput: there is no such state, or it is “snoozed”, which needs a time.
    """
    permissions.require(by, "ai.change_feedback")
    if state not in FeedbackState.values:
        raise InvalidInput(f"There is no state {state[:20]!r}; choose one of {', '.join(FeedbackState.values)}.")
    if state == FeedbackState.SNOOZED:
        raise InvalidInput("Say until when it is to be snoozed.")
    words = clean_text(reason.strip())[:200]

    def wanted(row: Feedback) -> Json:
        return {**moved(row, state, by=by), **({"reason": words} if words else {})}

    return change(feedback_ids, wanted, by=by, at=at, seen=seen)


@transaction.atomic
def assign(*, feedback_ids: Iterable[UUID], to: str, by: Any, at: datetime, seen: Seen = None) -> list[Feedback]:
    """Assign feedback to the person with this user name; to nobody where it is empty.

    Raises:
        Forbidden, NotFound, Conflict.
        InvalidInput: there is no such person, or they do not work for one of the tenants.
    """
    permissions.require(by, "ai.change_feedback")
    keys = list(feedback_ids)
    if to and to != actors.name_of(by):
        tenants = set(Feedback.objects.filter(pk__in=keys).values_list("tenant_id", flat=True))
        if any(to not in people(tenant_id=tenant) for tenant in tenants):
            raise InvalidInput(f"{to[:50]} does not work for this tenant, or may not triage.")

    new: list[Feedback] = []

    def wanted(row: Feedback) -> Json:
        if not to:
            state = FeedbackState.TRIAGED if row.state == FeedbackState.ASSIGNED else row.state
            return {"assignee": "", "state": state}
        if row.assignee != to:
            new.append(row)
        return {"assignee": to, "state": FeedbackState.ASSIGNED, "snoozed_until": None}

    rows = change(keys, wanted, by=by, at=at, seen=seen)
    for row in new:
        tell_assigned(row, by=by, at=at)
    return rows


def tell_assigned(row: Feedback, *, by: Any, at: datetime) -> None:
    """Tell whoever has it now, in the transaction that gave it to them."""
    _tell("assigned", row, [row.assignee], f"{actors.name_of(by)} assigns feedback to you", by=by, at=at)


def _tell(kind: str, row: Feedback, names: list[str], title: str, *, by: Any, at: datetime) -> None:
    """Tell the people of these user names of a feedback, in the transaction of what happened to it."""
    notifications.tell_named(
        kind, names=names, key=f"{kind}:{row.pk}:{row.version}", title=title, by=by, at=at, tenant_id=row.tenant_id,
        text=row.comment or row.label, thread_id=row.thread_id, message_id=row.message_id, target=row,
    )  # fmt: skip


def people(*, tenant_id: UUID | None) -> list[str]:
    """The user names of those who triage for the tenant: its members with the permission, and superusers."""
    members = TenantMembership.objects.filter(tenant_id__in=[tenant_id] if tenant_id else []).values("user_id")
    grants = {"codename": "change_feedback", "content_type__app_label": "ai"}
    direct = Q(**{f"user_permissions__{name}": value for name, value in grants.items()})
    by_group = Q(**{f"groups__permissions__{name}": value for name, value in grants.items()})
    may = Q(is_superuser=True) | (Q(pk__in=members) & (direct | by_group))
    found = get_user_model()._default_manager.filter(may, is_active=True, is_staff=True).distinct()
    return [str(user.get_username()) for user in found.order_by("username")[:200]]


def snooze(
    *, feedback_ids: Iterable[UUID], until: datetime, by: Any, at: datetime, seen: Seen = None
) -> list[Feedback]:
    """Put feedback aside until a time, when it comes back by itself.

    Raises:
        Forbidden, NotFound, Conflict.
        InvalidInput: the time has passed, or is more than a year away.
    """
    if not at < until <= at + LONGEST_SNOOZE:
        raise InvalidInput("Snooze until some time from now on, within a year.")
    values = {"state": FeedbackState.SNOOZED, "snoozed_until": until}
    return change(feedback_ids, lambda row: values, by=by, at=at, seen=seen)


def set_severity(
    *, feedback_ids: Iterable[UUID], severity: int, by: Any, at: datetime, seen: Seen = None
) -> list[Feedback]:
    """Say how bad it is, 1 (critical) to 4 (low), or 0 for nothing said; the time by which it is due follows.

    Raises:
        Forbidden, NotFound, Conflict, InvalidInput.
    """
    if severity not in Severity.values:
        raise InvalidInput("A severity is a number from 1 (critical) to 4 (low).")

    def wanted(row: Feedback) -> Json:
        return {"severity": severity, "due_at": rules.due_at(severity, given_at=row.given_at)}

    return change(feedback_ids, wanted, by=by, at=at, seen=seen)


def add_labels(
    *, feedback_ids: Iterable[UUID], labels: Iterable[str], by: Any, at: datetime, seen: Seen = None
) -> list[Feedback]:
    """Add labels, suggested ones or a person's own.

    Raises:
        Forbidden, NotFound, Conflict.
        InvalidInput: a label is empty or too long, or there would be too many.
    """
    new = [label_of(label) for label in labels]

    def wanted(row: Feedback) -> Json:
        return {"labels": _with(row, new)}

    return change(feedback_ids, wanted, by=by, at=at, seen=seen)


def _with(row: Feedback, labels: Iterable[str]) -> list[str]:
    every = list(dict.fromkeys([*row.labels, *labels]))
    if len(every) > MOST_LABELS:
        raise InvalidInput(f"A feedback has at most {MOST_LABELS} labels.")
    return every


def label_of(given: str) -> str:
    """A label as it is kept.

    Raises:
        InvalidInput: it is empty or too long.
    """
    label = " ".join(clean_text(given).split())
    if not label or len(label) > LONGEST_LABEL:
        raise InvalidInput(f"A label has 1 to {LONGEST_LABEL} characters.")
    return label


def remove_label(
    *, feedback_ids: Iterable[UUID], label: str, by: Any, at: datetime, seen: Seen = None
) -> list[Feedback]:
    """Take a label off.

    Raises:
        Forbidden, NotFound, Conflict.
    """

    def wanted(row: Feedback) -> Json:
        return {"labels": [each for each in row.labels if each != label]}

    return change(feedback_ids, wanted, by=by, at=at, seen=seen)


@transaction.atomic
def run_macro(*, feedback_ids: Iterable[UUID], name: str, by: Any, at: datetime, seen: Seen = None) -> list[Feedback]:
    """Take all steps of a macro, as one change.

    Raises:
        Forbidden, NotFound, Conflict.
        InvalidInput: there is no such macro.
    """
    steps, keys = rules.macro(name), list(feedback_ids)

    def wanted(row: Feedback) -> Json:
        values: Json = {}
        if steps.assign:
            values |= {**moved(row, FeedbackState.ASSIGNED, by=by), "assignee": actors.name_of(by)}
        if steps.state and steps.state != FeedbackState.SNOOZED:
            values |= moved(row, steps.state, by=by)
        if steps.severity:
            values |= {"severity": steps.severity, "due_at": rules.due_at(steps.severity, given_at=row.given_at)}
        if steps.labels:
            values["labels"] = _with(row, map(label_of, steps.labels))
        if steps.reason:
            values["reason"] = steps.reason[:200]
        return values

    rows = change(keys, wanted, by=by, at=at, seen=seen)
    if steps.note:
        note(feedback_ids=keys, text=steps.note, by=by, at=at)
    return rows


def duplicates(row: Feedback) -> list[Feedback]:
    """What others said of the same message, or with the same words in the same thread, and nobody has settled yet."""
    same = Q(message_id=row.message_id)
    if row.comment.strip():
        same |= Q(comment=row.comment)
    found = Feedback.objects.filter(same, thread_id=row.thread_id, state__in=UNSETTLED).exclude(pk=row.pk)
    if row.rating:
        found = found.filter(rating__in=["", row.rating])
    return list(found.order_by("given_at", "pk")[:MOST_DUPLICATES])


@transaction.atomic
def merge(*, feedback_id: UUID, by: Any, at: datetime) -> list[Feedback]:
    """Make the duplicates of a feedback point at it; they need no work of their own any more.

    Raises:
        Forbidden.
        NotFound: it is not here.
        InvalidInput: it has no duplicates.
        Conflict: it is a duplicate itself, or somebody changed one of them at the same moment.
    """
    permissions.require(by, "ai.change_feedback")
    found: Feedback | None = Feedback.objects.filter(pk=feedback_id).first()
    if found is None:
        raise NotFound
    # Two merges in one thread come one after the other: each would else put away what the other has left.
    same_thread = Feedback.objects.filter(thread_id=found.thread_id).order_by("pk").values_list("pk", flat=True)
    if feedback_id not in list(same_thread.select_for_update()):
        raise NotFound
    row: Feedback = Feedback.objects.get(pk=feedback_id)
    if row.duplicate_of and row.state == FeedbackState.DISMISSED:
        raise Conflict("It is a duplicate of another one itself: open that, or reopen this.")
    keys = [each.pk for each in duplicates(row)]
    if not keys:
        raise InvalidInput("Nothing else says the same of this message or thread.")
    values = {
        "state": FeedbackState.DISMISSED, "duplicate_of": row.pk, "reason": "Duplicate", "snoozed_until": None,
    }  # fmt: skip
    return change(keys, lambda each: values, by=by, at=at)


def wake(*, at: datetime, most: int = 200) -> int:
    """Bring back what was snoozed until now; how many. A worker calls it, for every tenant."""
    due = Feedback.objects.filter(state=FeedbackState.SNOOZED, snoozed_until__lte=at)
    keys = list(due.order_by("snoozed_until", "pk").values_list("pk", flat=True)[:most])

    def wanted(row: Feedback) -> Json:
        if row.state != FeedbackState.SNOOZED or row.snoozed_until is None or row.snoozed_until > at:
            return {}
        state = FeedbackState.ASSIGNED if row.assignee else FeedbackState.TRIAGED
        return {"state": state, "snoozed_until": None}

    return sum(_wakes(key, wanted, at=at) for key in keys)


def _wakes(key: UUID, wanted: Callable[[Feedback], Json], *, at: datetime) -> bool:
    """Whether it is back; another worker, or a person, may be quicker. Who waits for it is told."""
    try:
        with transaction.atomic():
            before = Feedback.objects.filter(pk=key).values_list("version", flat=True).first()
            row = change([key], wanted, by=actors.SYSTEM, at=at)[0]
            if row.version != before:
                _tell("snooze", row, [row.assignee or _who_snoozed(row)], "Feedback is back", by=actors.SYSTEM, at=at)
    except (Conflict, NotFound):
        return False
    return True


def _who_snoozed(row: Feedback) -> str:
    changes = FeedbackEvent.objects.of(row.pk).filter(kind=EventKind.CHANGE)[:20]
    return next((each.by for each in changes if each.after.get("state") == FeedbackState.SNOOZED), "")
