"""What OpenAI stores of single calls: Responses, each following on another, and Chat Completions. Neither ever changes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator
from typing import Any

from ai.exceptions import RemoteError, RemoteMissing
from ai.remote import items
from ai.remote.assistants import moment
from ai.remote.lines import path
from ai.remote.port import PAGE, Json, Page, RemoteConversations, RemoteMessage

#: A chain of more responses is not followed to its end.
MOST_RESPONSES = 500


class _Stored(RemoteConversations):
    """Read as one page: what is stored is told from its end, and is the same for ever."""

    is_fixed = True
    place = ""

    async def exists(self, remote_id: str) -> bool:
        """Whether it is there."""
        try:
            await self.line.get(f"/{self.place}{path(remote_id)}")
        except RemoteMissing:
            return False
        return True

    async def pages(self, remote_id: str, *, newest_first: bool, after: str = "") -> AsyncGenerator[Page, None]:
        """All of it, as one page."""
        found = await self._all(remote_id)
        yield Page(found[::-1] if newest_first else found)

    @abstractmethod
    async def _all(self, remote_id: str) -> list[RemoteMessage]:
        """Its messages, oldest first."""

    async def _list(self, where: str) -> list[Json]:
        """Every object of a list, oldest first."""
        found: list[Json] = []
        after = ""
        while True:
            answer = await self.line.get(where, order="asc", limit=PAGE, after=after)
            data = [item for item in answer.get("data") or () if isinstance(item, dict)]
            found += data
            onward = str(data[-1].get("id") or "") if data and answer.get("has_more") else ""
            if not onward or onward == after:
                return found
            after = onward


class StoredResponses(_Stored):
    """A response, and by `previous_response_id` all that it follows on."""

    kind = "response"
    label = "Stored responses"
    place = "responses"

    async def _all(self, remote_id: str) -> list[RemoteMessage]:
        turns: list[tuple[list[Json], Any]] = []
        seen: set[str] = set()
        here = remote_id
        while here and here not in seen:
            if len(seen) == MOST_RESPONSES:
                raise RemoteError(f"More than {MOST_RESPONSES} responses follow one on the other.")
            seen.add(here)
            response = await self._response(here, is_first=here == remote_id)
            if response is None:
                break
            asked = await self._list(f"{path('responses', here)}/input_items")
            turns.append((_named(here, [*asked, *(response.get("output") or ())]), response.get("created_at")))
            here = str(response.get("previous_response_id") or "")
        return _told(turns[::-1])

    async def _response(self, response_id: str, *, is_first: bool) -> Json | None:
        """None for an earlier one that is stored no more: what is known goes on without it."""
        try:
            return await self.line.get(path("responses", response_id))
        except RemoteMissing:
            if is_first:
                raise
            return None


def _named(response_id: str, data: list[Any]) -> list[Json]:
    """The items, those without an id under one of their place, which is the same for ever."""
    found = (item for item in data if isinstance(item, dict))
    return [item if item.get("id") else {**item, "id": f"{response_id}-{number}"} for number, item in enumerate(found)]


def _told(turns: list[tuple[list[Json], Any]]) -> list[RemoteMessage]:
    """Turns, the oldest first, as messages; an item that several turns were given is said once."""
    found: list[RemoteMessage] = []
    seen: set[str] = set()
    for data, at in turns:
        new = [item for item in data if str(item["id"]) not in seen]
        seen.update(str(item["id"]) for item in new)
        when = moment(at)
        found += [RemoteMessage(each.id, each.message, when, each.parts) for each in items.messages_of(new)]
    return found


class StoredCompletions(_Stored):
    """A chat completion that was stored, with the messages that it answers."""

    kind = "completion"
    label = "Stored chat completions"
    place = "chat/completions"

    async def _all(self, remote_id: str) -> list[RemoteMessage]:
        where = f"/chat/completions{path(remote_id)}"
        completion = await self.line.get(where)
        when = moment(completion.get("created"))
        asked = await self._list(f"{where}/messages")
        found = [
            RemoteMessage(str(item.get("id") or f"{remote_id}-{number}"), _said(item), when)
            for number, item in enumerate(asked)
        ]
        choices = completion.get("choices") or [{}]
        answer = choices[0].get("message") if isinstance(choices[0], dict) else None
        if isinstance(answer, dict):
            found.append(RemoteMessage(remote_id, _said({"role": "assistant", **answer}), when))
        return found


def _said(item: Json) -> Json:
    """A message without what belongs to the store."""
    parts = item.get("content_parts")
    names = ("role", "name", "content", "tool_calls", "tool_call_id", "refusal")
    message = {name: item[name] for name in names if item.get(name) is not None}
    message.setdefault("content", None if message.get("tool_calls") else "")
    return {**message, "content": parts} if parts else message
