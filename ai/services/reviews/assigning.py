"""Keeping reviews for people: what is assigned to somebody is offered to them first, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count, Q

from ai.exceptions import Conflict, InvalidInput, NotFound
from ai.models import ReviewEvent, ReviewItem, ReviewQueue, ReviewSlot, TenantMembership
from ai.models.notifications import Kind
from ai.models.review_events import ReviewEventKind
from ai.services import actors, audit, notifications, permissions
from ai.services.reviews import history, queues

REVIEW = "ai.review_reviewqueue"
MOST_PEOPLE = 200
#: So many at a time; they are kept as one thing to take back.
MOST_AT_ONCE = 500


def people(*, queue_id: UUID) -> list[Any]:
    """The people who may review in the queue's tenant, by name: one query, besides the queue's."""
    queue = queues.get(queue_id)
    able = get_user_model()._default_manager.with_perm(REVIEW, backend="django.contrib.auth.backends.ModelBackend")
    members = TenantMembership.objects.filter(tenant_id=str(queue.tenant_id)).values("user")
    here = able.filter(is_staff=True).filter(Q(is_superuser=True) | Q(pk__in=members))
    return list(here.order_by("username", "pk")[:MOST_PEOPLE])


def may_review(person: Any, *, tenant_id: UUID) -> bool:
    """Whether somebody may review in a tenant. Who has no account sees what their scope says."""
    if not (person.is_active and person.has_perm(REVIEW)):
        return False
    if isinstance(person, actors.Actor) or getattr(person, "is_superuser", False):
        return True
    return bool(TenantMembership.objects.filter(tenant_id=tenant_id, user=person).exists())


def person(*, queue_id: UUID, key: str) -> Any:
    """The person with this key, out of those who may review.

    Raises:
        InvalidInput: they may not.
    """
    found = next((each for each in people(queue_id=queue_id) if str(each.pk) == key), None)
    if found is None:
        raise InvalidInput("Choose somebody who may review in this tenant.", param="to")
    return found


def held(*, queue_id: UUID) -> dict[str, int]:
    """Of each reviewer, how many unanswered reviews are kept for them: one query."""
    kept = ReviewSlot.objects.filter(queue_id=queue_id, assigned_to__isnull=False, submitted_at__isnull=True)
    return dict(kept.order_by().values_list("assigned_to").annotate(count=Count("pk")))


def check(person: Any, *, tenant_id: UUID) -> None:
    """Let somebody pass who may review in the tenant.

    Raises:
        InvalidInput: they may not.
    """
    if not may_review(person, tenant_id=tenant_id):
        raise InvalidInput("Choose somebody who may review in this tenant.", param="to")


def _check_account(key: str, *, tenant_id: Any) -> None:
    """Let the account with this key pass if it may still review; who reviews without an account has no other key.

    Raises:
        InvalidInput: it may not, or is gone.
    """
    if not key.isdigit():
        return
    found = get_user_model()._default_manager.filter(pk=int(key)).first()
    if found is None:
        raise InvalidInput("The account of this reviewer is gone.", param="to")
    check(found, tenant_id=UUID(str(tenant_id)))


@transaction.atomic
def assign_next(*, queue_id: UUID, to: Any, count: int, by: Any, at: datetime) -> int:
    """Keep the next free reviews of the queue for somebody, one of each item; how many there were.

    Raises:
        Forbidden, NotFound.
        InvalidInput: they may not review there, or the number is out of range.
        Conflict: nothing is free for them.
    """
    permissions.require(by, "ai.change_reviewqueue")
    if not 1 <= count <= MOST_AT_ONCE:
        raise InvalidInput(f"Assign between 1 and {MOST_AT_ONCE} items at a time.", param="count")
    queue = queues.get(queue_id)
    keys: list[UUID] = []
    free = ReviewSlot.objects.assignable(queue_id, actors.id_of(to), at=at)
    for item_id in free.values_list("item_id", flat=True).iterator():
        if item_id not in keys[-1:]:
            keys.append(item_id)
        if len(keys) == count:
            break
    return _assign(queue, keys, to=to, by=by, at=at)


@transaction.atomic
def assign_items(*, queue_id: UUID, item_ids: Iterable[UUID], to: Any, by: Any, at: datetime) -> int:
    """Keep a free review of each of these items for somebody; of how many there was one.

    Raises:
        Forbidden, NotFound.
        InvalidInput: they may not review there, or these are too many.
        Conflict: none of them has a review that is free for them.
    """
    permissions.require(by, "ai.change_reviewqueue")
    return _assign(queues.get(queue_id), _known(queue_id, item_ids), to=to, by=by, at=at)


def _known(queue_id: UUID, item_ids: Iterable[UUID]) -> list[UUID]:
    keys = list(dict.fromkeys(item_ids))
    if not 0 < len(keys) <= MOST_AT_ONCE:
        raise InvalidInput(f"Choose between 1 and {MOST_AT_ONCE} items.", param="items")
    rows = ReviewItem.objects.filter(queue_id=queue_id, pk__in=keys).order_by("position")
    found = list(rows.values_list("pk", flat=True))
    if not found:
        raise NotFound("There are no such items in this queue.")
    return found


def _assign(queue: ReviewQueue, item_ids: Sequence[UUID], *, to: Any, by: Any, at: datetime) -> int:
    check(to, tenant_id=UUID(str(queue.tenant_id)))
    whose = actors.id_of(to)
    kept = ReviewSlot.objects.assign(queue.pk, whose, at=at, items=item_ids)
    if not kept:
        raise Conflict(f"No review of these is free for {actors.name_of(to)}.")
    _note(ReviewEventKind.ASSIGNED, queue, [slot.pk for slot in kept], whose, actors.name_of(to), by=by, at=at)
    count = f"{len(kept):,} item{'s' if len(kept) > 1 else ''}"
    notifications.tell(
        Kind.REVIEW, to=[to], key=f"review:{kept[0].pk}:{at.isoformat()}", by=by, at=at, tenant_id=queue.tenant_id,
        title=f"{actors.name_of(by)} assigns {count} of “{queue.name}” to you", target=queue,
    )  # fmt: skip
    return len(kept)


def _note(kind: str, queue: ReviewQueue, slots: list[UUID], whose: str, name: str, *, by: Any, at: datetime) -> None:
    after = {"to": whose, "name": name, "slots": [str(key) for key in slots]}
    history.note(kind, queue=queue, by=by, at=at, after=after)
    audit.record(f"review_queue.{kind}", target=queue, by=by, at=at, to=name, items=len(slots))


@transaction.atomic
def unassign(*, queue_id: UUID, of: str, by: Any, at: datetime, item_ids: Iterable[UUID] | None = None) -> int:
    """Keep reviews for somebody no more, all or those of some items; what they are reviewing stays theirs. How many there were.

    `MOST_AT_ONCE` go at a time.

    Args:
        of: the reviewer's id.

    Raises:
        Forbidden, NotFound, InvalidInput.
        Conflict: nothing is kept for them that they have not taken.
    """
    permissions.require(by, "ai.change_reviewqueue")
    queue = queues.get(queue_id)
    rows = ReviewSlot.objects.begun_by_nobody(of, at=at).filter(queue_id=queue_id)
    if item_ids is not None:
        rows = rows.filter(item_id__in=_known(queue_id, item_ids))
    keys = list(rows.order_by("position", "number").values_list("pk", flat=True)[:MOST_AT_ONCE])
    freed = ReviewSlot.objects.unassign(keys, of, at=at)
    if not freed:
        raise Conflict(f"Nothing is kept for {history.name_of(of)} that they have not begun.")
    _note(ReviewEventKind.UNASSIGNED, queue, freed, of, history.name_of(of), by=by, at=at)
    return len(freed)


def undo_assigned(*, event: ReviewEvent, by: Any, at: datetime) -> str:
    """Free again what an event assigned, apart from what its reviewer has taken since; in words.

    Raises:
        Forbidden.
        Conflict: all of it was taken or freed since; by whom, and when.
    """
    permissions.require(by, "ai.change_reviewqueue")
    keys, whose = [UUID(key) for key in event.after["slots"]], event.after["to"]
    freed = ReviewSlot.objects.unassign(keys, whose, at=at)
    if not freed:
        raise Conflict(f"The assignment cannot be taken back any more. {_why(event, keys)}")
    _note(ReviewEventKind.UNASSIGNED, queues.get(event.queue_id), freed, whose, event.after["name"], by=by, at=at)
    return _counted("unassigned", freed, keys, event)


def undo_unassigned(*, event: ReviewEvent, by: Any, at: datetime) -> str:
    """Keep again what an event freed, apart from what somebody has taken since; in words.

    Raises:
        Forbidden.
        InvalidInput: the reviewer may not review any more.
        Conflict: all of it was taken or assigned since (by whom, and when), or its reviewer has answered or skipped it.
    """
    permissions.require(by, "ai.change_reviewqueue")
    keys, whose = [UUID(key) for key in event.after["slots"]], event.after["to"]
    _check_account(whose, tenant_id=event.tenant_id)
    kept = [slot.pk for slot in ReviewSlot.objects.assign(event.queue_id, whose, at=at, slots=keys)]
    if not kept:
        raise Conflict(f"The assignment cannot be restored any more. {_why(event, keys)}")
    _note(ReviewEventKind.ASSIGNED, queues.get(event.queue_id), kept, whose, event.after["name"], by=by, at=at)
    return _counted("assigned", kept, keys, event)


def _counted(word: str, done: Sequence[UUID], keys: Sequence[UUID], event: ReviewEvent) -> str:
    words = f"{len(done):,} item{'s' * (len(done) != 1)} {word} again."
    return words if len(done) == len(keys) else f"{words} {len(keys) - len(done):,} stayed: {_why(event, keys)}"


def _why(event: ReviewEvent, keys: Sequence[UUID]) -> str:
    """Who has taken or changed one of these reviews since, and when."""
    taken = ReviewSlot.objects.filter(pk__in=keys, reviewer__isnull=False).order_by("-modified", "pk").first()
    if taken is None:
        return history.since(event)
    verb = "answered" if taken.submitted_at else "took"
    return f"{history.name_of(taken.reviewer)} {verb} #{taken.position + 1} at {history.at_words(taken.submitted_at or taken.modified)}."
