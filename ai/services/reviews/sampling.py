"""Samples of a selection: the same seed gives the same sample, in whatever order the rows come."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from uuid import UUID


def random(keys: Iterable[UUID], *, size: int, seed: int) -> tuple[list[UUID], int]:
    """So many keys, chosen as by lot, and how many there were to choose from. Memory grows with the sample alone."""
    total = 0

    def counted() -> Iterable[UUID]:
        nonlocal total
        for key in keys:
            total += 1
            yield key

    chosen = heapq.nsmallest(size, counted(), key=lambda key: _lot(key, seed))
    return chosen, total


def stratified(strata: Mapping[UUID, str], *, size: int, seed: int) -> list[UUID]:
    """So many keys, as many of each stratum as its share, and at least one of each while the size allows it."""
    return of_groups(strata.items, size=size, seed=seed)[0]


def of_groups(
    rows: Callable[[], Iterable[tuple[UUID, str]]], *, size: int, seed: int
) -> tuple[list[UUID], dict[str, int], int]:
    """The same of rows that are read twice: the keys by their lot, how many of each group, and how many rows there were.

    Memory grows with the sample and the number of groups alone.
    """
    counts = Counter(name for _, name in rows())
    shares = _shares(counts, size=min(size, counts.total()))
    best: dict[str, list[tuple[bytes, UUID]]] = {name: [] for name in shares}
    for key, name in rows():
        share = shares.get(name, 0)
        if share:
            kept = best[name]
            kept.append((_lot(key, seed), key))
            if len(kept) > 2 * share + 100:
                kept[:] = heapq.nsmallest(share, kept)
    chosen = {name: heapq.nsmallest(shares[name], kept) for name, kept in best.items()}
    drawn = sorted(pair for kept in chosen.values() for pair in kept)
    return [key for _, key in drawn], {name: len(kept) for name, kept in chosen.items() if kept}, counts.total()


def _shares(counts: Mapping[str, int], *, size: int) -> dict[str, int]:
    """How many of each: one, and the rest by the largest remainder."""
    smallest_first = sorted(counts, key=lambda name: (counts[name], name))
    shares = {name: int(place < size) for place, name in enumerate(smallest_first)}
    left = size - sum(shares.values())
    open_ = {name: counts[name] - shares[name] for name in counts}
    total = sum(open_.values())
    if left <= 0 or not total:
        return shares
    exact = {name: left * open_[name] / total for name in counts}
    for name in counts:
        shares[name] += int(exact[name])
    rest = size - sum(shares.values())
    for name in sorted(counts, key=lambda name: (int(exact[name]) - exact[name], name))[:rest]:
        shares[name] += 1
    return shares


def _lot(key: UUID, seed: int) -> bytes:
    return hashlib.blake2b(key.bytes, key=str(seed).encode()[:64], digest_size=16).digest()
