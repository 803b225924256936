"""Filters over attributes."""

from __future__ import annotations

from typing import Any

import pytest

from ai.exceptions import InvalidInput
from ai.stores.filters import compiled

FILE = {"year": 2026, "price": 9.5, "author": "Ann", "draft": False, "tag": "b"}


def of(kind: str, key: str, value: Any) -> dict[str, Any]:
    return {"type": kind, "key": key, "value": value}


class TestComparisons:
    @pytest.mark.parametrize(
        "given",
        [
            of("eq", "year", 2026),
            of("eq", "year", 2026.0),
            of("eq", "draft", False),
            of("eq", "author", "Ann"),
            of("ne", "author", "Bob"),
            of("ne", "missing", "x"),
            of("gt", "year", 2025),
            of("gte", "price", 9.5),
            of("lt", "tag", "c"),
            of("lte", "year", 2026),
            of("in", "author", ["Bob", "Ann"]),
            of("nin", "author", ["Bob"]),
            of("nin", "missing", ["x"]),
        ],
    )
    def test_pass(self, given: Any) -> None:
        assert compiled(given)(FILE)

    @pytest.mark.parametrize(
        "given",
        [
            of("eq", "year", "2026"),
            of("eq", "draft", 0),
            of("eq", "missing", None),
            of("ne", "author", "Ann"),
            of("gt", "year", "2025"),
            of("gt", "author", 1),
            of("gt", "missing", 1),
            of("lt", "draft", 1),
            of("in", "author", []),
            of("in", "year", ["2026"]),
            of("nin", "author", ["Ann"]),
        ],
    )
    def test_do_not_pass(self, given: Any) -> None:
        assert not compiled(given)(FILE)


class TestCompounds:
    def test_join_with_and_and_or(self) -> None:
        yes, no = of("eq", "year", 2026), of("eq", "year", 1)

        assert compiled({"type": "and", "filters": [yes, yes]})(FILE)
        assert not compiled({"type": "and", "filters": [yes, no]})(FILE)
        assert compiled({"type": "or", "filters": [no, {"type": "and", "filters": [yes]}]})(FILE)
        assert not compiled({"type": "or", "filters": [no, no]})(FILE)


class TestRefusals:
    @pytest.mark.parametrize(
        "given",
        [
            None,
            [],
            "eq",
            {},
            {"type": 1},
            {"type": "like", "key": "a", "value": "b"},
            {"type": "eq", "value": 1},
            {"type": "eq", "key": "a"},
            {"type": "eq", "key": 1, "value": 1},
            {"type": "eq", "key": "a", "value": {}},
            {"type": "in", "key": "a", "value": "b"},
            {"type": "in", "key": "a", "value": [[]]},
            {"type": "and"},
            {"type": "and", "filters": []},
            {"type": "or", "filters": [1]},
        ],
    )
    def test_name_the_parameter(self, given: Any) -> None:
        with pytest.raises(InvalidInput, match="Invalid 'filters'") as caught:
            compiled(given)

        assert caught.value.param == "filters"

    def test_bear_no_endless_nesting(self) -> None:
        given: Any = of("eq", "a", 1)
        for _ in range(1000):
            given = {"type": "and", "filters": [given]}

        with pytest.raises(InvalidInput, match="at most 8 deep"):
            compiled(given)

    def test_bear_no_endless_list(self) -> None:
        with pytest.raises(InvalidInput, match="at most 100"):
            compiled({"type": "or", "filters": [of("eq", "a", 1)] * 1000})
