"""Judges: a language model that answers a queue's rubric beside people, and what it answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, models, transaction
from django.db.models import Q

from ai.exceptions import Conflict
from ai.models.base import TenantManager, TenantRecord

#: From this κ on a judge is trusted, where nothing else is said: "substantial" begins there (Landis and Koch, 1977).
THRESHOLD = 0.6
#: With fewer items that people have answered too, κ says little.
LEAST_ITEMS = 20


class ReviewJudgeManager(TenantManager):
    """The only writer of `ai_review_judge`."""

    def current(self, queue_id: UUID) -> ReviewJudge | None:
        """The newest version of the queue's judge; None where it has none."""
        found: ReviewJudge | None = self.filter(queue_id=queue_id).order_by("-version").first()
        return found

    def write(self, judge: ReviewJudge) -> ReviewJudge:
        """Write a version.

        Raises:
            Conflict: somebody else wrote it first.
        """
        try:
            with transaction.atomic():
                judge.save(force_insert=True)
        except IntegrityError:
            raise Conflict("Somebody else has changed the judge meanwhile; reload and look again.") from None
        return judge

    def change(self, judge: ReviewJudge, *, at: datetime, **values: Any) -> bool:
        """Change the prompt or the model of a version that has not begun to answer; False when it has."""
        free = self.filter(pk=judge.pk, frozen_at__isnull=True)
        return bool(free.update(**values, modified=at))

    def demand(self, judge: ReviewJudge, *, threshold: float, least_items: int, at: datetime) -> bool:
        """Say when a version is trusted, which may change at any time; False when that is said already."""
        other = self.filter(pk=judge.pk).exclude(threshold=threshold, least_items=least_items)
        return bool(other.update(threshold=threshold, least_items=least_items, modified=at))

    def freeze(self, judge: ReviewJudge, *, rubric_version: int, at: datetime) -> bool:
        """Say that a version begins to answer this version of the rubric; False when it answers another one already."""
        self.filter(pk=judge.pk, frozen_at__isnull=True).update(
            frozen_at=at, rubric_version=rubric_version, modified=at
        )
        return bool(self.filter(pk=judge.pk, rubric_version=rubric_version).exists())


class ReviewJudge(TenantRecord):
    """A version of a queue's judge. Once it begins to answer, its prompt, its model and what it is asked stay as they are."""

    queue_id = models.UUIDField()
    version = models.PositiveIntegerField()
    prompt = models.TextField(default="", blank=True)
    model = models.CharField(max_length=255)
    threshold = models.FloatField(default=THRESHOLD)
    least_items = models.PositiveIntegerField(default=LEAST_ITEMS)
    rubric_version = models.PositiveIntegerField(null=True)
    frozen_at = models.DateTimeField(null=True)
    made_by = models.CharField(max_length=255, default="")

    objects: ClassVar[ReviewJudgeManager] = ReviewJudgeManager()

    class Meta:
        db_table = "ai_review_judge"
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["queue_id", "version"], name="ai_review_judge_once"),
            models.CheckConstraint(
                name="ai_review_judge_threshold", condition=Q(threshold__gte=0, threshold__lte=1, least_items__gte=1)
            ),
            models.CheckConstraint(
                name="ai_review_judge_frozen_with_rubric",
                condition=Q(frozen_at__isnull=True, rubric_version__isnull=True)
                | Q(frozen_at__isnull=False, rubric_version__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.model}, version {self.version}"


class ReviewJudgementManager(TenantManager):
    """The only writer of `ai_review_judgement`."""

    def given(self, queue_id: UUID, version: int) -> models.QuerySet[ReviewJudgement]:
        """What a version has answered, without what failed."""
        found: models.QuerySet[ReviewJudgement] = self.filter(
            queue_id=queue_id, judge_version=version, answers__isnull=False
        )
        return found

    def keep(self, row: ReviewJudgement, *, at: datetime) -> bool:
        """Keep an answer, or why there is none. A failure makes way for what comes after it, an answer for nothing.

        False when the version has answered the item already.
        """
        if self._written(row):
            return True
        values = ("answers", "reason", "error", "input_tokens", "output_tokens", "cost")
        failed = self.filter(item_id=row.item_id, judge_version=row.judge_version, answers__isnull=True)
        return bool(failed.update(**{name: getattr(row, name) for name in values}, modified=at))

    def _written(self, row: ReviewJudgement) -> bool:
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            if not self.filter(item_id=row.item_id, judge_version=row.judge_version).exists():
                raise
            return False
        return True


class ReviewJudgement(TenantRecord):
    """What one version of a judge answered about one item, or why it has no answer."""

    queue_id = models.UUIDField()
    item_id = models.UUIDField()
    judge_version = models.PositiveIntegerField()
    rubric_version = models.PositiveIntegerField()
    answers = models.JSONField(null=True)
    reason = models.TextField(default="", blank=True)
    error = models.TextField(default="", blank=True)
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cost = models.DecimalField(max_digits=14, decimal_places=8, null=True)

    objects: ClassVar[ReviewJudgementManager] = ReviewJudgementManager()

    class Meta:
        db_table = "ai_review_judgement"
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["item_id", "judge_version"], name="ai_review_judgement_once"),
            models.CheckConstraint(
                name="ai_review_judgement_answer_or_error",
                condition=Q(answers__isnull=False, error="") | (Q(answers__isnull=True) & ~Q(error="")),
            ),
        )
        indexes = (models.Index(fields=["queue_id", "judge_version"], name="ai_review_judgement_version"),)

    def __str__(self) -> str:
        return f"Answer of version {self.judge_version}"
