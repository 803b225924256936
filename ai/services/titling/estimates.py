"""What titles will cost, before a model is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from ai import llm
from ai.models import ChatThread
from ai.services.titling.conversations import of_thread

#: Conversations that are read to find their average length.
SAMPLE = 20
CHARACTERS_OF_A_TOKEN = 3.5
#: What Marvin's prompts and ours take, and what an answer takes (measured).
TITLE_TOKENS, TAGS_TOKENS, ANSWER_TOKENS = 560, 420, 30
LABEL_TOKENS = 6


@dataclass(frozen=True)
class Usage:
    """Tokens, as `llm.cost` reads them."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True)
class Estimate:
    """About how many tokens a model will take for so many threads; `cost` is in US$, None where no price is known."""

    threads: int
    tokens: int
    cost: Decimal | None


def average_characters(threads: Iterable[ChatThread]) -> float:
    """How long the quotations of conversations are, on average of a sample."""
    lengths = [len(of_thread(thread).quoted()) for thread in list(threads)[:SAMPLE]]
    return sum(lengths) / len(lengths) if lengths else 0.0


def estimate(*, threads: int, characters: float, spec: llm.ModelSpec | None, choices: Sequence[str]) -> Estimate:
    """The estimate for a model; the rule takes no tokens and costs nothing."""
    if spec is None:
        return Estimate(threads, 0, Decimal(0))
    quoted = characters / CHARACTERS_OF_A_TOKEN
    asked, answered = TITLE_TOKENS + quoted, ANSWER_TOKENS
    if choices and spec.provider != "local":
        asked += TAGS_TOKENS + quoted + LABEL_TOKENS * len(choices)
        answered += ANSWER_TOKENS
    usage = Usage(round(asked * threads), answered * threads)
    cost = llm.cost(spec, cast("Any", usage))
    return Estimate(threads, usage.input_tokens + usage.output_tokens, None if cost is None else rounded(cost))


def rounded(cost: Decimal) -> Decimal:
    """Two digits are all that an estimate knows."""
    if not cost:
        return Decimal(0)
    return cost.quantize(Decimal(1).scaleb(cost.adjusted() - 1)) if cost < 1 else cost.quantize(Decimal("0.01"))
