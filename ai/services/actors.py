"""Who acts: a user of Django, or the installation itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Actor:
    """Somebody without an account."""

    pk: str
    name: str
    is_active: bool = True

    def has_perm(self, permission: str) -> bool:
        """May do everything: whoever can run commands on the machine can also read its database."""
        return True

    def get_username(self) -> str:
        """The name."""
        return self.name


#: Commands and tasks, run by whoever operates the machine.
SYSTEM = Actor("system", "system")


def id_of(by: Any) -> str:
    """The actor as stored in columns such as `requested_by`."""
    return str(by.pk)


def name_of(by: Any) -> str:
    """The actor as shown to people."""
    return str(by.get_username())
