"""Made-up texts of a wanted length, cut out of long rivers of words, which takes about a microsecond each."""

from __future__ import annotations

import json
import random
from functools import partial

from ai.services.load import vocabulary
from ai.services.load.sizes import Kind

RIVER_WORDS = 100_000
RIVER_LINES = 10_000
FENCE_CHARACTERS = 60


class Texts:
    """The texts of one generator of random numbers."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        every, weights = vocabulary.words(rng)
        drawn = rng.choices(every, cum_weights=weights, k=RIVER_WORDS)
        sentences = list(_sentences(drawn, rng))
        self.flat = " ".join(sentences)
        self.lined = "".join(sentence + rng.choice((" ", " ", "\n", "\n\n", "\n- ")) for sentence in sentences)
        accented = (rng.choice(vocabulary.ACCENTED) if rng.random() < 0.2 else word for word in drawn[:40_000])
        self.accented = " ".join(_sentences(list(accented), rng))
        self.cjk = "".join(
            rng.choice(vocabulary.CJK) + ("。" if rng.random() < 0.12 else "") for _ in range(RIVER_WORDS)
        )
        numbered = (rng.choice(vocabulary.CODE).replace("orders", rng.choice(every)) for _ in range(RIVER_LINES))
        self.code = "\n".join(numbered)

    def said(self, kind: Kind, size: int) -> str:
        """What somebody says in a conversation of this kind."""
        share = self.rng.random
        if kind.script == "cjk":
            return self._cut(self.cjk, size)
        if kind.fences and size >= FENCE_CHARACTERS and share() < kind.fences:
            return self._fenced(size)
        if kind.non_ascii and share() < kind.non_ascii:
            return self._accented(size)
        if kind.line_breaks and share() < kind.line_breaks:
            return self._cut(self.code if kind.script == "code" else self.lined, size)
        return self._cut(self.flat, size)

    def arguments(self, kind: Kind, size: int) -> str:
        """A call's arguments, as JSON text."""
        if size < 14:
            return "{}"
        return json.dumps({"query": self._plain(kind, size - 13)}, ensure_ascii=False)

    def result(self, kind: Kind, size: int) -> str:
        """A tool's result, as JSON text."""
        if size < 24:
            return '{"ok": true}'[: max(size, 2)] if size >= 12 else "[]"
        return json.dumps({"ok": True, "text": self._plain(kind, size - 22)}, ensure_ascii=False)

    def title(self, kind: Kind) -> str:
        """Two to eight words."""
        if kind.script == "cjk":
            return self._cut(self.cjk, self.rng.randint(4, 20)).rstrip("。")
        return self._cut(self.flat, self.rng.randint(10, 60)).rstrip(".,?! ")

    def comment(self, size: int) -> str:
        """What somebody writes beside a thumb."""
        return self._cut(self.flat, size)

    def _plain(self, kind: Kind, size: int) -> str:
        return self._cut(self.cjk if kind.script == "cjk" else self.flat, size)

    def _cut(self, river: str, size: int) -> str:
        if size >= len(river) // 2:
            return (river * (size // len(river) + 2))[:size].strip()
        start = int(self.rng.random() * (len(river) - size - 100))
        start = river.find(" ", start, start + 100) + 1 or start  # at the beginning of a word, where there are spaces
        return river[start : start + size].strip() or "ok"

    def _accented(self, size: int) -> str:
        text = self._cut(self.accented, size)
        return text if not text.isascii() else text[:-1] + "é"

    def _fenced(self, size: int) -> str:
        code = self._cut(self.code, size // 2)
        return f"{self._cut(self.flat, size - len(code) - 16)}\n\n```python\n{code}\n```"


def _sentences(drawn: list[str], rng: random.Random) -> list[str]:
    """The words as sentences of about twelve words, with numbers and commas."""
    found = []
    position = 0
    signs = partial(rng.choice, (".", ".", ".", ".", "?", "!", ":"))
    while position < len(drawn):
        end = position + rng.randint(4, 20)
        piece = drawn[position:end]
        if rng.random() < 0.15:
            piece.append(str(rng.randint(1, 99_999)))
        if len(piece) > 8:
            piece[5] += ","
        text = " ".join(piece)
        found.append(text[0].upper() + text[1:] + signs())
        position = end
    return found
