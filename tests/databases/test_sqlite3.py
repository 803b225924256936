"""Django's SQLite engine, whose transactions of one process wait in turn."""

from __future__ import annotations

import gc
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

pytestmark = pytest.mark.django_db

THREADS, TIMES = 12, 20


class Database:
    """A database in a file, to which each thread has a connection."""

    def __init__(self, path: Path, **options: Any) -> None:
        options = {"transaction_mode": "IMMEDIATE", "timeout": 10, "init_command": "PRAGMA journal_mode=WAL", **options}
        self._path = path
        self._handler = ConnectionHandler(
            {"default": {"ENGINE": "ai.databases.sqlite3", "NAME": str(path), "OPTIONS": options}}
        )

    @property
    def connection(self) -> BaseDatabaseWrapper:
        found: BaseDatabaseWrapper = self._handler["default"]
        return found

    def run(self, statement: str) -> Any:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """As `atomic` begins and ends one."""
        self.connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        try:
            yield
            self.connection.commit()
        except BaseException:
            self.connection.rollback()
            raise
        finally:
            self.connection.set_autocommit(True)

    def add(self) -> None:
        """Add one to the number, in a transaction."""
        with self.transaction():
            self.run("UPDATE numbers SET number = number + 1")

    def read(self) -> Any:
        """The number, read in a transaction."""
        with self.transaction():
            return self.run("SELECT number FROM numbers")

    @contextmanager
    def threads(self, count: int = 1) -> Iterator[Callable[[Callable[[], Any]], Future[Any]]]:
        """Starts functions on threads, which are done with their connections at the end."""

        def closing(function: Callable[[], Any]) -> Any:
            try:
                return function()
            finally:
                self.connection.close()

        with ThreadPoolExecutor(count) as pool:
            yield lambda function: pool.submit(closing, function)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The write lock is another process's."""
        other = sqlite3.connect(self._path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "numbers.sqlite3"
    database = Database(made)
    database.run("CREATE TABLE numbers (number integer)")
    database.run("INSERT INTO numbers VALUES (0)")
    database.connection.close()
    return made


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    made = Database(path)
    yield made
    made.connection.close()


class TestTurns:
    def test_come_to_everybody(self, database: Database) -> None:
        def often() -> None:
            for _ in range(TIMES):
                database.add()

        with database.threads(THREADS) as start:
            started = [start(often) for _ in range(THREADS)]

        assert [each.result() for each in started] == [None] * THREADS

        assert database.run("SELECT number FROM numbers") == (THREADS * TIMES,)

    def test_are_waited_for_as_long_as_the_options_say(self, path: Path) -> None:
        database = Database(path, timeout=0.1)

        with (
            database.transaction(),
            database.threads() as start,
            pytest.raises(OperationalError, match="database is locked"),
        ):
            start(database.add).result()

        with database.threads() as start:
            start(database.add).result()
        assert database.run("SELECT number FROM numbers") == (1,)
        database.connection.close()

    def test_end_with_an_error(self, database: Database) -> None:
        with pytest.raises(OperationalError, match="no such table"), database.transaction():
            database.run("SELECT 1 FROM nowhere")

        with database.threads() as start:
            start(database.add).result()
        assert database.run("SELECT number FROM numbers") == (1,)

    def test_end_with_the_connection(self, database: Database) -> None:
        database.connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        database.connection.close()

        with database.threads() as start:
            start(database.add).result()
        assert database.run("SELECT number FROM numbers") == (1,)

    def test_end_where_another_process_writes_for_too_long(self, path: Path) -> None:
        database = Database(path, timeout=0.1)

        with database.locked(), pytest.raises(OperationalError, match="database is locked"):
            database.add()

        with database.threads() as start:
            start(database.add).result()
        assert database.run("SELECT number FROM numbers") == (1,)
        database.connection.close()

    def test_are_not_waited_for_by_who_may_only_be_going_to_read(self, path: Path) -> None:
        database = Database(path, transaction_mode=None, timeout=0.1)

        with database.transaction(), database.threads() as start:
            assert start(database.read).result() == (0,)
        database.connection.close()

    def test_are_not_waited_for_in_memory_where_databases_may_share_a_name(self) -> None:
        first, second = (Database(Path(":memory:"), timeout=0.1) for _ in range(2))

        with first.transaction(), second.transaction():
            assert first.run("SELECT 1") == second.run("SELECT 1") == (1,)
        for each in (first, second):
            BaseDatabaseWrapper.close(each.connection)  # SQLite's own wrapper keeps what would be lost


class TestGarbage:
    def test_of_a_connection_that_waits_does_not_wait_for_it(self, database: Database) -> None:
        """Who has the write lock may collect what is left of another thread's failed attempt while that tries again."""
        has_failed = threading.Event()

        def try_twice() -> None:
            database.run("PRAGMA busy_timeout = 50")
            try:
                database.add()
            except OperationalError as error:
                error.args = (*error.args, error)  # a cycle for certain, as tracebacks make them
            database.run("PRAGMA busy_timeout = 10000")
            has_failed.set()
            database.add()

        gc.disable()
        try:
            with database.threads() as start, database.locked():
                trial = start(try_twice)
                assert has_failed.wait(10)
                time.sleep(0.3)  # by now it tries again
                gc.collect()
        finally:
            gc.enable()

        trial.result()
        assert database.run("SELECT number FROM numbers") == (1,)
