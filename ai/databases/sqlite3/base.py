"""Django's SQLite engine, whose transactions of one process wait in turn.

SQLite has one writer at a time. Whoever else wants to write asks again and again, less and less often, and is told that
the database is locked when `OPTIONS["timeout"]` seconds are over: with many threads the unlucky ones starve. Here the
threads of a process wait for each other at a lock, which wakes the next one at once; only processes compete as before.

An error's traceback is a cycle of references that holds on to the cursor, and before Python 3.13 the cursor of a failed
`BEGIN` to its statement. The garbage collector of another thread, which has the write lock, would then wait for this
connection while this connection waits for the write lock. So the cursor is closed at once.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base

#: As sqlite3 itself, where the options say nothing.
DEFAULT_TIMEOUT = 5.0

#: Who writes is whoever has the lock, by the database's name. Locks may be given back by another thread.
_turns: dict[str, threading.Lock] = {}
os.register_at_fork(after_in_child=_turns.clear)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose transactions wait for those of the process's other connections to the same database."""

    transaction_mode: str | None  # the stubs leave out what is not public

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turn: threading.Lock | None = None

    def _start_transaction_under_autocommit(self) -> None:
        """Begin.

        Raises:
            OperationalError: the database was locked for longer than `OPTIONS["timeout"]` seconds.
        """
        self._take_turn()
        try:
            with self.cursor() as cursor:
                cursor.execute(f"BEGIN {self.transaction_mode or ''}")
        except BaseException:
            self._end_turn()
            raise

    def _set_autocommit(self, autocommit: bool) -> None:
        try:
            super()._set_autocommit(autocommit)  # type: ignore[misc]
        finally:
            if autocommit:
                self._end_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _take_turn(self) -> None:
        may_only_read = self.transaction_mode not in {"IMMEDIATE", "EXCLUSIVE"}
        if may_only_read or self.is_in_memory_db():  # which may have the name of another one
            return
        turn = _turns.setdefault(str(self.settings_dict["NAME"]), threading.Lock())
        if not turn.acquire(timeout=self.settings_dict["OPTIONS"].get("timeout", DEFAULT_TIMEOUT)):
            raise OperationalError("database is locked")
        self._turn = turn

    def _end_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn:
            turn.release()
