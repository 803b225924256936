"""Rows of a table as CSV or as JSON, one a line, straight from the database's cursor.

A row is never made into an object: what the cursor gives is turned into text column by column, a block of rows at a time,
which costs little more than writing the file.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import F, Func, OuterRef, Subquery, TextField, Value
from django.db.models.functions import Coalesce

from ai.models import AuditSeal
from ai.models.audit import BEGINNING
from ai.models.bulk import unmapped
from ai.services.tables import (
    GUARD,
    GUARDED,
    JSON,
    KEY,
    MESSAGES,
    MONEY,
    NUMBER,
    SEAL,
    TABLES,
    TEXT,
    TIME,
    Column,
    Table,
    dumps,
)

#: Rows that are turned into text together: so many, and of about so many characters.
BLOCK = 2000
BLOCK_CHARACTERS = 4 * 1024 * 1024

#: Rows that are asked for at once, before it is known how long they are, and at most.
FIRST_ROWS, MOST_ROWS = 16, 512
CONTENT = MESSAGES.by_name["content"]
#: What can be long.
LONG = (TEXT, JSON)
WITHOUT_FRACTION = len("2026-11-26 12:00:00")


@dataclass(slots=True)
class Written:
    """How much was written: rows of the selection, and lines, transcripts or the like that came of them."""

    rows: int = 0
    lines: int = 0

    def add(self, other: Written) -> None:
        """Count what another part has."""
        self.rows, self.lines = self.rows + other.rows, self.lines + other.lines


class Content(Func):
    """What a message says, as text; a list of parts as JSON. The database looks for it."""

    output_field = TextField()
    arity = 1

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """SQLite's way: as bytes, since a lone surrogate that is escaped in JSON is no text that could be read."""
        template = "CAST(JSON_EXTRACT(%(expressions)s, '$.content') AS BLOB)"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """PostgreSQL's way."""
        return self.as_sql(compiler, connection, template="(%(expressions)s ->> 'content')", **context)


class AsStored(Func):
    """A time as SQLite stores it, as text: made an object and text again it would take longer than all else."""

    arity = 1
    template = "%(expressions)s"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Without the type that the cursor would convert."""
        return self.as_sql(compiler, connection, template="CAST(%(expressions)s AS TEXT)", **context)


def write_csv(noun: str, querysets: Iterable[Any], out: IO[bytes], *, is_first: bool = True) -> Written:
    """Write the rows of the querysets, in their order, as CSV; the header where it is the file's first part."""
    table, written = TABLES[noun], Written()
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    writer = csv.writer(text)
    if is_first:
        writer.writerow(table.header)
    for queryset in querysets:
        converters = _converters(table, connections[queryset.db].vendor)
        for block in blocks(table, queryset):
            columns: Iterable[Any] = zip(*block, strict=True)
            cells = (
                map(convert, column) if convert else column for convert, column in zip(converters, columns, strict=True)
            )
            writer.writerows(zip(*cells, strict=True))
            written.rows += len(block)
    written.lines = written.rows
    text.flush()
    text.detach()
    return written


def write_json(noun: str, querysets: Iterable[Any], out: IO[bytes], *, is_first: bool = True) -> Written:
    """Write the rows of the querysets as JSON objects, one a line; what follows from other columns is left out."""
    table, written = TABLES[noun], Written()
    columns = [
        (number, column) for number, column in enumerate(table.columns) if not column.is_derived or column in SEAL
    ]
    for queryset in querysets:
        vendor = connections[queryset.db].vendor
        for block in blocks(table, queryset):
            for row in block:
                said = {column.name: _json(column, row[number], vendor) for number, column in columns}
                out.write(dumps(said).encode() + b"\n")
            written.rows += len(block)
    written.lines = written.rows
    return written


def blocks(table: Table, queryset: Any) -> Iterator[list[tuple[Any, ...]]]:
    """The rows as the database's own tuples, a block at a time; one server-side cursor on PostgreSQL."""
    query = queryset.values_list(*map(_selected, table.columns)).query
    try:
        sql, params = query.get_compiler(queryset.db).as_sql()
    except EmptyResultSet:
        return
    with unmapped(queryset.db), connections[queryset.db].chunked_cursor() as cursor:
        cursor.execute(sql, params)
        yield from _cut(cursor, [number for number, column in enumerate(table.columns) if column.kind in LONG])


def _cut(cursor: Any, long: list[int]) -> Iterator[list[tuple[Any, ...]]]:
    """The cursor's rows in blocks. As long as they are short, more of them are asked for each time."""
    block: list[tuple[Any, ...]] = []
    held, most = 0, FIRST_ROWS
    while rows := cursor.fetchmany(most):
        columns = list(zip(*rows, strict=True))
        size = sum(sum(map(len, filter(None, columns[number]))) for number in long)
        block, held = block + rows, held + size
        most = min(most * 2, MOST_ROWS) if size < BLOCK_CHARACTERS // 4 else FIRST_ROWS
        if len(block) >= BLOCK or held >= BLOCK_CHARACTERS:
            yield block
            block, held = [], 0
    if block:
        yield block


def _selected(column: Column) -> Any:
    if column is CONTENT:
        return Content(F("message"))
    if column in SEAL:
        return _of_seal(column.name)
    return AsStored(F(column.attribute)) if column.kind is TIME else column.attribute


def _of_seal(name: str) -> Subquery:
    """A column of the seal of the entry that a row is."""
    seals = AuditSeal.objects.filter(entry_id=OuterRef("pk"))
    if name == "digest_before":
        before = AuditSeal.objects.filter(number=OuterRef("number") - Value(1)).values("digest")
        return Subquery(seals.values(before=Coalesce(Subquery(before), Value(BEGINNING))))
    return Subquery(seals.values("number" if name == "seal" else "digest"))


# -- Cells


def _text(value: str | None) -> str:
    """A text that cannot be absent."""
    return GUARD + value if value and value[0] in GUARDED else value or ""


def _nullable_text(value: str | None) -> str:
    if value is None:
        return ""
    return GUARD + value if not value or value[0] in GUARDED else value


def _content(value: bytes | None) -> str:
    return "" if value is None else _nullable_text(value.decode("utf-8", "replace"))


def _json_cell(value: str | None) -> str:
    """JSON as the database has it; letters that are escaped there become readable."""
    if value is None:
        return ""
    if "\\u" in value:
        value = dumps(json.loads(value))
    return GUARD + value if value[0] in GUARDED else value


def _hex(value: str | None) -> str:
    """A UUID that is stored as 32 hex digits."""
    return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}" if value else ""


def _stored_time(value: str | None) -> str:
    """A time in UTC that is stored as text."""
    if not value:
        return ""
    fraction = ".000000" if len(value) == WITHOUT_FRACTION else ""
    return f"{value[:10]}T{value[11:]}{fraction}Z"


def _time(value: datetime | None) -> str:
    return f"{value.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z" if value else ""


def _uuid(value: UUID | None) -> str:
    return str(value) if value else ""


def _stored_money(value: Any) -> str:
    """An amount with eight decimal places, which SQLite keeps as a number."""
    return "" if value is None else _text(f"{value:.8f}")


def _converters(table: Table, vendor: str) -> list[Callable[[Any], str] | None]:
    """What makes cells of each column's values; None where the CSV writer does."""
    return [_converter(column, vendor) for column in table.columns]


def _converter(column: Column, vendor: str) -> Callable[[Any], str] | None:
    name = column.kind.name
    if column is CONTENT and vendor == "sqlite":
        return _content
    if name == "text":
        return _nullable_text if column.is_null else _text
    if name == "whole number":
        return None
    by_kind: dict[str, Callable[[Any], str]] = {
        JSON.name: _json_cell,
        TIME.name: _stored_time,
        KEY.name: _hex,
        MONEY.name: _stored_money,
    }
    if vendor == "postgresql":
        by_kind = {JSON.name: _json_cell, TIME.name: _time, KEY.name: _uuid}
    found = by_kind.get(name)
    return found or column.cell


def _json(column: Column, value: Any, vendor: str) -> Any:
    """The value as JSON has it: numbers and truth as such, times and ids as the CSV file writes them."""
    if value is None:
        return None
    if column.kind is JSON:
        return json.loads(value)
    if column.kind.name == "true or false":
        return bool(value)
    if column.kind is NUMBER or column.kind.name in {"text", "whole number"}:
        return value
    convert = _converter(column, vendor)
    return convert(value) if convert else value
