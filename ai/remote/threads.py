"""One thread brought in step with its remote side."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async

from ai.exceptions import Conflict, RemoteError, RemoteMissing, RemoteRefused
from ai.models import ChatThread, ThreadSync
from ai.models.connections import Address
from ai.models.sync_states import SyncState
from ai.remote import files, kinds, plan, pull, push, sides
from ai.remote.lines import Line
from ai.remote.plan import Direction, Plan, Reading
from ai.remote.port import PAGE, Page, RemoteConversations, RemoteMessage
from ai.remote.results import Result
from ai.remote.sides import Choices, Side

Clock = Callable[[], datetime]

#: A long thread whose newest messages are as they were is read to its beginning no more often than this.
WHOLE_AFTER = timedelta(days=1)
#: How often reading begins again when the conversation changes under it.
TRIES = 3


class _Moved(Exception):
    """The place where reading was to go on is not there any more."""


@dataclass(frozen=True)
class Order:
    """What is to be done with threads."""

    direction: Direction
    now: Clock
    line: Callable[[Address], Line]
    holder: str
    """Who sends: a job or a worker. It may take up what it had begun."""
    connection_id: UUID | None = None
    whole: bool = False
    """Read every thread to its beginning."""
    choices: Choices = field(default_factory=Choices)


async def sync(thread_id: UUID, order: Order) -> Result:
    """Bring a thread in step.

    Raises:
        NotFound, InvalidInput, Misconfigured: it cannot be synced as it stands.
        RemoteError: the server failed; what is here stays, and the next sync goes on.
    """
    for attempt in range(TRIES):
        side = await sync_to_async(sides.load)(thread_id, order.choices, connection_id=order.connection_id)
        remote = kinds.adapter(side.kind, order.line(side.address))
        try:
            return await _Thread(side, remote, order).sync()
        except RemoteMissing as error:
            if kinds.is_never_served(remote, error):
                raise RemoteError(f"The server knows no {remote.label.lower()}. Is it the right connection?") from error
            return await sync_to_async(_gone)(side, error, at=order.now())
        except (Conflict, _Moved):
            if attempt == TRIES - 1:
                raise Conflict("The thread changed each time it was looked at; sync it again.") from None
    raise AssertionError("unreachable")


def _gone(side: Side, error: RemoteMissing, *, at: datetime) -> Result:
    """The remote side is gone: say so, and touch nothing else."""
    state = SyncState.GONE
    if ChatThread.objects.set_sync_state(side.thread.pk, state=state, at=at):
        ThreadSync.objects.keep(
            side.thread, at=at, last_error=error.message, connection_id=side.connection_id, push_after=None
        )
    return Result(state=str(state), notes=["The remote side is gone; everything here stays"])


class _Thread:
    def __init__(self, side: Side, remote: RemoteConversations, order: Order) -> None:
        self._side, self._remote, self._order = side, remote, order
        self._takes = remote.takes

    async def sync(self) -> Result:
        if not self._side.known.is_read:
            return await self._first()
        if self._remote.is_fixed and await self._same_for_ever():
            return Result(state=self._side.thread.sync_state)
        return await self._again()

    async def _same_for_ever(self) -> bool:
        """Whether what never changes is still there, which one call tells."""
        if not await self._remote.exists(self._side.remote_id):
            raise RemoteMissing
        return bool(self._side.thread.sync_state == SyncState.LINKED and self._side.is_linked)

    # -- The first time: page by page from the beginning, each kept at once
    async def _first(self) -> Result:
        result = Result()
        cursor = self._side.known.cursor
        behind = False
        began_empty = not self._side.thread.message_count
        async with aclosing(self._pages(newest_first=False, after=cursor)) as pages:
            async for page in pages:
                found = await self._of_page(_once(page.messages[::-1]))
                behind |= found.left_there
                result.count(await self._apply(found, self._place(page)))
        if began_empty and not behind:  # all that is here came from there
            return result
        found = await self._of_ours()
        found.left_there |= behind
        result.state = await sync_to_async(push.stand)(self._side, found, at=self._order.now())
        return await self._send(found, result)

    async def _of_page(self, messages: Sequence[RemoteMessage]) -> Plan:
        """What one page brings; nothing is sent before all are read."""
        base, local = await sync_to_async(sides.both_of)(self._side, [message.id for message in messages])
        reading, reads_only = Reading(messages, whole=False), Direction(self._order.direction.pull, False)
        return plan.make(base=base, reading=reading, local=local, direction=reads_only, takes=self._takes, first=True)

    async def _of_ours(self) -> Plan:
        """What is only here, after all pages were read."""
        base = await sync_to_async(sides.base_of)(self._side)
        local = await sync_to_async(sides.local_of)(self._side)
        reading, direction = Reading((), whole=False), self._order.direction
        return plan.make(base=base, reading=reading, local=local, direction=direction, takes=self._takes, first=True)

    def _place(self, page: Page) -> dict[str, Any]:
        """How far the thread is read."""
        if page.cursor:
            return {"cursor": page.cursor}
        return {"cursor": "", "is_read": True, "read_whole_at": self._order.now()}

    async def _pages(self, *, newest_first: bool, after: str = "") -> AsyncGenerator[Page, None]:
        """The pages; where the one to go on from is gone, the next attempt begins anew."""
        read = 0
        try:
            async with aclosing(
                self._remote.pages(self._side.remote_id, newest_first=newest_first, after=after)
            ) as pages:
                async for page in pages:
                    read += 1
                    yield page
        except (RemoteMissing, RemoteRefused):
            if not (read or after) or not await self._remote.exists(self._side.remote_id):
                raise
            await sync_to_async(ThreadSync.objects.keep)(self._side.thread, at=self._order.now(), cursor="")
            raise _Moved from None

    # -- Later: from the newest back to what is known
    async def _again(self) -> Result:
        base = await sync_to_async(sides.base_of)(self._side)
        local = await sync_to_async(sides.local_of)(self._side)

        def compare(reading: Reading) -> Plan:
            direction = self._order.direction
            return plan.make(base=base, reading=reading, local=local, direction=direction, takes=self._takes)

        reading = await self._read({row.external_id for row in base}, whole=self._is_due())
        found = compare(reading)
        if found.disputes and not reading.whole:  # what seems deleted may have been read past
            reading = await self._read(set(), whole=True)
            found = compare(reading)
        if self._is_in_step(found, reading):
            return Result(state=self._side.thread.sync_state)
        facts = {"read_whole_at": self._order.now()} if reading.whole else {}
        return await self._send(found, await self._apply(found, facts))

    def _is_due(self) -> bool:
        at = self._side.known.read_whole_at
        return self._order.whole or at is None or self._order.now() - at > WHOLE_AFTER

    def _is_in_step(self, found: Plan, reading: Reading) -> bool:
        """Whether there is nothing to write, not even that all is well."""
        late = self._is_due() and len(reading.messages) > PAGE
        state = SyncState.CHANGED if found.is_behind else SyncState.LINKED
        return found.is_empty and self._side.is_linked and self._side.thread.sync_state == state and not late

    async def _read(self, known: set[str | None], *, whole: bool) -> Reading:
        """What is there, oldest first; back to the first page with something known, unless all of it is wanted."""
        collected: list[RemoteMessage] = []
        async with aclosing(self._pages(newest_first=True)) as pages:
            async for page in pages:
                collected += page.messages
                if page.cursor and not whole and any(message.id in known for message in page.messages):
                    return Reading(_once(collected), whole=False)
        return Reading(_once(collected), whole=True)

    # -- What both have in common
    async def _apply(self, found: Plan, facts: dict[str, Any]) -> Result:
        coming = [*found.add, *(message for _, message, _ in found.rewrite)]
        fetched = await files.fetch(self._remote.line, coming, tenant_id=self._side.thread.tenant_id)
        arrival = pull.Arrival(fetched.rows, facts)
        result = await sync_to_async(pull.apply)(self._side, found, arrival, at=self._order.now())
        self._side.thread.message_count += result.added
        result.notes += files.facts_of(fetched)
        return result

    async def _send(self, found: Plan, result: Result) -> Result:
        if found.send or found.edit:
            sent = await push.send(self._side, found, self._remote, holder=self._order.holder, now=self._order.now)
            result.count(sent)
            result.state = sent.state or result.state
        return result


def _once(newest_first: Sequence[RemoteMessage]) -> list[RemoteMessage]:
    """Each message once, oldest first, though pages that were read while the conversation grew may overlap."""
    return list({message.id: message for message in reversed(newest_first)}.values())
