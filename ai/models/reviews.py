"""Review queues, their rubrics, and the one answer that counts for each item."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, models, transaction
from django.db.models import Q

from ai.exceptions import Conflict
from ai.models.base import TenantManager, TenantRecord
from ai.stores.rubrics import Rubric

MOST_REVIEWS = 10


class ReviewUnit(models.TextChoices):
    """What one review is about."""

    THREAD = "thread", "A whole thread"
    MESSAGE = "message", "One message"
    RUN = "run", "One run"
    REPLAY = "replay", "A replay beside its original"


class QueueState(models.TextChoices):
    """Whether a queue gives out work."""

    OPEN = "open", "Open"
    PAUSED = "paused", "Paused"
    CLOSED = "closed", "Closed"


class ReviewQueueManager(TenantManager):
    """The only writer of `ai_review_queue`."""

    def make(self, queue: ReviewQueue, rubric: Rubric) -> ReviewQueue:
        """Write a new queue with the first version of its rubric."""
        with transaction.atomic():
            queue.save(force_insert=True)
            ReviewRubric.objects.write(queue, rubric, version=1)
        return queue

    def locked(self, queue_id: UUID) -> ReviewQueue:
        """The queue, held until the transaction ends: whoever fills it counts on from its last item."""
        queue: ReviewQueue = self.select_for_update().get(pk=queue_id)
        return queue

    def move(self, queue_id: UUID, *, state: str, was: str, at: datetime) -> bool:
        """Open, pause or close the queue; False when it is not as it was."""
        return bool(self.filter(pk=queue_id, state=was).exclude(state=state).update(state=state, modified=at))


class ReviewQueue(TenantRecord):
    """Things to review, how often each, and by which rubric."""

    name = models.CharField(max_length=200)
    instructions = models.TextField(default="", blank=True, help_text="What reviewers read first; Markdown.")
    unit = models.CharField(max_length=16, choices=ReviewUnit)
    reviews_per_item = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=16, choices=QueueState, default=QueueState.OPEN)
    reservation_minutes = models.PositiveIntegerField(default=30)
    source = models.JSONField(default=dict, editable=False)
    population = models.PositiveIntegerField(null=True, editable=False)
    made_by = models.CharField(max_length=255, default="", editable=False)

    objects: ClassVar[ReviewQueueManager] = ReviewQueueManager()

    class Meta:
        db_table = "ai_review_queue"
        ordering = ("-created", "-id")
        permissions = (
            ("review_reviewqueue", "Can review"),
            ("adjudicate_reviewqueue", "Can decide where reviewers disagree"),
        )
        indexes = (
            models.Index(fields=["-created", "-id"], name="ai_review_queue_latest"),
            models.Index(fields=["tenant_id", "-created", "-id"], name="ai_review_queue_tenant_latest"),
        )
        constraints = (
            models.UniqueConstraint(fields=["tenant_id", "name"], name="ai_review_queue_name_once"),
            models.CheckConstraint(
                name="ai_review_queue_reviews", condition=Q(reviews_per_item__gte=1, reviews_per_item__lte=MOST_REVIEWS)
            ),
        )

    def __str__(self) -> str:
        return self.name


class ReviewRubricManager(TenantManager):
    """The only writer of `ai_review_rubric`."""

    def current(self, queue_id: UUID) -> ReviewRubric:
        """The newest version."""
        found: ReviewRubric = self.filter(queue_id=queue_id).latest("version")
        return found

    def write(self, queue: ReviewQueue, rubric: Rubric, *, version: int) -> ReviewRubric:
        """Write a version.

        Raises:
            Conflict: somebody else wrote it first.
        """
        row = ReviewRubric(tenant_id=queue.tenant_id, queue_id=queue.pk, version=version, questions=rubric.to_json())
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            raise Conflict("Somebody else has changed the rubric meanwhile; reload and look again.") from None
        return row

    def change(self, row: ReviewRubric, rubric: Rubric, *, at: datetime) -> bool:
        """Change a version by which nobody has answered yet; False when somebody has."""
        free = self.filter(pk=row.pk, frozen_at__isnull=True)
        return bool(free.update(questions=rubric.to_json(), modified=at))

    def freeze(self, queue_id: UUID, *, version: int, at: datetime) -> Rubric:
        """The version as it is from now on. The row stays locked until the transaction ends."""
        mine = self.filter(queue_id=queue_id, version=version)
        mine.filter(frozen_at__isnull=True).update(frozen_at=at)
        return Rubric.from_json(mine.values_list("questions", flat=True).get())


class ReviewRubric(TenantRecord):
    """A version of a queue's rubric. Once somebody has answered by it, it stays as it is."""

    queue_id = models.UUIDField()
    version = models.PositiveIntegerField()
    questions = models.JSONField(default=list)
    frozen_at = models.DateTimeField(null=True)

    objects: ClassVar[ReviewRubricManager] = ReviewRubricManager()

    class Meta:
        db_table = "ai_review_rubric"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["queue_id", "version"], name="ai_review_rubric_once"),)

    def __str__(self) -> str:
        return f"Version {self.version}"

    @property
    def rubric(self) -> Rubric:
        """The questions."""
        return Rubric.from_json(self.questions)


class ReviewVerdictManager(TenantManager):
    """The only writer of `ai_review_verdict`."""

    def give(self, verdict: ReviewVerdict) -> ReviewVerdict:
        """Write the answer that counts.

        Raises:
            Conflict: the item has one.
        """
        try:
            with transaction.atomic():
                verdict.save(force_insert=True)
        except IntegrityError:
            raise Conflict("This item has been decided already; reload and look again.") from None
        return verdict

    def withdraw(self, item_id: UUID, *, decided_by: str) -> bool:
        """Take back a verdict of this kind or person; False when there is none."""
        return bool(self.filter(item_id=item_id, decided_by=decided_by).delete()[0])


#: The verdict of reviewers who all said the same.
AGREEMENT = "agreement"


class ReviewVerdict(TenantRecord):
    """The answers that count for an item: what all reviewers said, or what somebody decided where they differed."""

    item_id = models.UUIDField()
    queue_id = models.UUIDField()
    rubric_version = models.PositiveIntegerField()
    answers = models.JSONField(default=dict)
    decided_by = models.CharField(max_length=255)
    reason = models.TextField(default="", blank=True)

    objects: ClassVar[ReviewVerdictManager] = ReviewVerdictManager()

    class Meta:
        db_table = "ai_review_verdict"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["item_id"], name="ai_review_verdict_once"),)
        indexes = (models.Index(fields=["queue_id"], name="ai_review_verdict_queue"),)

    def __str__(self) -> str:
        return f"Decided by {self.decided_by}"

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON."""
        return {"answers": self.answers, "decided_by": self.decided_by, "reason": self.reason}
