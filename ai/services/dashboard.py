"""The dashboard's numbers. Each is what a plain count of the rows of those days, in scope, gives.

Every query is bounded by the days shown and answered from an index on the time, day by day, so that it costs what those
days hold and not what the tables hold.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Q, QuerySet, Sum, Value
from django.utils import timezone

from ai import tenancy
from ai.models import ChatThread, Feedback, LanguageModel, Message, Run
from ai.models.feedback import FeedbackState, Rating
from ai.models.runs import FINAL, RunStatus

PERIODS = (7, 30, 90)
CACHE_SECONDS = 60
SHOWN = 6

#: A run that ended like this is an error.
ERRORS = (RunStatus.FAILED, RunStatus.EXPIRED)


@dataclass(frozen=True)
class Day:
    """One day's numbers, in the reader's time zone."""

    start: datetime
    threads: int = 0
    messages: int = 0
    runs: int = 0
    ended: int = 0
    errors: int = 0
    cost: Decimal = Decimal(0)
    up: int = 0
    down: int = 0
    feedback: int = 0


@dataclass(frozen=True)
class Numbers:
    """`days`, the oldest first, and their sums."""

    days: list[Day]
    threads: int
    messages: int
    runs: int
    ended: int
    errors: int
    cost: Decimal
    feedback: int
    up: int
    down: int
    open_feedback: int
    anything: bool
    """Whether there is any thread in scope at all."""
    models: int = 0
    """How many language models can be chosen."""
    at: datetime | None = field(default=None, compare=False)

    @property
    def error_rate(self) -> float | None:
        """Errors as a share of the runs that ended; None when none did."""
        return self.errors / self.ended if self.ended else None


def numbers(*, days: int, at: datetime) -> Numbers:
    """The last `days` days up to `at`, kept for a minute for those who see the same tenants."""
    key = _cache_key(days, at)
    found: Numbers | None = cache.get(key)
    if found is None:
        found = count(days=days, at=at)
        cache.set(key, found, CACHE_SECONDS)
    return found


def _cache_key(days: int, at: datetime) -> str:
    tenants = tenancy.current().tenants
    scope = "everything" if tenants is None else ",".join(sorted(map(str, tenants)))
    day = timezone.localtime(at).date()
    return "ai.dashboard." + hashlib.sha256(f"{scope}|{days}|{day}".encode()).hexdigest()


def count(*, days: int, at: datetime) -> Numbers:
    """`numbers`, counted now: seven queries."""
    starts = _midnights(days, at)
    threads = _by_day(ChatThread.objects.all(), "created", starts, threads=Count("*"))
    messages = _by_day(Message.objects.all(), "created", starts, messages=Count("*"))
    ended, errors = Count("pk", filter=Q(status__in=FINAL)), Count("pk", filter=Q(status__in=ERRORS))
    runs = _by_day(Run.objects.all(), "created", starts, runs=Count("*"), ended=ended, errors=errors, cost=Sum("cost"))
    up, down = (Count("pk", filter=Q(rating=rating)) for rating in (Rating.UP, Rating.DOWN))
    feedback = _by_day(Feedback.objects.all(), "given_at", starts, feedback=Count("*"), up=up, down=down)
    made = [
        Day(start, **{**threads[i], **messages[i], **runs[i], **feedback[i]}) for i, start in enumerate(starts[:-1])
    ]
    sums: dict[str, Any] = {
        name: sum((getattr(day, name) for day in made), start=Decimal(0) if name == "cost" else 0)
        for name in ("threads", "messages", "runs", "ended", "errors", "cost", "feedback", "up", "down")
    }
    return Numbers(
        days=made,
        open_feedback=Feedback.objects.filter(state=FeedbackState.OPEN).count(),
        anything=ChatThread.objects.exists(),
        models=LanguageModel.objects.enabled().count(),
        at=at,
        **sums,
    )


def _midnights(days: int, at: datetime) -> list[datetime]:
    """The beginnings of the days shown and of tomorrow."""
    today = timezone.localtime(at).date()
    dates = [today - timedelta(days=back) for back in range(days - 1, -2, -1)]
    return [timezone.make_aware(datetime.combine(date, time.min)) for date in dates]


def _by_day(rows: QuerySet[Any], column: str, starts: list[datetime], **sums: Any) -> list[dict[str, Any]]:
    """What `sums` gives for each day: one query, a short range of the index a day."""
    parts = []
    for index, (start, end) in enumerate(itertools.pairwise(starts)):
        day = rows.filter(**{f"{column}__gte": start, f"{column}__lt": end}).order_by()
        parts.append(day.annotate(day=Value(index)).values("day").annotate(**sums))
    joined: Any = parts[0].union(*parts[1:], all=True).order_by("day")
    found: list[dict[str, Any]] = [{} for _ in parts]
    for values in joined:
        found[values["day"]] = {name: _number(values[name], name) for name in sums}
    return found


def _number(value: Any, name: str) -> Any:
    return (Decimal(0) if name == "cost" else 0) if value is None else value


def recent_failures(*, since: datetime) -> list[Run]:
    """The latest runs that failed after `since`."""
    rows: Any = Run.objects.filter(status__in=ERRORS, created__gte=since)
    columns = ("pk", "model", "status", "error_code", "error_message", "created", "thread_id", "tenant_id")
    return list(rows.only(*columns).order_by("-created", "-pk")[:SHOWN])


def open_feedback() -> list[Feedback]:
    """The latest feedback that nobody has looked at."""
    rows: Any = Feedback.objects.filter(state=FeedbackState.OPEN)
    return list(rows.order_by("-given_at", "-pk")[:SHOWN])
