"""Tables whose rows stay as they were written: the database refuses to change or delete them, whoever asks.

Emptying a whole database (`manage.py flush`) is another matter, which `lifted` allows for as long as it takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TABLES = ("ai_audit_entry", "ai_audit_seal")
REFUSAL = "The audit log is only ever added to."

_FUNCTION = f"""CREATE OR REPLACE FUNCTION ai_kept() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$"""


def protect(connection: Any) -> None:
    """Have the database refuse from now on."""
    if connection.vendor == "postgresql":
        _execute(connection, _FUNCTION)
    for table in TABLES:
        for change in ("UPDATE", "DELETE"):
            _execute(connection, _trigger(connection.vendor, table, change))


def unprotect(connection: Any) -> None:
    """Have the database allow it again."""
    for table in TABLES:
        for change in ("UPDATE", "DELETE"):
            on = f" ON {table}" if connection.vendor == "postgresql" else ""
            _execute(connection, f"DROP TRIGGER IF EXISTS {_name(table, change)}{on}")


@contextmanager
def lifted(connection: Any) -> Iterator[None]:
    """Allow it for a while."""
    if TABLES[-1] not in connection.introspection.table_names():
        yield
        return
    unprotect(connection)
    try:
        yield
    finally:
        protect(connection)


def _trigger(vendor: str, table: str, change: str) -> str:
    if vendor == "postgresql":
        return f"""CREATE TRIGGER {_name(table, change)} BEFORE {change} ON {table}
            FOR EACH ROW EXECUTE FUNCTION ai_kept()"""
    return f"""CREATE TRIGGER {_name(table, change)} BEFORE {change} ON {table}
        BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"""


def _name(table: str, change: str) -> str:
    return f"{table}_no_{change.lower()}"


def _execute(connection: Any, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
