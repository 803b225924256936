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


#: What the scopes of API keys allow. To read is to view, download and search; `write` and `admin` allow what the ones before do.
READING = ("view_", "download_", "search_")
READERS = frozenset({"read", "write", "admin"})
CONVERSATIONS = frozenset(
    {"chatthread", "message", "run", "datasource", "vectorstore", "vectorstorefile", "vectorstorebatch"}
)
CHANGES = ("add", "change", "delete", "cancel")

#: The other scopes stand beside each other, and allow this alone: a key that a shop's web page gives feedback with reads no
#: conversation. None of them reviews or decides: who does is a person, once for each item.
BESIDES = {
    "feedback": frozenset({"view_feedback", "add_feedback", "change_feedback"}),
    "reviews": frozenset({"view_reviewqueue", "add_reviewqueue", "change_reviewqueue"}),
}


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
        """Whether one of the key's scopes allows it: `read`, `write` (conversations too), `admin` (assistants too), or
        one of `BESIDES`.
        """
        app, _, codename = permission.partition(".")
        verb, _, noun = codename.partition("_")
        if app != "ai":
            return False
        if any(codename in BESIDES.get(scope, ()) for scope in self.scopes):
            return True
        if codename.startswith(READING):
            return bool(self.scopes & READERS)
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
