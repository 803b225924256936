"""Chunks: their sizes, their overlap, and where they are cut."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.exceptions import InvalidInput
from ai.stores.chunking import CHARACTERS_PER_TOKEN, Sizes, chunks, sizes_of, without_overlap

SMALL = Sizes(tokens=100, overlap=50)


class TestSizes:
    @pytest.mark.parametrize("strategy", [None, {}, {"type": "auto"}])
    def test_are_the_usual_ones(self, strategy: Any) -> None:
        assert sizes_of(strategy) == Sizes(800, 400)

    def test_are_those_asked_for(self) -> None:
        asked = {"type": "static", "static": {"max_chunk_size_tokens": 4096, "chunk_overlap_tokens": 0}}

        assert sizes_of(asked) == Sizes(4096, 0)
        assert sizes_of(asked).as_strategy() == asked

    @pytest.mark.parametrize(
        ("static", "param"),
        [
            ({"max_chunk_size_tokens": 99}, "max_chunk_size_tokens"),
            ({"max_chunk_size_tokens": 4097}, "max_chunk_size_tokens"),
            ({"max_chunk_size_tokens": "800"}, "max_chunk_size_tokens"),
            ({"max_chunk_size_tokens": True}, "max_chunk_size_tokens"),
            ({"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 401}, "chunk_overlap_tokens"),
            ({"max_chunk_size_tokens": 800, "chunk_overlap_tokens": -1}, "chunk_overlap_tokens"),
        ],
    )
    def test_are_bounded(self, static: Any, param: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            sizes_of({"type": "static", "static": static})

        assert caught.value.param == f"chunking_strategy.static.{param}"

    @pytest.mark.parametrize("strategy", ["auto", 1, [], {"type": "static"}, {"type": "other"}, {"type": ["auto"]}])
    def test_need_a_strategy(self, strategy: Any) -> None:
        with pytest.raises(InvalidInput):
            sizes_of(strategy)


class TestChunks:
    def test_of_a_short_text_are_the_text(self) -> None:
        assert list(chunks(" A short text.\n")) == ["A short text."]

    @pytest.mark.parametrize("text", ["", "   \n\n ", "\t"])
    def test_of_nothing_are_none(self, text: str) -> None:
        assert list(chunks(text)) == []

    def test_end_with_a_paragraph_where_there_is_one(self) -> None:
        text = "\n\n".join(f"Paragraph {number}. " + "word " * 25 for number in range(20))

        found = list(chunks(text, SMALL))

        assert all(piece.endswith("word") for piece in found)
        assert found[0].startswith("Paragraph 0")

    def test_end_with_a_sentence_otherwise(self) -> None:
        text = " ".join(f"This is the sentence with the number {number}." for number in range(100))

        assert all(piece.endswith(".") for piece in chunks(text, SMALL))

    def test_end_with_a_word_otherwise(self) -> None:
        text = " ".join(f"word{number}" for number in range(1000))

        words = {word for piece in chunks(text, SMALL) for word in piece.split()}

        assert words == set(text.split())

    def test_repeat_about_what_is_asked(self) -> None:
        text = " ".join(f"word{number}" for number in range(1000))
        found = list(chunks(text, SMALL))

        repeated = [len(" ".join(sorted(set(one.split()) & set(other.split())))) for one, other in pairwise(found)]

        assert all(160 <= characters <= 200 for characters in repeated)

    def test_repeat_nothing_where_nothing_is_asked(self) -> None:
        text = " ".join(f"word{number}" for number in range(1000))

        assert " ".join(chunks(text, Sizes(100, 0))) == text

    @given(text=st.text(alphabet="ab .\n。注", max_size=3000), overlap=st.integers(0, 50))
    def test_hold_everything_and_are_never_too_big(self, text: str, overlap: int) -> None:
        found = list(chunks(text, Sizes(100, overlap)))

        assert all(0 < len(piece) <= 100 * CHARACTERS_PER_TOKEN for piece in found)
        place = 0
        for piece in found:
            at = text.find(piece, max(0, place - 100 * CHARACTERS_PER_TOKEN))
            assert text[place:at].strip() == ""
            place = at + len(piece)
        assert text[place:].strip() == ""

    def test_of_a_very_long_text_come_one_by_one(self) -> None:
        pieces = chunks("word " * 2_000_000)

        assert len(next(pieces)) > 1000


class TestWithoutOverlap:
    @pytest.mark.parametrize("overlap", [0, 25, 50])
    def test_gives_the_text_again(self, overlap: int) -> None:
        text = " ".join(f"This is the sentence with the number {number}." for number in range(100))

        assert " ".join(without_overlap(chunks(text, Sizes(100, overlap)))) == text

    def test_keeps_what_only_looks_repeated(self) -> None:
        assert list(without_overlap(["one two", "one three", ""])) == ["one two", "one three"]
