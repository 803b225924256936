"""Agreement, against what scikit-learn and the krippendorff package say of the same ratings."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.stores import agreement

REFERENCE: dict[str, Any] = json.loads(Path(__file__).with_name("agreement_reference.json").read_text())
EXACT = 1e-9


def units(ratings: list[list[int | None]]) -> list[dict[str, int]]:
    """Rows of raters, turned into what each unit got."""
    return [
        {str(rater): value for rater, value in enumerate(column) if value is not None}
        for column in zip(*ratings, strict=True)
    ]


def same(one: float | None, other: float | None) -> bool:
    """Equal to 1e-9, or both undefined."""
    return one is other if one is None or other is None else math.isclose(one, other, abs_tol=EXACT)


class TestCohenKappa:
    @pytest.mark.parametrize("case", REFERENCE["kappa"])
    def test_is_that_of_scikit_learn(self, case: dict[str, Any]) -> None:
        pairs = list(zip(case["first"], case["second"], strict=True))

        assert same(agreement.cohen_kappa(pairs), case["value"])

    def test_is_undefined_where_both_always_say_the_same(self) -> None:
        assert agreement.cohen_kappa([("yes", "yes")] * 5) is None

    def test_is_undefined_without_ratings(self) -> None:
        assert agreement.cohen_kappa([]) is None


class TestKrippendorffAlpha:
    @pytest.mark.parametrize("level", ["nominal", "interval"])
    @pytest.mark.parametrize("case", REFERENCE["alpha"])
    def test_is_that_of_the_krippendorff_package(self, case: dict[str, Any], level: str) -> None:
        assert same(agreement.krippendorff_alpha(units(case["ratings"]), level=level), case[level])

    def test_is_one_where_all_agree(self) -> None:
        assert agreement.krippendorff_alpha([{"a": 1, "b": 1}, {"a": 2, "b": 2, "c": 2}]) == 1


class TestPercent:
    def test_counts_pairs(self) -> None:
        found = agreement.percent([{"a": 1, "b": 1, "c": 2}, {"a": 3}])

        assert found == pytest.approx(1 / 3)

    def test_is_undefined_where_nobody_shares_a_unit(self) -> None:
        assert agreement.percent([{"a": 1}, {"b": 1}]) is None


class TestRate:
    def test_is_wilsons_interval(self) -> None:
        # Newcombe 1998, table I, method 3: 81 of 263.
        found = agreement.rate(81, 263)

        assert found is not None
        assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)

    def test_is_narrower_where_most_are_known(self) -> None:
        of_many, of_few = agreement.rate(40, 100), agreement.rate(40, 100, population=120)

        assert of_many is not None
        assert of_few is not None
        assert of_few.margin < of_many.margin / 2

    def test_is_exact_where_all_are_known(self) -> None:
        found = agreement.rate(3, 4, population=4)

        assert found is not None
        assert found.margin == 0

    @given(st.integers(0, 500), st.integers(1, 500))
    def test_lies_in_its_interval(self, count: int, total: int) -> None:
        found = agreement.rate(min(count, total), total)

        assert found is not None
        assert 0 <= found.low <= found.value <= found.high <= 1


class TestMoreNeeded:
    @pytest.mark.parametrize("margin", [0.1, 0.05, 0.02])
    def test_reaches_the_margin_and_not_before(self, margin: float) -> None:
        more = agreement.more_needed(30, 60, margin=margin)

        enough = agreement.rate((60 + more) // 2, 60 + more)
        short = agreement.rate((60 + more - 2) // 2, 60 + more - 2)
        assert enough is not None
        assert short is not None
        assert enough.margin <= margin < short.margin

    def test_is_nothing_where_the_interval_is_narrow_enough(self) -> None:
        assert agreement.more_needed(500, 1000, margin=0.05) == 0

    def test_is_never_more_than_there_are(self) -> None:
        assert agreement.more_needed(3, 6, margin=0.01, population=40) <= 34
