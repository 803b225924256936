"""Writing many new rows at once, without an object each: for loads of millions.

Rows are tuples of what the database itself takes: a UUID as 32 hex digits (with hyphens where the column is a text), JSON,
decimals and times as texts, the times in UTC and on SQLite without naming it. The caller gives complete, valid rows; the database still enforces
every constraint. Search documents are indexed a batch at a time, which is four times as fast as row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connections, models, router, transaction

from ai.models.search import SearchDocument

Row = tuple[Any, ...]

#: FTS5's own default: as many segments of a size are merged into one.
AUTOMERGE = 4
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
def few_checkpoints() -> Iterator[None]:
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
    with connections[using].cursor() as cursor, cursor.copy(f"COPY {quote(table)} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
