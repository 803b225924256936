"""How many requests a key may make: so many in each minute of the clock, counted in the cache that all nodes share."""

from __future__ import annotations

from datetime import datetime
from threading import Lock
from typing import Any

from django.core.cache import cache

from ai.exceptions import RateLimited

SECONDS = 60

#: Not every cache can add one without another thread coming between.
_one_at_a_time = Lock()


def take(key: Any, *, at: datetime) -> dict[str, str]:
    """Count one request of the API key; the headers that tell the client what is left.

    Raises:
        RateLimited: the minute's requests are used up; its `headers` tell the same.
    """
    limit = key.requests_per_minute
    if limit is None:
        return {}
    minute, second = divmod(int(at.timestamp()), SECONDS)
    used = _count(f"ai-api-requests:{key.pk}:{minute}")
    reset = SECONDS - second
    headers = {
        "x-ratelimit-limit-requests": str(limit),
        "x-ratelimit-remaining-requests": str(max(limit - used, 0)),
        "x-ratelimit-reset-requests": f"{reset}s",
    }
    if used > limit:
        raise RateLimited(
            f"Rate limit reached for this API key: {limit} requests per minute. Please try again in {reset}s.",
            retry_after=reset,
            headers=headers,
        )
    return headers


def _count(name: str) -> int:
    with _one_at_a_time:
        cache.add(name, 0, timeout=2 * SECONDS)
        try:
            return int(cache.incr(name))
        except ValueError:  # it went out of the cache in between
            cache.set(name, 1, timeout=2 * SECONDS)
            return 1
