"""Writing many new rows at once, without an object each: for loads of millions.

Rows are tuples of what the database itself takes: a UUID as 32 hex digits (with hyphens where the column is a text), JSON,
decimals and times as texts, the times in UTC and on SQLite without naming it. The caller gives complete, valid rows; the database still enforces
every constraint. Search documents are indexed a batch at a time, which is four times as fast as row by row.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db import connections, models, router, transaction

from ai.models.search import INDEXED_CHARACTERS, SearchDocument
from ai.models.words import grams

Row = tuple[Any, ...]

#: FTS5's own default: as many segments of a size are merged into one.
AUTOMERGE = 4
#: From so many documents on, taking the index's trigger away for a moment costs less than it saves.
WORTH_IT = 200

_SET_AUTOMERGE = "INSERT INTO ai_search_fts (ai_search_fts, rank) VALUES ('automerge', %s)"

SEARCH_FIELDS = ("tenant_id", "thread_id", "message_id", "text", "grams")


def insert(model: type[models.Model], names: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows of `model`; every field that `names` leaves out gets its default."""
    using = router.db_for_write(model)
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    others: list[Any] = [
        field for field in model._meta.concrete_fields if field.attname not in names and not field.primary_key
    ]
    defaults = {field.column: field.get_db_prep_save(field.get_default(), connections[using]) for field in others}
    given = {column: value for column, value in defaults.items() if value is not None}
    columns = [*(field.column for field in fields), *given]
    values = tuple(given.values())
    complete = (row + values for row in rows) if values else rows
    write = _copy if connections[using].vendor == "postgresql" else _execute_many
    write(using, model._meta.db_table, columns, complete)


def insert_objects(model: type[models.Model], objects: Iterable[Any]) -> None:
    """Write new objects of `model` as they are: what `bulk_create` does, several times as fast.

    Nothing is asked of the fields: no default of the database applies, and no time is set.
    """
    using = router.db_for_write(model)
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]
    insert(model, [field.attname for field in fields], _rows(fields, objects, connections[using].vendor))


def _rows(fields: Sequence[models.Field[Any, Any]], objects: Iterable[Any], vendor: str) -> Iterator[Row]:
    attributes = attrgetter(*(field.attname for field in fields))
    converters = [_CONVERTERS.get(field.get_internal_type()) for field in fields]
    if vendor != "sqlite":
        converters = [None if convert is _naive else convert for convert in converters]
    for each in objects:
        yield tuple(
            value if convert is None or value is None else convert(value)
            for convert, value in zip(converters, attributes(each), strict=True)
        )


def _hex(value: Any) -> str:
    return value.hex if isinstance(value, UUID) else UUID(str(value)).hex


def _naive(at: datetime) -> str:
    if at.tzinfo is UTC:
        return at.isoformat(" ")[:-6]
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


#: How the values of objects become those of rows, by the kind of the field.
_CONVERTERS: dict[str, Callable[[Any], Any]] = {"UUIDField": _hex, "JSONField": json.dumps, "DateTimeField": _naive}


def index(texts: Iterable[tuple[UUID, UUID, UUID, str]]) -> None:
    """Write new search documents of (tenant, thread, message, text), very many at once where that pays."""
    rows = [
        (tenant.hex, thread.hex, message.hex, text, grams(text))
        for tenant, thread, message, whole in texts
        if (text := whole[:INDEXED_CHARACTERS])
    ]
    if len(rows) < WORTH_IT:
        insert(SearchDocument, SEARCH_FIELDS, rows)
    else:
        insert_search_documents(rows)


def insert_search_documents(rows: Iterable[Row]) -> None:
    """Write search documents, rows of `SEARCH_FIELDS`, and index them."""
    using = router.db_for_write(SearchDocument)
    if connections[using].vendor != "sqlite":
        insert(SearchDocument, SEARCH_FIELDS, rows)
        return
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        # The trigger is back when the transaction ends, whichever way it ends.
        cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = 'ai_search_added'")
        (trigger,) = cursor.fetchone()
        cursor.execute("SELECT coalesce(max(id), 0) FROM ai_search_document")
        (last,) = cursor.fetchone()
        cursor.execute("DROP TRIGGER ai_search_added")
        # Else FTS5 merges what it has just written with what it wrote before, the same words three or four times in a
        # big load. It still merges sixteen batches into one; single documents later go on merging what is left.
        cursor.execute(_SET_AUTOMERGE, [0])
        insert(SearchDocument, SEARCH_FIELDS, rows)
        cursor.execute(
            "INSERT INTO ai_search_fts (rowid, labels, text, grams) "
            "SELECT id, labels, text, grams FROM ai_search_source WHERE id > %s",
            [last],
        )
        with transaction.atomic(using=using):  # beginning a savepoint makes FTS5 write what it holds
            cursor.execute(_SET_AUTOMERGE, [AUTOMERGE])
        cursor.execute(trigger)


@contextmanager
def many_rows() -> Iterator[None]:
    """While very many rows are made: nothing that was there before is looked through for garbage again and again."""
    is_ours = not gc.get_freeze_count()  # a worker's start has done it for good
    if is_ours:
        gc.freeze()
    try:
        with _few_checkpoints():
            yield
    finally:
        if is_ours:
            gc.unfreeze()


@contextmanager
def _few_checkpoints() -> Iterator[None]:
    """Let SQLite's write-ahead log grow to 160 MB, so that pages that many transactions change are copied once."""
    connection = connections[router.db_for_write(SearchDocument)]
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_autocheckpoint")
        (pages,) = cursor.fetchone()
        cursor.execute("PRAGMA wal_autocheckpoint = 40000")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA wal_autocheckpoint = {int(pages)}")


@contextmanager
def unmapped(using: str) -> Iterator[None]:
    """Let SQLite read through its cache alone: a file that is mapped while a big table is read grows the process by as much."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA mmap_size")
        (size,) = cursor.fetchone() or (0,)
        cursor.execute("PRAGMA mmap_size = 0")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA mmap_size = {int(size)}")


def _execute_many(using: str, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    quote = connections[using].ops.quote_name
    names = ", ".join(quote(column) for column in columns)
    marks = ", ".join(["%s"] * len(columns))
    with connections[using].cursor() as cursor:
        many: Any = rows
        cursor.executemany(f"INSERT INTO {quote(table)} ({names}) VALUES ({marks})", many)  # noqa: S608 - names of ours


def _copy(using: str, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    quote = connections[using].ops.quote_name
    names = ", ".join(quote(column) for column in columns)
    wrapped = connections[using].wrap_database_errors
    with (
        wrapped,
        connections[using].cursor() as cursor,
        cursor.copy(f"COPY {quote(table)} ({names}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)
