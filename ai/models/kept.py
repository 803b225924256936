"""Tables whose rows stay as they were written: the database refuses to change or delete them, whoever asks.

Emptying a whole database (`manage.py flush`) is another matter, which `lifted` allows for as long as it takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: Their primary keys.
TABLES = {"ai_audit_entry": "id", "ai_audit_seal": "number"}
#: What is refused. SQLite's REPLACE is an INSERT that deletes without a word.
CHANGES = {"sqlite": ("UPDATE", "DELETE", "INSERT"), "postgresql": ("UPDATE", "DELETE", "TRUNCATE")}
REFUSAL = "The audit log is only ever added to."

_FUNCTION = f"""CREATE OR REPLACE FUNCTION ai_kept() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$"""


def protect(connection: Any) -> None:
    """Have the database refuse from now on."""
    if connection.vendor == "postgresql":
        _execute(connection, _FUNCTION)
    for table, key in TABLES.items():
        for change in CHANGES[connection.vendor]:
            _execute(connection, _trigger(connection.vendor, table, key, change))


def unprotect(connection: Any) -> None:
    """Have the database allow it again."""
    for table in TABLES:
        for change in CHANGES[connection.vendor]:
            on = f" ON {table}" if connection.vendor == "postgresql" else ""
            _execute(connection, f"DROP TRIGGER IF EXISTS {_name(table, change)}{on}")


@contextmanager
def lifted(connection: Any) -> Iterator[None]:
    """Allow it for a while."""
    if not set(TABLES) <= set(connection.introspection.table_names()):
        yield
        return
    unprotect(connection)
    try:
        yield
    finally:
        protect(connection)


def _trigger(vendor: str, table: str, key: str, change: str) -> str:
    if vendor == "postgresql":
        each = "STATEMENT" if change == "TRUNCATE" else "ROW"
        return f"""CREATE TRIGGER {_name(table, change)} BEFORE {change} ON {table}
            FOR EACH {each} EXECUTE FUNCTION ai_kept()"""
    when = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = new.{key})" if change == "INSERT" else ""  # noqa: S608 - our own names
    return f"""CREATE TRIGGER {_name(table, change)} BEFORE {change} ON {table} {when}
        BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"""


def _name(table: str, change: str) -> str:
    return f"{table}_no_{change.lower()}"


def _execute(connection: Any, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
