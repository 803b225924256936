"""What a failure of the database says."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, DataError, InterfaceError, OperationalError

from ai.models.failures import is_away


class Limit(Exception):
    """What PostgreSQL's driver raises for a row that is too big for an index."""

    sqlstate = "54000"


class Shutdown(Exception):
    """What it raises when the server is stopped."""

    sqlstate = "57P01"


@pytest.mark.parametrize(
    ("kind", "cause", "away"),
    [
        (OperationalError, None, True),
        (OperationalError, Shutdown(), True),
        (OperationalError, Limit(), False),
        (InterfaceError, None, True),
        (DataError, None, False),
        (DatabaseError, Limit(), False),
    ],
)
def test_only_a_database_that_is_away_is_waited_for(kind: type[Exception], cause: Exception | None, away: bool) -> None:
    error = kind("It went wrong.")
    error.__cause__ = cause

    assert is_away(error) is away
