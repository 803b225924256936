"""A run told event by event by the event loop that executes it, which ends it though nobody listens any more."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence

from ai import conf
from ai.events import DONE, StreamEvent
from ai.runner.carrier import Carrier
from ai.runner.loading import Work


class Stream:
    """What is to be told of one run; execution begins at once. Read it by `batches` or by `events`, once."""

    def __init__(self, carrier: Carrier, work: Work, *, before: Sequence[StreamEvent] = ()) -> None:
        """`before` is told first. The caller holds the run's lease."""
        self._run_id = work.run.pk
        self._events = deque(before)
        self._ready = asyncio.Event()
        self._over = False
        self._carrier = carrier
        carrier.carry(work, self._hear)

    def _hear(self, event: StreamEvent) -> None:
        if not self._over:
            self._events.append(event)
            self._ready.set()

    async def batches(self) -> AsyncGenerator[list[StreamEvent], None]:
        """Everything that is there to be told at once, again and again; an empty batch is a heartbeat."""
        seconds = conf.current().heartbeat_seconds
        try:
            while not self._over:
                if not self._events:
                    self._ready.clear()
                    try:
                        async with asyncio.timeout(seconds):
                            await self._ready.wait()
                    except TimeoutError:
                        yield []
                        continue
                batch, self._events = list(self._events), deque()
                self._over = batch[-1] is DONE
                yield batch
        finally:
            if not self._over:
                self.hang_up()

    async def events(self) -> AsyncGenerator[StreamEvent, None]:
        """The events one by one, the last one `done`."""
        batches = self.batches()
        try:
            async for batch in batches:
                for event in batch:
                    yield event
        finally:
            await batches.aclose()

    def hang_up(self) -> None:
        """Nobody listens any more: the run goes on, or not, as the operator wants."""
        self._over = True
        if conf.current().stream_on_disconnect == "cancel":
            self._carrier.cancel(self._run_id)
