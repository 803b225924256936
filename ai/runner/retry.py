"""When to try again, and after how long."""

from __future__ import annotations

import random

from ai.exceptions import ModelError
from ai.runner.order import Limits


def delay(error: ModelError, *, attempt: int, limits: Limits) -> float | None:
    """Seconds to wait before try number `attempt + 1`; None when trying again is no use.

    Exponential with full jitter above a floor of one half, so that many runs refused together do not return together
    (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/). A provider that says how long to
    wait is obeyed, unless that is longer than `limits.longest_wait_seconds`.
    """
    if not error.retryable or attempt > limits.retries:
        return None
    backoff = min(limits.backoff_seconds * 2.0 ** (attempt - 1), limits.longest_wait_seconds)
    jittered = backoff * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
    if error.retry_after is None:
        return jittered
    if error.retry_after > limits.longest_wait_seconds:
        return None
    return error.retry_after + jittered * 0.1
