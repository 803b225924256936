"""Who writes, who answers and what they think of it, in made-up conversations."""

from __future__ import annotations

import random
from bisect import bisect
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from math import pi, sin

#: Aliases with the price of a million prompt and completion tokens, and the share of threads they answer.
MODELS = (
    ("openai:gpt-4o-mini", Decimal("0.15"), Decimal("0.60"), 0.45),
    ("openai:gpt-4o", Decimal("2.50"), Decimal(10), 0.20),
    ("anthropic:claude-3-5-haiku-latest", Decimal("0.80"), Decimal(4), 0.18),
    ("mistral:mistral-small-latest", Decimal("0.10"), Decimal("0.30"), 0.12),
    ("local:smollm2", Decimal(0), Decimal(0), 0.05),
)
MODEL_WEIGHTS = list(accumulate(share for *_, share in MODELS))

TENANTS = (("Load A", 0.70), ("Load B", 0.25), ("Load C", 0.05))

RATED = 0.03
RATED_UP = 0.75
COMMENTED = {"up": 0.08, "down": 0.25}
COMMENT_LOG_CHARACTERS = (4.736, 0.497)

FAILED = 0.02
ERRORS = (
    ("rate_limit_exceeded", "The provider refused the call: too many requests."),
    ("server_error", "The provider answered with status 500."),
    ("timeout", "The provider did not answer in time."),
    ("context_length_exceeded", "The conversation is longer than the model's context."),
)

DAYS = 90


class Calendar:
    """Times in the last 90 days: more by day than at night, fewer at the weekend."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        self.start = until - timedelta(days=DAYS)
        self.ends = list(accumulate(_weight(self.start + timedelta(hours=hour)) for hour in range(DAYS * 24)))

    def at(self, share: float) -> datetime:
        """The time before which `share` of everything happens."""
        wanted = share * self.ends[-1]
        hour = min(bisect(self.ends, wanted), len(self.ends) - 1)
        before = self.ends[hour - 1] if hour else 0.0
        return self.start + timedelta(hours=hour + (wanted - before) / (self.ends[hour] - before))


def _weight(hour: datetime) -> float:
    daily = 1 + 0.8 * sin((hour.hour - 8) / 12 * pi)
    return daily * (0.4 if hour.weekday() >= 5 else 1.0)


def user_number(rng: random.Random, *, users: int) -> int:
    """A user; some write much more than others."""
    return int(users * rng.random() ** 2)


def rating(rng: random.Random) -> str:
    """A thumb."""
    return "up" if rng.random() < RATED_UP else "down"
