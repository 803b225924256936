"""Who acts: a user of Django, an API key, or the installation itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ai.models import ApiKey


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


#: What the scopes of API keys allow, each besides what the one before does. To read is to view, download and search.
READING = ("view_", "download_", "search_")
CONVERSATIONS = frozenset(
    {"chatthread", "message", "run", "datasource", "vectorstore", "vectorstorefile", "vectorstorebatch"}
)
CHANGES = ("add", "change", "delete", "cancel")


@dataclass(frozen=True)
class KeyActor:
    """A program with an API key."""

    pk: str
    name: str
    scopes: frozenset[str]
    is_active: bool = True

    @classmethod
    def of(cls, key: ApiKey) -> KeyActor:
        """The actor for a key that was found valid."""
        return cls(f"key:{key.pk}", f"API key {key.name or key.prefix}", frozenset(key.scopes))

    def has_perm(self, permission: str) -> bool:
        """Whether one of the key's scopes allows it: `read`, `write` (conversations too) or `admin` (assistants too)."""
        app, _, codename = permission.partition(".")
        verb, _, noun = codename.partition("_")
        if app != "ai":
            return False
        if codename.startswith(READING):
            return bool(self.scopes & {"read", "write", "admin"})
        if verb in CHANGES and noun in CONVERSATIONS:
            return bool(self.scopes & {"write", "admin"})
        return verb in CHANGES and noun == "assistant" and "admin" in self.scopes

    def get_username(self) -> str:
        """The key's name."""
        return self.name


def id_of(by: Any) -> str:
    """The actor as stored in columns such as `requested_by`."""
    return str(by.pk)


def name_of(by: Any) -> str:
    """The actor as shown to people."""
    return str(by.get_username())
