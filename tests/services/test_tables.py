"""A value comes back from a cell as it went in, and no cell is a formula."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.exceptions import InvalidInput
from ai.models import Assistant, AuditEntry, ChatThread, DataSource, Feedback, Message, Run
from ai.services import tables
from ai.services.tables import TABLES, Column, guard, unguard

FORMULAS = (
    "=1+1",
    "==1+1",
    '=HYPERLINK("http://a.test","b")',
    "+1",
    "-1+1",
    "-",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "'",
    "''",
    "'=1",
    "'quoted'",
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")) | st.sampled_from(FORMULAS)
TIMES = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zoned by `timezones`
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=8)
VALUES: dict[tables.Kind, Any] = {
    tables.TEXT: TEXTS,
    tables.JSON: JSON.filter(lambda value: value is not None),
    tables.TIME: TIMES,
    tables.KEY: st.uuids(),
    tables.INTEGER: st.integers(),
    tables.NUMBER: st.floats(allow_nan=False, allow_infinity=False),
    tables.MONEY: st.decimals(allow_nan=False, allow_infinity=False, places=8),
    tables.BOOLEAN: st.booleans(),
}


def through_a_file(cells: list[str]) -> list[str]:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(cells)
    return next(csv.reader(io.StringIO(out.getvalue(), newline="")))


class TestGuard:
    @pytest.mark.parametrize("text", FORMULAS)
    def test_leaves_no_formula_and_loses_nothing(self, text: str) -> None:
        assert guard(text)[0] == "'"
        assert unguard(guard(text)) == text

    @given(TEXTS)
    def test_is_exact_for_every_text(self, text: str) -> None:
        guarded = guard(text)

        assert unguard(guarded) == text
        assert not guarded.startswith(("=", "+", "-", "@", "\t", "\r"))

    @pytest.mark.parametrize("cell", ["plain", "'tis", "", "a=b"])
    def test_leaves_what_others_wrote(self, cell: str) -> None:
        assert unguard(cell) == cell


class TestColumns:
    @pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.name)
    @pytest.mark.parametrize("is_null", [True, False])
    def test_give_back_what_they_got(self, kind: tables.Kind, is_null: bool) -> None:
        column = Column("x", kind, is_null=is_null)

        @given(VALUES[kind])
        def goes_round(value: Any) -> None:
            back = column.value(through_a_file([column.cell(value), "y"])[0])
            assert back == value
            assert type(back) is type(value)

        goes_round()

    def test_tell_nothing_from_an_empty_text(self) -> None:
        column = Column("x", is_null=True)

        assert [column.value(column.cell(value)) for value in (None, "", "'")] == [None, "", "'"]
        assert Column("x").value("") == ""

    def test_tell_json_null_from_nothing(self) -> None:
        column = Column("x", tables.JSON, is_null=True)

        assert column.cell(None) == ""
        assert column.value("null") is None

    def test_keep_a_lone_surrogate_escaped(self) -> None:
        assert tables.dumps({"a": "\ud800"}).encode() == b'{"a": "\\ud800"}'

    def test_keep_letters_readable(self) -> None:
        assert tables.dumps({"a": "שלום"}) == '{"a": "שלום"}'

    @pytest.mark.parametrize(
        ("kind", "cell"),
        [
            (tables.TIME, "yesterday"),
            (tables.KEY, "x"),
            (tables.INTEGER, "1.5"),
            (tables.NUMBER, ""),
            (tables.MONEY, "dear"),
            (tables.JSON, "{"),
            (tables.JSON, "[" * 100_000),
            (tables.BOOLEAN, "perhaps"),
        ],
    )
    def test_refuse_what_is_of_another_kind(self, kind: tables.Kind, cell: str) -> None:
        with pytest.raises(InvalidInput):
            Column("x", kind).value(cell)

    def test_take_a_time_without_a_zone_as_utc(self) -> None:
        assert Column("x", tables.TIME).value("2026-05-04T10:00:00") == datetime(2026, 5, 4, 10, tzinfo=UTC)


class TestTables:
    @pytest.mark.parametrize("noun", TABLES)
    def test_hold_the_fields_of_their_model_but_what_the_queue_needs(self, noun: str) -> None:
        models: dict[str, Any] = dict(
            zip(TABLES, (ChatThread, Message, Run, DataSource, Feedback, Assistant, AuditEntry), strict=True)
        )
        inner = {
            "leased_by",
            "lease_until",
            "retry_at",
            "job_id",
            "replay_key",
            "last_sequence",
            "preview",
            "is_listed",
            "version",
            "suggestions",
            "suggest_at",
            "suggest_tries",
        }
        fields = {field.attname for field in models[noun]._meta.concrete_fields} - inner - {"file"}

        assert fields <= {column.attribute for column in TABLES[noun].columns} | {"role"}

    def test_read_a_row_by_its_header(self) -> None:
        cells = {"id": "x", "rating": "up", "score": "", "comment": "'=1", "unknown": "y"}
        del cells["id"]

        assert tables.FEEDBACK.values(cells) == {"rating": "up", "score": None, "comment": "=1"}

    def test_write_a_row(self) -> None:
        at = datetime(2026, 5, 4, 1, 2, 3, 4, tzinfo=UTC)
        row = Run(model="m", cost=Decimal("-0.10"), created=at, modified=at, prompt_tokens=3)

        cells = dict(zip(tables.RUNS.header, tables.RUNS.cells(row), strict=True))

        assert cells["cost"] == "'-0.10"
        assert cells["created"] == "2026-05-04T01:02:03.000004Z"
        assert cells["prompt_tokens"] == "3"
        assert cells["external_id"] == ""

    def test_read_cells_of_any_length(self) -> None:
        (row,) = tables.reader(io.StringIO("a,b\r\n" + "x" * 200_000 + ",\r\n", newline=""))

        assert len(row["a"]) == 200_000
