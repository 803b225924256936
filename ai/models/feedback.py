"""Feedback: what people think of an answer. One row a user and message; earlier values stay in its history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from ai import conf, ids
from ai.exceptions import NotFound
from ai.models.base import TenantManager, TenantRecord
from ai.models.threads import ChatThread
from ai.stores.serialization import clean_text, to_serializable


class Rating(models.TextChoices):
    """A thumb."""

    UP = "up", "Up"
    DOWN = "down", "Down"


class FeedbackState(models.TextChoices):
    """Where the triage of a feedback stands."""

    OPEN = "open", "New"
    TRIAGED = "triaged", "Triaged"
    ASSIGNED = "assigned", "Assigned"
    SNOOZED = "snoozed", "Snoozed"
    RESOLVED = "resolved", "Resolved"
    DISMISSED = "dismissed", "Won't fix"


#: What somebody has to do something about now.
TO_DO = (FeedbackState.OPEN, FeedbackState.TRIAGED, FeedbackState.ASSIGNED)


class Severity(models.IntegerChoices):
    """How bad it is."""

    UNKNOWN = 0, "Not set"
    CRITICAL = 1, "Critical"
    HIGH = 2, "High"
    MEDIUM = 3, "Medium"
    LOW = 4, "Low"


#: What triage changes, each by one conditional UPDATE, and an undo brings back.
TRIAGE = ("state", "severity", "reason", "labels", "assignee", "due_at", "snoozed_until", "duplicate_of", "fixed_by")


#: Words people's systems use for a thumb.
THUMBS = {
    **dict.fromkeys(["up", "positive", "good", "like", "thumbs_up", "thumbsup", "+1", "true"], Rating.UP),
    **dict.fromkeys(["down", "negative", "bad", "dislike", "thumbs_down", "thumbsdown", "-1", "false"], Rating.DOWN),
}

#: Scores go from 1 to 5; from 4 on is an up, to 2 a down.
GOOD_SCORE, BAD_SCORE = 4, 2


def read(feedback: Any) -> dict[str, Any]:
    """The fields `rating`, `score`, `comment`, `label` in whatever form a feedback comes."""
    given = to_serializable(feedback if _has_fields(feedback) else {"rating": feedback})
    rating, score = given.get("rating", given.get("feedback")), given.get("score")
    comment = given.get("comment", given.get("text")) or ""
    if isinstance(rating, int | float) and not isinstance(rating, bool) and rating not in (1, -1):
        rating, score = None, rating
    thumb = THUMBS.get(str(rating if rating != 1 else "+1").strip().lower().replace("-1.0", "-1"))
    if thumb is None and isinstance(rating, str) and not comment:
        comment = rating
    number = score if isinstance(score, int | float) and not isinstance(score, bool) else None
    if thumb is None and number is not None:
        thumb = Rating.UP if number >= GOOD_SCORE else Rating.DOWN if number <= BAD_SCORE else None
    return {
        "rating": thumb or "",
        "score": number,
        "comment": clean_text(str(comment)),
        "label": clean_text(str(given.get("label") or ""))[:100],
    }


def _has_fields(feedback: Any) -> bool:
    return not (feedback is None or isinstance(feedback, str | bool | int | float | list | tuple))


def _suggestions(comment: str, before: str, *, at: datetime) -> dict[str, Any]:
    """What becomes of a model's suggestions: other words wait for new ones, and no words for none."""
    if comment == before:
        return {}
    wanted = at if comment.strip() and conf.current().feedback_model else None
    return {"suggestions": None, "suggest_at": wanted, "suggest_tries": 0}


class FeedbackManager(TenantManager):
    """The only writer of `ai_feedback`."""

    def give(self, *, message: Any, feedback: Any, user_id: str, at: datetime | None = None) -> Feedback:
        """Keep the user's feedback on the message, an earlier one in the history.

        The caller holds the message's row, so that two of the same user's cannot both be first.
        """
        when = at or timezone.now()
        values = read(feedback)
        row: Feedback | None = self.filter(message_id=message.pk, user_id=user_id).first()
        if row is None:
            row = self.model(
                message_id=message.pk,
                thread_id=ids.parse(message.thread_id),
                tenant_id=message.tenant_id,
                user_id=user_id,
                created=when,
            )
        else:
            row.history = [*row.history, row.snapshot()]
        is_new = row._state.adding
        values |= _suggestions(values["comment"], "" if row._state.adding else row.comment, at=when)
        for name, value in values.items():
            setattr(row, name, value)
        row.given_at = when
        # Of a row that is here only what was said: somebody may be triaging it at this moment.
        row.save(update_fields=None if is_new else [*values, "given_at", "history", "modified"])
        self.recount(row.thread_id)
        return row

    def insert(self, rows: Iterable[Feedback]) -> None:
        """Write new rows, and count them for their threads."""
        kept = list(rows)
        with transaction.atomic():
            self.bulk_create(kept, batch_size=500)
            self.recount(*{row.thread_id for row in kept})

    def recount(self, *thread_ids: UUID) -> None:
        """Set the threads' `feedback` columns from their rows."""
        rated = self.filter(thread_id__in=thread_ids).exclude(rating="").values_list("thread_id", "rating").distinct()
        ratings: dict[UUID, set[str]] = {key: set() for key in thread_ids}
        for key, rating in rated:
            ratings[key].add(rating)
        threads: dict[str, list[UUID]] = defaultdict(list)
        for key, found in ratings.items():
            threads["mixed" if len(found) > 1 else next(iter(found), "")].append(key)
        for value, keys in threads.items():
            ChatThread.objects.filter(pk__in=keys).update(feedback=value)

    def move(self, feedback_id: UUID, *, state: str, by: str, at: datetime) -> Feedback:
        """Put the feedback into another state of triage."""
        with transaction.atomic():
            row: Feedback | None = self.select_for_update().filter(pk=feedback_id).first()
            if row is None:
                raise NotFound
            row.history = [*row.history, {"state": row.state, "at": at.isoformat(), "by": by}]
            row.state, row.version = FeedbackState(state), row.version + 1
            row.save(update_fields=["state", "version", "history", "modified"])
        return row

    def change(self, row: Feedback, values: dict[str, Any], *, by: str, at: datetime) -> bool:
        """Set some of `TRIAGE`, unless somebody was quicker; whether it was done.

        The row is as it was read, and has the new values afterwards.
        """
        kept = {**values, "version": row.version + 1, "modified": at}
        if values.get("state", row.state) != row.state:
            kept["history"] = [*row.history, {"state": row.state, "at": at.isoformat(), "by": by}]
        if not self.filter(pk=row.pk, version=row.version).update(**kept):
            return False
        for name, value in kept.items():
            setattr(row, name, value)
        return True

    def want_suggestions(self, feedback_ids: Iterable[UUID], *, at: datetime) -> int:
        """Have a worker ask a model about those that have a comment, now; how many."""
        spoken = self.filter(pk__in=list(feedback_ids)).exclude(comment="")
        return int(spoken.update(suggest_at=at, suggest_tries=0, modified=at))

    def to_suggest(self, *, at: datetime) -> models.QuerySet[Feedback]:
        """Those that a model is to be asked about, the longest waiting first."""
        found: models.QuerySet[Feedback] = self.filter(suggest_at__lte=at).order_by("suggest_at", "pk")
        return found

    def take_to_suggest(self, row: Feedback, *, at: datetime, until: datetime) -> bool:
        """Take one of `to_suggest` until a time; False when another worker was quicker, or the comment is another."""
        mine = self.filter(pk=row.pk, suggest_at=row.suggest_at, suggest_tries=row.suggest_tries)
        if not mine.update(suggest_at=until, suggest_tries=row.suggest_tries + 1, modified=at):
            return False
        row.suggest_at, row.suggest_tries = until, row.suggest_tries + 1
        return True

    def settle_suggestions(
        self, row: Feedback, said: dict[str, Any], *, at: datetime, again_at: datetime | None = None
    ) -> bool:
        """Keep what the model said of one that was taken; False when it was taken away.

        Args:
            again_at: when it is to be asked again; None for never.
        """
        mine = self.filter(pk=row.pk, suggest_at=row.suggest_at, suggest_tries=row.suggest_tries)
        return bool(mine.update(suggestions=said, suggest_at=again_at, modified=at))


class Feedback(TenantRecord):
    """One user's feedback on one message."""

    thread_id = models.UUIDField("thread")
    message_id = models.UUIDField("message")
    user_id = models.CharField("user", max_length=255)
    rating = models.CharField(max_length=8, choices=Rating, default="", blank=True)
    score = models.FloatField(null=True, blank=True)
    comment = models.TextField(default="", blank=True)
    label = models.CharField(max_length=100, default="", blank=True)
    state = models.CharField(max_length=16, choices=FeedbackState, default=FeedbackState.OPEN)
    history = models.JSONField(default=list, blank=True, editable=False)
    given_at = models.DateTimeField(default=timezone.now)
    severity = models.PositiveSmallIntegerField(choices=Severity, default=Severity.UNKNOWN)
    reason = models.CharField(max_length=200, default="", blank=True)
    labels = models.JSONField(default=list, blank=True)
    assignee = models.CharField(max_length=255, default="", blank=True)
    due_at = models.DateTimeField("due", null=True, blank=True)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    duplicate_of = models.UUIDField(null=True, blank=True)
    #: The replay that did better.
    fixed_by = models.UUIDField(null=True, blank=True)
    #: What a model suggests: {"labels", "model", "at"}, or "error" in place of labels; what it used and cost beside.
    suggestions = models.JSONField(null=True, blank=True, editable=False)
    #: From when on a worker may ask the model; empty where nobody is to. While one asks: when another one may.
    suggest_at = models.DateTimeField(null=True, blank=True, editable=False)
    suggest_tries = models.PositiveSmallIntegerField(default=0, editable=False)
    #: How often triage has changed it.
    version = models.PositiveIntegerField(default=0, editable=False)

    objects: ClassVar[FeedbackManager] = FeedbackManager()

    class Meta:
        db_table = "ai_feedback"
        verbose_name_plural = "feedback"
        ordering = ("-given_at", "-id")
        permissions = (
            ("import_feedback", "Can import feedback"),
            ("export_feedback", "Can export feedback"),
            ("suggest_feedback", "Can have a model suggest labels of feedback"),
        )
        constraints = (
            models.UniqueConstraint(fields=["message_id", "user_id"], name="ai_feedback_once"),
            models.CheckConstraint(name="ai_feedback_rating_known", condition=Q(rating__in=["", "up", "down"])),
            models.CheckConstraint(
                name="ai_feedback_assigned_to_somebody", condition=~Q(state="assigned") | ~Q(assignee="")
            ),
            models.CheckConstraint(
                name="ai_feedback_snoozed_until_some_time",
                condition=~Q(state="snoozed") | Q(snoozed_until__isnull=False),
            ),
        )
        indexes = (
            models.Index(fields=["-given_at", "-id"], name="ai_feedback_latest"),
            models.Index(fields=["tenant_id", "-given_at", "-id"], name="ai_feedback_tenant_latest"),
            models.Index(fields=["tenant_id", "state", "-given_at"], name="ai_feedback_tenant_state"),
            models.Index(fields=["tenant_id", "rating", "-given_at"], name="ai_feedback_tenant_rating"),
            models.Index(fields=["tenant_id", "-created", "-id"], name="ai_feedback_tenant_created"),
            models.Index(fields=["thread_id"], name="ai_feedback_thread"),
            models.Index(fields=["state", "-given_at", "-id"], name="ai_feedback_state_latest"),
            models.Index(fields=["assignee", "-given_at", "-id"], name="ai_feedback_assignee"),
            models.Index(fields=["state", "snoozed_until"], name="ai_feedback_snoozed"),
            models.Index(fields=["suggest_at"], name="ai_feedback_suggest", condition=Q(suggest_at__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.get_rating_display() or 'Comment'} by {self.user_id}"

    def snapshot(self) -> dict[str, Any]:
        """The current values, as the history keeps them."""
        kept = {name: getattr(self, name) for name in ("rating", "score", "comment", "label")}
        return {**kept, "at": self.given_at.isoformat(), "by": self.user_id}
