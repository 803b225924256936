"""Making a history fit: the Assistants API's truncation strategies.

Tokens are estimated, four characters each, since each vendor counts otherwise and only it knows how. What a provider
counted in earlier rounds of a run is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ai.stores.content import is_listed, searchable

Json = dict[str, Any]

CHARACTERS_A_TOKEN = 4
MESSAGE_TOKENS = 4
IMAGE_TOKENS = 800


class TooLong(Exception):
    """Not even the last message fits."""


def tokens(message: Json) -> int:
    """About how many tokens a message takes."""
    count = MESSAGE_TOKENS + -(-len(searchable(message)) // CHARACTERS_A_TOKEN)
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    images = sum(str(part.get("type")).startswith("image") for part in parts if isinstance(part, dict))
    files = [item for item in message.get("attachments") or [] if isinstance(item, dict)]
    inlined = sum(len(str(item.get("text") or "")) // CHARACTERS_A_TOKEN for item in files)
    return count + images * IMAGE_TOKENS + inlined


def truncated(history: Sequence[Json], strategy: Mapping[str, Any] | None, *, most: int | None) -> list[Json]:
    """The history as the strategy leaves it.

    `last_messages` keeps so many messages of users and assistants, with the calls and results between them. `most` tokens
    hold for every strategy: the oldest after the first exchange are left out, so that the beginning, the end and what
    was told by the system stay. A tool call never loses its result.

    Raises:
        TooLong: not even the last message fits into `most`.
    """
    lead = _lead(history)
    units = _units(history[len(lead) :])
    wanted = strategy.get("last_messages") if strategy and strategy.get("type") == "last_messages" else None
    if isinstance(wanted, int):
        units = _last(units, wanted)
    if most is not None:
        units = _fitting(units, most - sum(map(tokens, lead)))
    return [*lead, *(message for unit in units for message in unit)]


def _lead(history: Sequence[Json]) -> Sequence[Json]:
    length = next((i for i, m in enumerate(history) if m.get("role") not in {"system", "developer"}), len(history))
    return history[:length]


def _units(history: Iterable[Json]) -> list[list[Json]]:
    """The messages, each assistant's calls together with their results."""
    units: list[list[Json]] = []
    for message in history:
        if message.get("role") == "tool" and units:
            units[-1].append(message)
        else:
            units.append([message])
    return units


def _last(units: list[list[Json]], wanted: int) -> list[list[Json]]:
    kept: list[list[Json]] = []
    for unit in reversed(units):
        if wanted <= 0:
            break
        kept.append(unit)
        wanted -= sum(map(is_listed, unit))
    return kept[::-1]


def _fitting(units: list[list[Json]], room: int) -> list[list[Json]]:
    costs = [sum(map(tokens, unit)) for unit in units]
    if sum(costs) <= room:
        return units
    if not units or costs[-1] > room:
        raise TooLong
    left = room - costs[-1]
    first = [units[0]] if len(units) > 1 and costs[0] <= left else []
    left -= costs[0] if first else 0
    start = len(units) - 1
    while start - 1 >= len(first) and costs[start - 1] <= left:
        start -= 1
        left -= costs[start]
    return [*first, *units[start:]]
