"""Items of review queues, and the slots in which people answer: one for each review that an item needs.

A slot is reserved by one conditional UPDATE. What was reserved and not answered in time is free again by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, connection, models, transaction
from django.db.models import F, Q

from ai.models.base import TenantManager, TenantRecord

#: How often somebody tries when others are quicker.
ATTEMPTS = 20


class ItemState(models.TextChoices):
    """Where an item stands."""

    OPEN = "open", "Reviews are missing"
    AGREED = "agreed", "Reviewers agree"
    DISPUTED = "disputed", "Reviewers disagree"
    DECIDED = "decided", "Decided"
    GONE = "gone", "Deleted meanwhile"


class ReviewItemManager(TenantManager):
    """The only writer of `ai_review_item`."""

    def add(self, items: Iterable[ReviewItem], *, slots: int) -> int:
        """Write new items with so many slots each; those that the queue has already are passed over."""
        rows = list(items)
        if not rows:
            return 0
        with transaction.atomic():
            known = set(self.filter(queue_id=rows[0].queue_id).values_list("object_id", flat=True))
            fresh = [row for row in rows if row.object_id not in known]
            self.bulk_create(fresh, batch_size=500)
            ReviewSlot.objects.bulk_create(
                (
                    ReviewSlot(
                        tenant_id=item.tenant_id,
                        queue_id=item.queue_id,
                        item_id=item.pk,
                        position=item.position,
                        number=number,
                    )
                    for item in fresh
                    for number in range(slots)
                ),
                batch_size=500,
            )
        return len(fresh)

    def locked(self, item_id: UUID) -> ReviewItem:
        """The item, held until the transaction ends."""
        item: ReviewItem = self.select_for_update().get(pk=item_id)
        return item

    def move(self, item_id: UUID, *, state: str, at: datetime) -> None:
        """Say where the item stands."""
        self.filter(pk=item_id).update(state=state, modified=at)

    def drop(self, item_id: UUID, *, at: datetime) -> None:
        """Say that what the item is about is gone: nobody reviews it any more, and answers so far stay."""
        with transaction.atomic():
            ReviewSlot.objects.filter(item_id=item_id, submitted_at__isnull=True).delete()
            self.move(item_id, state=ItemState.GONE, at=at)


class ReviewItem(TenantRecord):
    """One thing to review."""

    queue_id = models.UUIDField()
    object_id = models.UUIDField()
    thread_id = models.UUIDField()
    position = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=ItemState, default=ItemState.OPEN)

    objects: ClassVar[ReviewItemManager] = ReviewItemManager()

    class Meta:
        db_table = "ai_review_item"
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["queue_id", "object_id"], name="ai_review_item_once"),
            models.UniqueConstraint(fields=["queue_id", "position"], name="ai_review_item_position"),
        )
        indexes = (models.Index(fields=["queue_id", "state", "position"], name="ai_review_item_state"),)

    def __str__(self) -> str:
        return f"Item {self.position + 1}"


class ReviewSlotManager(TenantManager):
    """The only writer of `ai_review_slot`."""

    def held(self, queue_id: UUID, reviewer: str, *, at: datetime) -> ReviewSlot | None:
        """What the reviewer has reserved and not answered."""
        mine = self.filter(queue_id=queue_id, reviewer=reviewer, submitted_at__isnull=True, reserved_until__gte=at)
        found: ReviewSlot | None = mine.order_by("position", "number").first()
        return found

    def free_for(self, queue_id: UUID, reviewer: str, *, at: datetime) -> Any:
        """Slots that the reviewer may reserve, in their order: of items that they have neither answered nor passed over."""
        mine = self.filter(queue_id=queue_id, reviewer=reviewer).values("item_id")
        passed = ReviewPass.objects.filter(queue_id=queue_id, reviewer=reviewer).values("item_id")
        free = self.filter(queue_id=queue_id, submitted_at__isnull=True)
        free = free.filter(Q(reviewer__isnull=True) | Q(reserved_until__lt=at))
        free = free.filter(Q(assigned_to__isnull=True) | Q(assigned_to=reviewer))
        return free.exclude(item_id__in=mine).exclude(item_id__in=passed).order_by("position", "number")

    def reserve(self, queue_id: UUID, reviewer: str, *, at: datetime, minutes: int) -> ReviewSlot | None:
        """The slot that the reviewer holds, or else the next free one, reserved for them; None when none is left."""
        until = at + timedelta(minutes=minutes)
        with transaction.atomic():
            self._one_at_a_time(queue_id, reviewer)
            held = self.held(queue_id, reviewer, at=at)
            return held if held is not None else self._next(queue_id, reviewer, at=at, until=until)

    def _one_at_a_time(self, queue_id: UUID, reviewer: str) -> None:
        """Let other requests of the same reviewer wait until the transaction ends, or each would reserve something."""
        if connection.vendor == "postgresql":  # SQLite has one writer at a time
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{queue_id}:{reviewer}"])

    def _next(self, queue_id: UUID, reviewer: str, *, at: datetime, until: datetime) -> ReviewSlot | None:
        # What ran out is anybody's, and the reviewer's own to take again.
        mine = self.filter(queue_id=queue_id, reviewer=reviewer, submitted_at__isnull=True)
        mine.filter(reserved_until__lt=at).update(reviewer=None, reserved_until=None)
        has_kept = self.filter(queue_id=queue_id, assigned_to=reviewer, submitted_at__isnull=True).exists()
        for _ in range(ATTEMPTS):
            # Where rows can be locked, others look past this one; elsewhere the database has one writer at a time.
            found = self._first(queue_id, reviewer, at=at, has_kept=has_kept)
            if found is None:
                return None
            if self._take(found, reviewer, at=at, until=until):
                taken: ReviewSlot = found
                taken.reviewer, taken.reserved_until = reviewer, until
                return taken
        return None

    def _first(self, queue_id: UUID, reviewer: str, *, at: datetime, has_kept: bool) -> ReviewSlot | None:
        """What is kept for the reviewer comes first, as far as they have not passed it over."""
        free = self.free_for(queue_id, reviewer, at=at).select_for_update(skip_locked=True)
        found: ReviewSlot | None = (has_kept and free.filter(assigned_to=reviewer).first()) or free.first()
        return found

    def _take(self, slot: ReviewSlot, reviewer: str, *, at: datetime, until: datetime) -> bool:
        free = self.filter(pk=slot.pk, submitted_at__isnull=True)
        free = free.filter(Q(reviewer__isnull=True) | Q(reserved_until__lt=at))
        try:
            with transaction.atomic():
                return bool(free.update(reviewer=reviewer, reserved_until=until, draft={}, modified=at))
        except IntegrityError:  # a second request of the same reviewer was quicker
            return False

    def extend(self, slot: ReviewSlot, reviewer: str, *, draft: dict[str, Any], until: datetime, at: datetime) -> bool:
        """Keep a draft and the reservation; False when the slot is no longer the reviewer's."""
        mine = self.filter(pk=slot.pk, reviewer=reviewer, submitted_at__isnull=True)
        return bool(mine.update(draft=draft, reserved_until=until, modified=at))

    def release(self, slot: ReviewSlot, reviewer: str, *, at: datetime) -> bool:
        """Put a reserved slot back; False when it is no longer the reviewer's."""
        mine = self.filter(pk=slot.pk, reviewer=reviewer, submitted_at__isnull=True)
        return bool(mine.update(reviewer=None, reserved_until=None, draft={}, modified=at))

    def submit(self, slot: ReviewSlot, reviewer: str, *, answers: dict[str, Any], version: int, at: datetime) -> bool:
        """Keep the reviewer's answers; False when the slot is no longer theirs, or answered."""
        mine = self.filter(pk=slot.pk, reviewer=reviewer, submitted_at__isnull=True)
        values = {"answers": answers, "rubric_version": version, "submitted_at": at, "reserved_until": None}
        return bool(mine.update(**values, draft={}, modified=at))

    def reopen(self, slot: ReviewSlot, reviewer: str, *, submitted_at: datetime, until: datetime, at: datetime) -> bool:
        """Take answers back into a draft; False when they have been changed since `submitted_at`, or stay as they are."""
        mine = self.filter(pk=slot.pk, reviewer=reviewer, submitted_at=submitted_at, final_at__isnull=True)
        return bool(mine.update(submitted_at=None, reserved_until=until, draft=F("answers"), answers=None, modified=at))

    def assign(
        self, queue_id: UUID, reviewer: str, *, at: datetime, items: Sequence[UUID] = (), slots: Sequence[UUID] = ()
    ) -> list[ReviewSlot]:
        """Keep a free slot of each of these items for somebody, or these slots, as far as `assignable` has them.

        A fixed number of statements. What others are changing at this moment is passed over.
        """
        wanted = self.filter(Q(item_id__in=items) | Q(pk__in=slots))
        with transaction.atomic():
            self._one_at_a_time(queue_id, reviewer)
            # Two leads who assign the same items wait for each other, so that nobody gets an item twice.
            list(ReviewItem.objects.filter(pk__in=wanted.values("item_id")).order_by("pk").select_for_update())
            free = self.assignable(queue_id, reviewer, at=at).filter(pk__in=wanted.values("pk"))
            first: dict[UUID, ReviewSlot] = {}
            for slot in free.select_for_update(skip_locked=True):
                first.setdefault(slot.item_id, slot)
            keys = [slot.pk for slot in first.values()]
            kept: dict[str, Any] = {"assigned_to": reviewer, "reviewer": None, "reserved_until": None, "draft": {}}
            self._nobodys(self.filter(pk__in=keys), at=at).update(**kept, modified=at)
            return list(self.filter(pk__in=keys, assigned_to=reviewer).order_by("position", "number"))

    def assignable(self, queue_id: UUID, reviewer: str, *, at: datetime) -> Any:
        """Slots that may be kept for somebody, in their order: nobody has them, and they have none of that item.

        They have not passed that item over either.
        """
        queue = self.filter(queue_id=queue_id)
        theirs = queue.filter(reviewer=reviewer).exclude(submitted_at__isnull=True, reserved_until__lt=at)
        kept = queue.filter(assigned_to=reviewer).values("item_id")
        passed = ReviewPass.objects.filter(queue_id=queue_id, reviewer=reviewer).values("item_id")
        free = self._nobodys(queue, at=at).exclude(item_id__in=theirs.values("item_id"))
        return free.exclude(item_id__in=kept).exclude(item_id__in=passed).order_by("position", "number")

    def _nobodys(self, rows: Any, *, at: datetime) -> Any:
        """Those that are kept for nobody, and that nobody has: what was reserved until a time that is over, nobody has."""
        free = rows.filter(submitted_at__isnull=True, assigned_to__isnull=True)
        return free.filter(Q(reviewer__isnull=True) | Q(reserved_until__lt=at))

    def unassign(self, slots: Sequence[UUID], reviewer: str, *, at: datetime) -> list[UUID]:
        """Keep slots for somebody no more; those that were, and that they have not taken: a fixed number of statements."""
        with transaction.atomic():
            kept = self.begun_by_nobody(reviewer, at=at).filter(pk__in=slots).order_by("pk").select_for_update()
            freed = list(kept.values_list("pk", flat=True))
            free: dict[str, Any] = {"assigned_to": None, "reviewer": None, "reserved_until": None, "draft": {}}
            self.filter(pk__in=freed).update(**free, modified=at)
        return freed

    def begun_by_nobody(self, reviewer: str, *, at: datetime) -> Any:
        """What is kept for somebody who has not taken it, or whose reservation ran out."""
        kept = self.filter(assigned_to=reviewer, submitted_at__isnull=True)
        return kept.filter(Q(reviewer__isnull=True) | Q(reserved_until__lt=at))

    def forgo(self, item_id: UUID, reviewer: str, *, at: datetime) -> UUID | None:
        """Keep the slot of the item for somebody no more who does not want it; which one that was."""
        kept = self.filter(item_id=item_id, assigned_to=reviewer, reviewer__isnull=True, submitted_at__isnull=True)
        found: UUID | None = kept.values_list("pk", flat=True).first()
        return found if kept.update(assigned_to=None, modified=at) else None

    def hold(self, slot_id: UUID, reviewer: str, *, draft: dict[str, Any], until: datetime, at: datetime) -> bool:
        """Give a slot that nobody has taken to a reviewer, with a draft; False when somebody has, or it is kept for others."""
        free = self.filter(pk=slot_id, submitted_at__isnull=True).filter(
            Q(reviewer__isnull=True) | Q(reserved_until__lt=at)
        )
        free = free.filter(Q(assigned_to__isnull=True) | Q(assigned_to=reviewer))
        try:
            with transaction.atomic():
                return bool(free.update(reviewer=reviewer, reserved_until=until, draft=draft, modified=at))
        except IntegrityError:  # they have another review of the item
            return False

    def restore(
        self, slot_id: UUID, reviewer: str, *, answers: Any, version: int, submitted_at: datetime, at: datetime
    ) -> bool:
        """Let an answer that was taken back count again; False when others have the slot, it is kept for them, or it is answered anew."""
        free = self.filter(pk=slot_id, submitted_at__isnull=True)
        free = free.filter(Q(reviewer=reviewer) | Q(reviewer__isnull=True) | Q(reserved_until__lt=at))
        free = free.filter(Q(assigned_to__isnull=True) | Q(assigned_to=reviewer))
        values = {"answers": answers, "rubric_version": version, "submitted_at": submitted_at, "reserved_until": None}
        try:
            with transaction.atomic():
                return bool(free.update(reviewer=reviewer, **values, draft={}, modified=at))
        except IntegrityError:  # they have another review of the item
            return False

    def make_final(self, queue_id: UUID, reviewer: str, *, at: datetime) -> int:
        """Let the reviewer's answers that all others agree with stay as they are; how many were not so before."""
        agreed = ReviewItem.objects.filter(queue_id=queue_id, state=ItemState.AGREED).values("pk")
        mine = self.filter(queue_id=queue_id, reviewer=reviewer, submitted_at__isnull=False, final_at__isnull=True)
        return int(mine.filter(item_id__in=agreed).update(final_at=at, modified=at))

    def answered(self, item_id: UUID) -> Any:
        """The slots of an item that have answers."""
        return self.filter(item_id=item_id, submitted_at__isnull=False).order_by("submitted_at", "pk")


class ReviewSlot(TenantRecord):
    """One review of one item: free, reserved until a time, or answered; nobody takes it back any more since `final_at`."""

    queue_id = models.UUIDField()
    item_id = models.UUIDField()
    position = models.PositiveIntegerField()
    number = models.PositiveSmallIntegerField()
    assigned_to = models.CharField(max_length=255, null=True, blank=True)
    reviewer = models.CharField(max_length=255, null=True, blank=True)
    reserved_until = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField(null=True)
    final_at = models.DateTimeField(null=True)
    rubric_version = models.PositiveIntegerField(null=True)
    answers = models.JSONField(null=True)
    draft = models.JSONField(default=dict)

    objects: ClassVar[ReviewSlotManager] = ReviewSlotManager()

    class Meta:
        db_table = "ai_review_slot"
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["item_id", "number"], name="ai_review_slot_once"),
            models.UniqueConstraint(
                fields=["item_id", "reviewer"],
                name="ai_review_slot_one_each",
                condition=Q(reviewer__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["item_id", "assigned_to"],
                name="ai_review_slot_kept_once",
                condition=Q(assigned_to__isnull=False),
            ),
            models.CheckConstraint(
                name="ai_review_slot_answered_by_somebody",
                condition=Q(submitted_at__isnull=True) | Q(reviewer__isnull=False, answers__isnull=False),
            ),
            models.CheckConstraint(
                name="ai_review_slot_final_is_answered",
                condition=Q(final_at__isnull=True) | Q(submitted_at__isnull=False),
            ),
        )
        indexes = (
            models.Index(
                fields=["queue_id", "position", "number"],
                name="ai_review_slot_free",
                condition=Q(submitted_at__isnull=True),
            ),
            models.Index(fields=["queue_id", "reviewer", "-submitted_at"], name="ai_review_slot_reviewer"),
            models.Index(
                fields=["queue_id", "assigned_to"], name="ai_review_slot_kept", condition=Q(assigned_to__isnull=False)
            ),
        )

    def __str__(self) -> str:
        return f"Review {self.number + 1} of item {self.position + 1}"


class ReviewPassManager(TenantManager):
    """The only writer of `ai_review_pass`."""

    def note(self, row: ReviewPass) -> None:
        """Note that somebody passes an item over; a second time changes nothing."""
        self.bulk_create([row], ignore_conflicts=True)

    def forget(self, item_id: UUID, reviewer: str) -> bool:
        """Offer an item again; False when it was not passed over."""
        return bool(self.filter(item_id=item_id, reviewer=reviewer).delete()[0])


class ReviewPass(TenantRecord):
    """An item that a reviewer passed over, and is not offered again."""

    queue_id = models.UUIDField()
    item_id = models.UUIDField()
    reviewer = models.CharField(max_length=255)
    reason = models.TextField(default="", blank=True)

    objects: ClassVar[ReviewPassManager] = ReviewPassManager()

    class Meta:
        db_table = "ai_review_pass"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["item_id", "reviewer"], name="ai_review_pass_once"),)
        indexes = (models.Index(fields=["queue_id", "reviewer"], name="ai_review_pass_reviewer"),)

    def __str__(self) -> str:
        return self.reason or "Passed over"
