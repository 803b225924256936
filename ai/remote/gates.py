"""How many calls a connection gets at a time in this process, and how long it rests when its server asks for that."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from threading import Lock
from types import TracebackType
from typing import Self

Waiter = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class Gate:
    """An async context manager that lets `size` callers in, whatever thread's event loop they are on."""

    def __init__(self, size: int) -> None:
        self.size = self._free = size
        self.rests_until = 0.0
        """On `time.monotonic()`'s clock."""
        self._lock = Lock()
        self._waiting: deque[Waiter] = deque()

    async def __aenter__(self) -> Self:
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return self
            loop = asyncio.get_running_loop()
            place: asyncio.Future[None] = loop.create_future()
            self._waiting.append((loop, place))
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # let in and cancelled at once
                self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        with self._lock:
            while self._waiting:
                loop, place = self._waiting.popleft()
                if not loop.is_closed():
                    loop.call_soon_threadsafe(self._admit, place)
                    return
            self._free += 1

    def _admit(self, place: asyncio.Future[None]) -> None:
        if place.done():  # it was cancelled: the next one
            self._leave()
        else:
            place.set_result(None)

    def rest(self, seconds: float) -> None:
        """Let everybody wait so long."""
        self.rests_until = max(self.rests_until, time.monotonic() + seconds)

    async def rested(self) -> None:
        """Return when nobody has to wait any more."""
        while (left := self.rests_until - time.monotonic()) > 0:
            await asyncio.sleep(left)


_gates: dict[str, Gate] = {}
_making = Lock()


def of(name: str, size: int) -> Gate:
    """The process's gate of this name; one of another size takes its place for whoever comes next."""
    with _making:
        gate = _gates.get(name)
        if gate is None or gate.size != size:
            gate = _gates[name] = Gate(size)
        return gate
