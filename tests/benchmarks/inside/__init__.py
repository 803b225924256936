"""The inner halves of the benchmarks: each runs in a console's home and prints what it found as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any


def median_ms(call: Callable[[], Any], *, times: int) -> float:
    """The median time of a call in milliseconds, after a first one that counts for nothing."""
    call()
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return median(taken) * 1000


def tell(found: Any) -> None:
    """Hand the findings to the outer half."""
    sys.stdout.write("\n" + json.dumps(found) + "\n")
    sys.stdout.flush()
