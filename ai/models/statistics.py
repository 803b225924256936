"""What SQLite's query planner is told about the tables.

Without statistics SQLite takes every first column of an index for equally selective, and looks for thirty rows of a
tenant by walking through everything the tenant owns. `ANALYZE` would have to be run again as the tables grow, and its
samples mislead the planner about their sizes. So the planner gets fixed figures, those of a console with a million rows a
table, which hold well enough for smaller ones. PostgreSQL keeps statistics itself.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

ROWS = 1_000_000

#: How many different values a column has. What is not named here has a value of its own in each row.
DISTINCT = {
    "tenant_id": 5,
    "thread_id": 100_000,
    "run_id": 300_000,
    "job_id": 10_000,
    "user_id": 5_000,
    "model": 10,
    "tag": 20,
    "vector_store_id": 5_000,
    "tags": 500,
    "action": 30,
    "message_count": 50,
    **dict.fromkeys(("role", "status", "state", "rating", "feedback", "sync_state", "has_files", "source", "kind"), 3),
}

#: Mostly NULL: how selective they are depends on whether NULL is asked for, so of indexes that begin with one the planner's
#: own guess is left alone.
MOSTLY_NULL = {"external_id", "assistant_id", "replay_of_thread", "replay_of", "replay_key", "leased_by"}

#: FTS5's own tables.
FULL_TEXT = ("ai_search_fts", "ai_chunk_fts")


def tell_planner(connection: Any) -> None:
    """Write the figures for every index of this app's tables. Does nothing on other databases than SQLite."""
    if connection.vendor != "sqlite":
        return
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("ANALYZE sqlite_schema")  # makes the table of statistics
        cursor.execute(
            "SELECT tbl_name, name FROM sqlite_master WHERE type = 'index' AND substr(tbl_name, 1, 3) = 'ai_'"
        )
        rows = []
        for table, index in cursor.fetchall():
            figures = _figures(cursor, table, index)
            if figures:
                rows.append((table, index, " ".join(map(str, figures))))
        cursor.execute("DELETE FROM sqlite_stat1 WHERE substr(tbl, 1, 3) = 'ai_'")
        cursor.executemany("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (%s, %s, %s)", rows)
        cursor.execute("ANALYZE sqlite_schema")  # makes this connection read them


def _figures(cursor: Any, table: str, index: str) -> list[int]:
    """Rows of the table, then rows that equal a value of the first column, of the first two, …"""
    cursor.execute("SELECT name FROM pragma_index_info(%s) ORDER BY seqno", [index])
    columns = [name for (name,) in cursor.fetchall()]
    cursor.execute('SELECT "unique" FROM pragma_index_list(%s) WHERE name = %s', [table, index])
    (is_unique,) = cursor.fetchone()
    if columns[0] in MOSTLY_NULL or None in columns or table.startswith(FULL_TEXT):
        return []
    figures, left = [ROWS], ROWS
    for column in columns:
        left = max(left // DISTINCT.get(column, ROWS), 1)
        figures.append(left)
    return [*figures[:-1], 1] if is_unique else figures
