"""OpenAI's Conversations: items that can be added and deleted, never changed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from ai.exceptions import RemoteMissing, RemoteRefused
from ai.remote import items
from ai.remote.lines import path
from ai.remote.port import PAGE, Json, Page, RemoteConversations, RemoteMessage

#: As many items one call adds.
MOST_ITEMS = 20


class Conversations(RemoteConversations):
    """Messages, function calls and their results, and what models thought."""

    kind = "conversation"
    label = "Conversations"
    batch = 10

    async def pages(self, remote_id: str, *, newest_first: bool, after: str = "") -> AsyncGenerator[Page, None]:
        """Pages of whole messages: one whose items may go on in the next page waits for it."""
        order = "desc" if newest_first else "asc"
        waiting: list[Json] = []
        while True:
            where = path("conversations", remote_id, "items")
            answer = await self.line.get(where, order=order, limit=PAGE, after=after)
            data = [item for item in answer.get("data") or () if isinstance(item, dict) and item.get("id")]
            goes_on = bool(answer.get("has_more")) and bool(data) and data[-1]["id"] != after
            groups = _groups([*waiting, *data], newest_first=newest_first)
            # In either direction the last one read may be a part of its message only.
            waiting = _reading_order(groups.pop(), newest_first) if goes_on and groups else []
            last = _reading_order(groups[-1], newest_first)[-1]["id"] if groups else after
            yield Page([group.message() for group in groups], str(last) if goes_on else "")
            if not goes_on:
                return
            after = data[-1]["id"]

    async def exists(self, remote_id: str) -> bool:
        """Whether the conversation is there."""
        try:
            await self.line.get(path("conversations", remote_id))
        except RemoteMissing:
            return False
        return True

    async def create(self, *, metadata: dict[str, str]) -> str:
        """A new conversation."""
        return str((await self.line.post("/conversations", {"metadata": metadata}))["id"])

    def takes(self, message: Json) -> bool:
        """What has words, files or calls."""
        return items.takes(message)

    async def append(self, remote_id: str, messages: Sequence[Json]) -> list[RemoteMessage]:
        """Up to twenty items in one call."""
        wanted = [items.items_of(message) for message in messages]
        flat = [item for each in wanted for item in each]
        if len(flat) > MOST_ITEMS and len(messages) > 1:
            middle = len(messages) // 2
            return [
                *await self.append(remote_id, messages[:middle]),
                *await self.append(remote_id, messages[middle:]),
            ]
        answer = await self.line.post(path("conversations", remote_id, "items"), {"items": flat})
        made: list[Any] = [item for item in answer.get("data") or () if isinstance(item, dict)]
        if len(made) != len(flat):
            raise RemoteRefused("The server did not say what became of what was sent.")
        found = []
        for each in wanted:
            found.append(items.Group(made[: len(each)]).message())
            made = made[len(each) :]
        return found


def _groups(data: Sequence[Json], *, newest_first: bool) -> list[items.Group]:
    """The items by message, in the order of reading."""
    found = items.grouped(data[::-1] if newest_first else data)
    return found[::-1] if newest_first else found


def _reading_order(group: items.Group, newest_first: bool) -> list[Json]:
    return group.items[::-1] if newest_first else group.items
