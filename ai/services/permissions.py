"""The permission check that every service makes, whatever the door."""

from __future__ import annotations

from typing import Any

from ai.exceptions import Forbidden


def require(by: Any, permission: str) -> None:
    """Let `by` pass who has `permission`, such as "ai.replay_run".

    Raises:
        Forbidden: they have not.
    """
    if not (by.is_active and by.has_perm(permission)):
        raise Forbidden(f"You need the permission “{permission}” for this; ask an administrator for it.")
