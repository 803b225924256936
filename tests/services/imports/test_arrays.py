"""Arrays of any size, item by item."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.services.imports import arrays, sources

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class Drip(io.StringIO):
    """A text that comes in small pieces, the first ones of a few characters."""

    piece = 2

    def read(self, size: int | None = -1) -> str:
        self.piece += 1
        return super().read(self.piece)


def items(text: str, *, most: int = 10_000_000, stream: type[io.StringIO] = io.StringIO) -> list[Any]:
    return list(arrays.items(stream(text), most=most))


def broken(found: list[Any]) -> list[bool]:
    return [isinstance(item, arrays.Broken) for item in found]


@given(st.lists(VALUES, max_size=6))
def test_any_array_is_what_json_reads(values: list[Any]) -> None:
    text = json.dumps(values, indent=1)

    assert items(text) == items(text, stream=Drip) == values


@pytest.mark.parametrize(
    "bad", ['{"a": }', "nonsense", '{"a": [1, 2}]}', "[" * 15_000 + "]" * 15_000, '{"n": ' + "9" * 5000 + "}"]
)
@pytest.mark.parametrize("stream", [io.StringIO, Drip])
def test_an_item_that_is_no_json_is_broken_alone(bad: str, stream: type[io.StringIO]) -> None:
    found = items(f'[{{"id": 1}}, {bad}, {{"id": 2}}]', stream=stream)

    assert found[0] == {"id": 1}
    assert found[-1] == {"id": 2}
    assert any(broken(found))


def test_brackets_in_texts_do_not_count() -> None:
    found = items('[{"a": x, "b": "}]\\"]"}, 7]')

    assert (broken(found), found[1]) == ([True, False], 7)


@pytest.mark.parametrize("text", ['[{"a": 1}, {"a": "', "[1, 2", "[1,", "["])
def test_one_that_breaks_off_says_so(text: str) -> None:
    last = items(text)[-1]

    assert isinstance(last, arrays.Broken)
    assert last.is_end


def test_an_item_that_is_too_long_is_passed_over() -> None:
    text = json.dumps([1, {"long": "x" * 2_000_000}, 3])

    found = items(text, most=500_000)

    assert (broken(found), found[2]) == ([False, True, False], 3)


def test_memory_does_not_grow_with_the_array(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = tmp_path / f"{count}.json"
        path.write_text(json.dumps([{"id": n, "text": "x" * 1000} for n in range(count)]))
        tracemalloc.start()
        try:
            assert sum(1 for _ in sources.documents(path, refuse=_fail)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(8000) < peak(2000) * 1.2


def _fail(refusal: Any) -> None:
    raise AssertionError(refusal)
