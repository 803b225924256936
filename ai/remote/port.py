"""The port: what every kind of remote conversation can be asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from ai.exceptions import RemoteRefused
from ai.remote import digests
from ai.remote.lines import Line

Json = dict[str, Any]

PAGE = 100


@dataclass(frozen=True)
class RemoteMessage:
    """A message as the remote tells it, in OpenAI's chat format."""

    id: str
    message: Json
    created: datetime | None = None
    parts: tuple[str, ...] = ()
    """The ids of all that it is made of, where it is more than one thing there."""
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", digests.of(self.message))


@dataclass(frozen=True)
class Page:
    """Messages in the order that was asked for. `cursor` is where to go on; empty where nothing follows."""

    messages: Sequence[RemoteMessage]
    cursor: str = ""


class RemoteConversations(ABC):
    """One kind of remote conversation, over one connection."""

    kind: ClassVar[str]
    label: ClassVar[str]
    batch: ClassVar[int] = 1
    """How many messages are sent in one call."""
    is_fixed: ClassVar[bool] = False
    """Whether what is there never changes: it is read once, and nothing can be added."""

    def __init__(self, line: Line) -> None:
        self.line = line

    @abstractmethod
    def pages(self, remote_id: str, *, newest_first: bool, after: str = "") -> AsyncGenerator[Page, None]:
        """The messages, page by page, each asked for when it is wanted.

        Raises:
            RemoteMissing: there is no such conversation, or nothing at the cursor `after`.
        """

    @abstractmethod
    async def exists(self, remote_id: str) -> bool:
        """Whether the conversation is there."""

    async def create(self, *, metadata: dict[str, str]) -> str:
        """A new, empty conversation; its id.

        Raises:
            RemoteRefused: this kind cannot be made by hand.
        """
        raise RemoteRefused(f"{self.label} cannot be made by hand.")

    def takes(self, message: Json) -> bool:
        """Whether a message of ours can be added there."""
        return False

    async def append(self, remote_id: str, messages: Sequence[Json]) -> list[RemoteMessage]:
        """Add messages at the end, all that `takes` them; what the remote made of each.

        Raises:
            RemoteRefused: it does not take them; nothing was added.
        """
        raise RemoteRefused(f"Nothing can be added to {self.label.lower()}. Move the thread first.")

    async def edit(self, remote_id: str, message_id: str, *, before: Json, after: Json) -> RemoteMessage | None:
        """Make our change there; None where the remote takes no such change."""
        return None
