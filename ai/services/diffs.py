"""Word-level differences between two texts, in time that stays bounded for long ones.

Words that occur once on both sides anchor the comparison (Bram Cohen's “patience diff”); what lies between two anchors is
compared exactly when it is short, and counts as replaced when it is long and has nothing unique in common.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")

#: Gaps with more pairs of words than this are not compared exactly.
EXACT_PAIRS = 40_000

#: Longer stretches that stayed the same are shown so, however big the changes around them.
MOST_FOLDED = 20

#: How many words and blanks make a phrase.
PHRASE = 7

#: Texts with more words than this together are cut before they are compared.
MOST_WORDS = 60_000

Span = tuple[int, int, int, int]


def words(old: str, new: str, *, grows: bool = False) -> list[tuple[str, str]]:
    """The pieces `("same" | "del" | "ins", text)`, whose "same" and "ins" make `new`, and "same" and "del" `old`.

    Very long texts are compared by their first 30,000 words. A text that still grows is compared with as many words of the
    old one: what is yet to come is not missing.
    """
    b = _WORDS.findall(new)[: MOST_WORDS // 2]
    a = _WORDS.findall(old)[: len(b) if grows else MOST_WORDS // 2]
    out: list[tuple[str, list[str]]] = []
    i = j = 0
    for start_a, start_b, size in [*_matches(a, b), (len(a), len(b), 0)]:
        _add(out, "del", a[i:start_a])
        _add(out, "ins", b[j:start_b])
        _add(out, "same", a[start_a : start_a + size])
        i, j = start_a + size, start_b + size
    return [(kind, "".join(pieces)) for kind, pieces in _readable(out)]


def _add(out: list[tuple[str, list[str]]], kind: str, pieces: list[str]) -> None:
    if not pieces:
        return
    if out and out[-1][0] == kind:
        out[-1][1].extend(pieces)
    else:
        out.append((kind, list(pieces)))


def _readable(pieces: list[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    """Fold what two bigger changes happen to have between them into one change that can be read."""
    blocks: list[_Block] = []
    for kind, text in pieces:
        if not blocks or (kind == "same") != blocks[-1].is_same:
            blocks.append(_Block(is_same=kind == "same"))
        blocks[-1].take(kind, text)
        if kind != "same" and len(blocks) > 2:
            _fold(blocks)
    out: list[tuple[str, list[str]]] = []
    for block in blocks:
        if block.is_same:
            _add(out, "same", block.old)
        else:
            _add(out, "del", block.old)
            _add(out, "ins", block.new)
    return out


@dataclass
class _Block:
    """Words that stayed the same, or a change from `old` to `new`."""

    is_same: bool
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)

    def take(self, kind: str, words: list[str]) -> None:
        """Add words."""
        if kind != "ins":
            self.old += words
        if kind != "del":
            self.new += words

    @property
    def size(self) -> int:
        """In characters."""
        return max(sum(map(len, self.old)), sum(map(len, self.new)))


def _fold(blocks: list[_Block]) -> None:
    before, between, after = blocks[-3:]
    if between.size <= min(before.size, after.size, MOST_FOLDED) and "\n" not in "".join(between.old):
        before.take("same", between.old)
        before.old += after.old
        before.new += after.new
        del blocks[-2:]


def _matches(a: list[str], b: list[str]) -> Iterator[tuple[int, int, int]]:
    """Equal stretches `(start in a, start in b, length)` in order."""
    stack: list[Span] = [(0, len(a), 0, len(b))]
    while stack:
        low_a, high_a, low_b, high_b = stack.pop()
        if high_b < 0:  # an equal stretch that waited for its turn
            yield low_a, low_b, high_a
            continue
        head = _common(a, b, low_a, high_a, low_b, high_b, step=1)
        if head:
            yield low_a, low_b, head
            low_a, low_b = low_a + head, low_b + head
        tail = _common(a, b, low_a, high_a, low_b, high_b, step=-1)
        high_a, high_b = high_a - tail, high_b - tail
        if tail:
            stack.append((high_a, tail, high_b, -1))
        if low_a == high_a or low_b == high_b:
            continue
        stack.extend(reversed(_between(a, b, (low_a, high_a, low_b, high_b))))


def _between(a: list[str], b: list[str], span: Span) -> list[Span]:
    """Parts of the span to look at next, in order; equal stretches have -1 at the end."""
    low_a, high_a, low_b, high_b = span
    if (high_a - low_a) * (high_b - low_b) <= EXACT_PAIRS:
        matcher = SequenceMatcher(None, a[low_a:high_a], b[low_b:high_b], autojunk=False)
        blocks = [block for block in matcher.get_matching_blocks() if block.size]
        return [(low_a + block.a, block.size, low_b + block.b, -1) for block in blocks]
    parts: list[Span] = []
    for at_a, at_b in [*_anchors(a, b, span), (high_a, high_b)]:
        if parts or (at_a, at_b) != (high_a, high_b):
            parts.append((low_a, at_a, low_b, at_b))
        if at_a < high_a:
            parts.append((at_a, 1, at_b, -1))
        low_a, low_b = at_a + 1, at_b + 1
    return parts


def _common(a: list[str], b: list[str], low_a: int, high_a: int, low_b: int, high_b: int, *, step: int) -> int:
    most, count = min(high_a - low_a, high_b - low_b), 0
    at_a, at_b = (low_a, low_b) if step > 0 else (high_a - 1, high_b - 1)
    while count < most and a[at_a + count * step] == b[at_b + count * step]:
        count += 1
    return count


def _anchors(a: list[str], b: list[str], span: Span) -> list[tuple[int, int]]:
    """Positions of words that occur once on both sides, or of phrases where no word does."""
    for size in (1, PHRASE):
        chain = _chain(_unique_pairs(a, b, span, size))
        if chain:
            return chain
    return []


def _unique_pairs(a: list[str], b: list[str], span: Span, size: int) -> list[tuple[int, int]]:
    low_a, high_a, low_b, high_b = span
    keys_a = [tuple(a[i : i + size]) for i in range(low_a, high_a - size + 1)]
    keys_b = [tuple(b[j : j + size]) for j in range(low_b, high_b - size + 1)]
    once_a, once_b = Counter(keys_a), Counter(keys_b)
    place = {key: low_b + j for j, key in enumerate(keys_b) if once_b[key] == 1 and once_a[key] == 1}
    return [(low_a + i, place[key]) for i, key in enumerate(keys_a) if key in place]


def _chain(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of `pairs` that is in order on both sides."""
    tops: list[int] = []
    rows: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        row = bisect_left(tops, j)
        tops[row : row + 1] = [j]
        rows[row : row + 1] = [index]
        before.append(rows[row - 1] if row else -1)
    chain: list[tuple[int, int]] = []
    at = rows[-1] if rows else -1
    while at >= 0:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]
