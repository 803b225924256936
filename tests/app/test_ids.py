"""Identifiers."""

from __future__ import annotations

import time
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai import ids
from ai.exceptions import NotFound


class TestPublic:
    @given(st.uuids(), st.sampled_from(sorted(ids.PREFIXES)))
    def test_is_reversible_and_alphanumeric(self, value: UUID, kind: str) -> None:
        text = ids.public(kind, value)

        assert ids.parse(text) == value
        assert text.removeprefix(ids.PREFIXES[kind]).isalnum()


class TestParse:
    def test_takes_uuids_in_every_form(self) -> None:
        value = uuid4()

        assert ids.parse(value) == ids.parse(str(value)) == ids.parse(value.hex) == value

    @pytest.mark.parametrize("text", ["", "thread_", "thread_xyz", "\x00", "1" * 31, "conv_abc"])
    def test_refuses_what_is_no_id_of_ours(self, text: str) -> None:
        with pytest.raises(NotFound):
            ids.parse(text)


class TestNew:
    def test_is_version_7_and_in_the_order_of_time(self) -> None:
        now = time.time()

        values = [ids.new(at=now + second) for second in range(50)]

        assert values == sorted(values)
        assert {value.version for value in values} == {7}
        assert {value.variant for value in values} == {ids.new().variant}
        assert len({ids.new() for _ in range(1000)}) == 1000
