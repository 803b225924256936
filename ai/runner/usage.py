"""Counting tokens, money and time."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from decimal import Decimal
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ai import llm

if TYPE_CHECKING:
    from pydantic_ai.usage import RequestUsage

    from ai.llm import ModelSpec
    from ai.runner.order import Done

log = logging.getLogger(__name__)

_CENT_FRACTION = Decimal("0.00000001")

#: What the columns of a run hold at most.
MOST_TOKENS = 2**31 - 1
MOST_COST = Decimal(1_000_000) - _CENT_FRACTION


@dataclass(slots=True)
class Meter:
    """What a run has used so far."""

    spec: ModelSpec | None = None
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cost: Decimal | None = None
    begun: float = field(default_factory=perf_counter)
    first_token: float | None = None
    #: The tokens that no step has been charged with yet.
    uncharged: tuple[int, int] = (0, 0)
    #: Of earlier rounds, in milliseconds.
    earlier: int = 0
    earlier_first_token: int | None = None

    @classmethod
    def after(cls, done: Done, *, spec: ModelSpec | None) -> Meter:
        """A meter that goes on counting where earlier rounds stopped."""
        return cls(
            spec=spec,
            prompt=done.prompt_tokens,
            completion=done.completion_tokens,
            cached=done.cached_tokens,
            cost=done.cost,
            earlier=done.duration_ms,
            earlier_first_token=done.first_token_ms,
        )

    def add(self, used: RequestUsage) -> None:
        """Count one request to the model."""
        self.prompt += used.input_tokens
        self.completion += used.output_tokens
        self.cached += used.cache_read_tokens
        self.uncharged = (self.uncharged[0] + used.input_tokens, self.uncharged[1] + used.output_tokens)
        price = llm.cost(self.spec, used) if self.spec and used.has_values() else None
        if price is not None:
            self.cost = (self.cost or Decimal(0)) + price

    def token(self) -> None:
        """The model showed its first token, unless it had before."""
        if self.first_token is None:
            self.first_token = perf_counter()

    @property
    def age(self) -> float:
        """Seconds since the run began."""
        return perf_counter() - self.begun

    def values(self) -> dict[str, Any]:
        """The columns of a run that has ended now; never more than they hold, whatever a provider counted."""
        first = self.earlier_first_token
        if first is None and self.first_token is not None:
            first = self.earlier + round((self.first_token - self.begun) * 1000)
        return {
            "prompt_tokens": _held(self.prompt),
            "completion_tokens": _held(self.completion),
            "cached_tokens": _held(self.cached),
            "total_tokens": _held(self.prompt + self.completion),
            "cost": _cost(self.cost),
            "first_token_ms": first,
            "duration_ms": self.earlier + round((perf_counter() - self.begun) * 1000),
        }


def _held(tokens: int) -> int:
    return max(0, min(tokens, MOST_TOKENS))


def _cost(cost: Decimal | None) -> Decimal | None:
    if cost is None:
        return None
    if not cost.is_finite() or abs(cost) > MOST_COST:
        log.warning("A run's cost of US$ %s cannot be true and is not kept; look at its model's price.", cost)
        return None
    return cost.quantize(_CENT_FRACTION)
