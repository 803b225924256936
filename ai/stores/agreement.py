"""How far reviewers agree, and what a sample says about all.

Percent agreement; Cohen's κ for two raters (J. Cohen, "A coefficient of agreement for nominal scales", 1960); Krippendorff's alpha
for any number of raters with gaps (K. Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011); the Wilson score
interval for a rate (E. B. Wilson, 1927). Values are plain: a rating is anything hashable, and for `interval` a number.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

Rating = Hashable
#: Of a unit: who rated it how.
Ratings = Mapping[str, Rating]

Z_95 = 1.959963984540054
"""The 97.5 % point of the normal distribution: 95 % lie between it and its negative."""


def percent(units: Iterable[Ratings]) -> float | None:
    """The share of pairs of ratings of the same unit that are equal, from 0 to 1; None where there is no pair."""
    same = total = 0
    for unit in units:
        for one, other in combinations(unit.values(), 2):
            total += 1
            same += one == other
    return same / total if total else None


def cohen_kappa(pairs: Sequence[tuple[Rating, Rating]]) -> float | None:
    """Cohen's κ of two raters: 1 is perfect, 0 is what chance gives; None where it is undefined.

    It is undefined without ratings, and where both gave one and the same rating throughout.
    """
    if not pairs:
        return None
    size = len(pairs)
    observed = sum(one == other for one, other in pairs) / size
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    expected = sum(first[rating] * second[rating] for rating in first) / size**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(units: Iterable[Ratings], *, level: str = "nominal") -> float | None:
    """Krippendorff's alpha over all raters; units with fewer than two ratings say nothing. None where it is undefined.

    Args:
        level: `nominal` (ratings are equal or not), or `interval` (numbers, whose distance counts).
    """
    distance = _DISTANCES[level]
    coincidences: Counter[tuple[Rating, Rating]] = Counter()
    for unit in units:
        values = list(unit.values())
        if len(values) < 2:
            continue
        weight = 1 / (len(values) - 1)
        counts = Counter(values)
        for one, of_one in counts.items():
            for other, of_other in counts.items():
                coincidences[one, other] += weight * of_one * (of_other - (one == other))  # type: ignore[assignment]
    totals: dict[Rating, float] = defaultdict(float)
    for (one, _), weight in coincidences.items():
        totals[one] += weight
    size = sum(totals.values())
    observed = sum(weight * distance(*pair) for pair, weight in coincidences.items())
    expected = sum(totals[one] * totals[other] * distance(one, other) for one in totals for other in totals)
    return 1 - (size - 1) * observed / expected if expected else None


_DISTANCES: dict[str, Callable[[Any, Any], float]] = {
    "nominal": lambda one, other: float(one != other),
    "interval": lambda one, other: float(one - other) ** 2,
}


def confusion(pairs: Iterable[tuple[Rating, Rating]]) -> dict[tuple[Rating, Rating], int]:
    """How often the first said this where the second said that."""
    return dict(Counter(pairs))


@dataclass(frozen=True)
class Rate:
    """A rate with the interval that holds the true one with 95 % confidence; all from 0 to 1."""

    value: float
    low: float
    high: float
    count: int
    total: int

    @property
    def margin(self) -> float:
        """Half of the interval."""
        return (self.high - self.low) / 2


def rate(count: int, total: int, *, population: int | None = None) -> Rate | None:
    """The rate of `count` in a sample of `total`, with Wilson's interval; None without a sample.

    `population` is how many there are to sample from: where most of them are known, the interval is narrower.
    """
    if total <= 0:
        return None
    size = _effective(total, population)
    if math.isinf(size):
        return Rate(count / total, count / total, count / total, count, total)
    value = count / total
    middle = (value + Z_95**2 / (2 * size)) / (1 + Z_95**2 / size)
    half = Z_95 / (1 + Z_95**2 / size) * math.sqrt(value * (1 - value) / size + Z_95**2 / (4 * size**2))
    # Rounding must not put the rate outside.
    return Rate(value, max(0.0, min(value, middle - half)), min(1.0, max(value, middle + half)), count, total)


def _effective(total: int, population: int | None) -> float:
    """The sample's size as if it came from an endless population (the finite population correction)."""
    if population is None or population <= 1:
        return total
    if total >= population:
        return math.inf
    return total * (population - 1) / (population - total)


def more_needed(count: int, total: int, *, margin: float, population: int | None = None) -> int:
    """How many more reviews bring the interval down to ± `margin`, if the rate stays as it is."""
    low, high = total, max(total, 1)
    most = population if population is not None else 100_000_000
    share = count / total if total else 0.5

    def is_enough(size: int) -> bool:
        found = rate(round(share * size), size, population=population)
        return found is not None and found.margin <= margin

    while high < most and not is_enough(high):
        low, high = high, min(most, high * 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return max(0, low - total)
