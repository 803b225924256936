"""How long real conversations and their messages are.

Six kinds of conversation, mixed so that a thread has ten messages in the mean. Measured on public sets of conversations
(assistant chat, task dialogues with function calls in English and Japanese, agent logs, code-agent transcripts). A
lognormal is given by the mean and the deviation of its logarithm where it fits, else quantiles stand for the data.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import exp, log

#: Draws are taken from this many values made beforehand, which is much faster than drawing each.
POOL = 4096

LONG_THREAD_SHARE = 0.0005
LONG_THREAD = (200, 1000)
LONG_MESSAGE_SHARE = 0.0001
LONG_MESSAGE = (50_000, 1_000_000)

QUANTILES = (0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 0.999, 1.0)


@dataclass(frozen=True)
class Lognormal:
    """`exp(normal(mu, sigma))`, cut to [1, most]."""

    mu: float
    sigma: float
    most: int

    def draw(self, rng: random.Random) -> int:
        """A number of characters or messages."""
        return min(max(round(exp(rng.normalvariate(self.mu, self.sigma))), 1), self.most)


@dataclass(frozen=True)
class Quantiles:
    """Uniform between neighbours of the values at `QUANTILES`."""

    values: tuple[int, ...]

    def draw(self, rng: random.Random) -> int:
        """A number of characters."""
        share = rng.random()
        i = bisect(QUANTILES, share)
        low, high = self.values[max(i - 1, 0)], self.values[min(i, len(self.values) - 1)]
        return rng.randint(low, high)


@dataclass(frozen=True)
class Kind:
    """A kind of conversation: its share of threads, its sizes, and what its texts look like."""

    name: str
    share: float
    messages: Lognormal
    user: Lognormal | Quantiles
    assistant: Lognormal
    calls_per_turn: float = 0.0
    result: Lognormal | Quantiles = Lognormal(5, 1, 3000)
    arguments: Lognormal | Quantiles = Lognormal(4, 0.8, 300)
    system: Quantiles | None = None
    non_ascii: float = 0.0
    line_breaks: float = 0.0
    fences: float = 0.0
    script: str = "latin"


KINDS = (
    Kind(
        "chat",
        0.6033,
        Lognormal(1.153, 0.289, 10),
        Lognormal(4.497, 0.960, 20_000),
        Lognormal(6.638, 0.983, 16_000),
        non_ascii=0.061,
        line_breaks=0.361,
        fences=0.040,
    ),
    Kind(
        "task",
        0.2017,
        Lognormal(3.108, 0.353, 132),
        Lognormal(3.545, 0.603, 566),
        Lognormal(3.866, 0.652, 906),
        calls_per_turn=0.304,
        result=Lognormal(5.932, 1.381, 6316),
        arguments=Lognormal(4.157, 0.794, 594),
    ),
    Kind(
        "short",
        0.1200,
        Lognormal(2.360, 0.579, 44),
        Lognormal(3.202, 0.878, 462),
        Lognormal(4.038, 0.456, 1132),
        calls_per_turn=2.18,
        result=Lognormal(4.286, 1.150, 1764),
        arguments=Quantiles((2, 18, 18, 21, 21, 56, 119, 145, 225, 238, 253)),
        non_ascii=0.002,
    ),
    Kind(
        "cjk",
        0.0300,
        Lognormal(2.974, 0.450, 122),
        Lognormal(3.333, 0.510, 258),
        Lognormal(3.399, 0.477, 484),
        calls_per_turn=0.526,
        result=Lognormal(4.8, 1.2, 2000),
        arguments=Lognormal(3.902, 0.627, 398),
        non_ascii=1.0,
        line_breaks=0.009,
        script="cjk",
    ),
    Kind(
        "agent",
        0.0350,
        Lognormal(3.164, 0.487, 124),
        Lognormal(4.460, 0.580, 636),
        Lognormal(5.569, 0.568, 2512),
        calls_per_turn=0.776,
        result=Quantiles((2, 5, 6, 315, 689, 832, 968, 1259, 4728, 6761, 8117)),
        arguments=Quantiles((26, 27, 27, 27, 31, 139, 280, 406, 542, 936, 1008)),
        system=Quantiles((6155,) * 11),
        non_ascii=0.020,
        line_breaks=0.196,
    ),
    Kind(
        "code",
        0.0100,
        Lognormal(2.976, 0.380, 58),
        Quantiles((117, 120, 133, 190, 627, 3704, 5534, 7915, 20_779, 29_958, 30_978)),
        Lognormal(5.464, 0.663, 1882),
        calls_per_turn=0.497,
        result=Lognormal(6.069, 1.485, 18_148),
        arguments=Quantiles((2, 2, 19, 27, 33, 58, 186, 241, 276, 293, 295)),
        system=Quantiles((301, 1041, 1658, 1658, 3401, 4875, 4877, 4877, 4877, 4877, 4877)),
        non_ascii=0.022,
        line_breaks=0.838,
        fences=0.290,
        script="code",
    ),
)


@dataclass(frozen=True)
class Pool:
    """Values drawn beforehand."""

    values: Sequence[int]
    random: Callable[[], float] = field(repr=False)

    def __call__(self) -> int:
        """One of the values."""
        return self.values[int(self.random() * len(self.values))]


def pool(size: Lognormal | Quantiles, rng: random.Random) -> Pool:
    """Draws of `size`."""
    return Pool([size.draw(rng) for _ in range(POOL)], rng.random)


def long_message(rng: random.Random) -> int:
    """The characters of a pasted log; small ones are commoner."""
    low, high = (log(limit) for limit in LONG_MESSAGE)
    return round(exp(rng.uniform(low, high)))


def plan(*, threads: int, messages: int, rng: random.Random) -> list[tuple[Kind, int]]:
    """The kind and the number of messages of each thread; the numbers add up to `messages`."""
    weights = list(accumulate(kind.share for kind in KINDS))
    kinds = rng.choices(KINDS, cum_weights=weights, k=threads)
    counts = [_messages_of(kind, rng) for kind in kinds]
    scale = messages / max(sum(counts), 1)
    wanted = list(accumulate(count * scale for count in counts))
    ends = [0, *(round(end) for end in wanted)]
    ends[-1] = messages
    return [(kind, end - start) for kind, start, end in zip(kinds, ends, ends[1:], strict=False)]


def _messages_of(kind: Kind, rng: random.Random) -> int:
    if rng.random() < LONG_THREAD_SHARE:
        return rng.randint(*LONG_THREAD)
    return max(kind.messages.draw(rng), 2)
