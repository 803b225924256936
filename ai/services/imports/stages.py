"""Objects of a dump, put aside on disk until all have been read, then given out thread by thread.

A dump may name a message before its thread, and a thread's messages may be anywhere in it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from ai.services.imports.drafts import Json, Unusable

_TABLE = """
CREATE TABLE object (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, thread TEXT NOT NULL, place TEXT NOT NULL,
    body TEXT NOT NULL, UNIQUE (kind, id)
)
"""
#: Nobody needs the data after a crash; up to 16 MB of it stay in memory.
_SETTINGS = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -16384", "temp_store = FILE")


#: An encoder of its own: `json.dumps` makes one for each call with options.
_encode = json.JSONEncoder(sort_keys=True).encode


@dataclass(frozen=True, slots=True)
class Staged:
    """An object with where it was read."""

    kind: str
    id: str
    place: str
    value: Json


class Stage:
    """A table in a file of its own, which vanishes when the stage is closed."""

    def __init__(self) -> None:
        self._database = _open(_TABLE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._database.close()

    def put(self, staged: Staged, *, thread: str = "") -> bool:
        """Keep the object; False when the same one was read before.

        Raises:
            Unusable: another object of its kind has its id.
        """
        body = _encode(staged.value)
        values = (staged.kind, staged.id, thread, staged.place, body)
        added = self._database.execute(
            "INSERT OR IGNORE INTO object (kind, id, thread, place, body) VALUES (?, ?, ?, ?, ?)", values
        )
        if added.rowcount:
            return True
        query = "SELECT place, thread, body FROM object WHERE kind = ? AND id = ?"
        place, *before = self._database.execute(query, (staged.kind, staged.id)).fetchone()
        if before != [thread, body]:
            raise Unusable(f"Another {staged.kind} with this id was read before, at {place}; that one was taken.")
        return False

    def get(self, kind: str, id: str) -> Json | None:  # noqa: A002 - its name in the dump
        """The object with this id."""
        row = self._database.execute("SELECT body FROM object WHERE kind = ? AND id = ?", (kind, id)).fetchone()
        return json.loads(row[0]) if row else None

    def count(self, kind: str) -> int:
        """How many objects of the kind there are."""
        found: int = self._database.execute("SELECT count(*) FROM object WHERE kind = ?", (kind,)).fetchone()[0]
        return found

    def of_kind(self, kind: str) -> Iterator[Staged]:
        """All objects of the kind, in the order in which they were read."""
        return self._select("kind = ? ORDER BY number", kind)

    def threads(self) -> Iterator[tuple[str, list[Staged]]]:
        """Each thread's id with all objects of it, as they were read; threads in the order in which they were met."""
        self._database.execute("CREATE INDEX object_thread ON object (thread, number)")
        met = "SELECT thread FROM object WHERE thread != '' GROUP BY thread ORDER BY min(number)"
        for (thread,) in self._database.execute(met):
            yield thread, list(self._select("thread = ? ORDER BY number", thread))

    def _select(self, condition: str, value: str) -> Iterator[Staged]:
        query = f"SELECT kind, id, place, body FROM object WHERE {condition}"  # noqa: S608 - conditions of ours
        rows: Iterator[tuple[str, str, str, Any]] = self._database.execute(query, (value,))
        return (Staged(kind, key, place, json.loads(body)) for kind, key, place, body in rows)


class Occurrences:
    """Counts how often each of any number of texts was met, on disk."""

    def __init__(self) -> None:
        self._database = _open(
            "CREATE TABLE met (name TEXT PRIMARY KEY, times INTEGER NOT NULL, note TEXT) WITHOUT ROWID"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._database.close()

    def next(self, name: str) -> int:
        """How often the text has been met now, this time included."""
        times: int = self._database.execute(
            "INSERT INTO met (name, times) VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times",
            (name,),
        ).fetchone()[0]
        return times

    def first(self, name: str, note: str) -> str:
        """The note that was given when the text was first met: this one where that is now."""
        self._database.execute("INSERT OR IGNORE INTO met (name, times, note) VALUES (?, 1, ?)", (name, note))
        found: str = self._database.execute("SELECT note FROM met WHERE name = ?", (name,)).fetchone()[0]
        return found


def _open(table: str) -> sqlite3.Connection:
    database = sqlite3.connect("", isolation_level=None)
    for setting in _SETTINGS:
        database.execute(f"PRAGMA {setting}")
    database.execute(table)
    database.execute("BEGIN")
    return database
