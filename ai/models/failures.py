"""What a failure of the database says about what was to be written."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError

#: PostgreSQL's class of errors for what is too big for it, which Django calls operational too.
_BEYOND_A_LIMIT = "54"


def is_away(error: BaseException) -> bool:
    """Whether the database is away, or busy: the same may be written later."""
    sqlstate = str(getattr(error.__cause__, "sqlstate", None) or "")
    return isinstance(error, OperationalError | InterfaceError) and not sqlstate.startswith(_BEYOND_A_LIMIT)
