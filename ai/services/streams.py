"""Streamed runs: executed by the process that serves them, told event by event, and ended though nobody listens any more."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING
from uuid import uuid4

from ai import conf
from ai.events import DONE, StreamEvent

if TYPE_CHECKING:
    from ai.models import Run
    from ai.runner.carrier import Carrier
    from ai.runner.loading import Work

Clock = Callable[[], datetime]

_loading = Lock()
_known_providers: set[str] = set()


@cache
def _name(pid: int) -> str:
    return f"web:{socket.gethostname()[:100]}:{pid}:{uuid4().hex[:8]}"


def this_process() -> str:
    """The name under which this process holds the runs that it streams."""
    return _name(os.getpid())


def prepare(run: Run, *, at: datetime) -> Work:
    """Read what a held run needs, and load what executing it takes; on a thread that may block, since that can be much.

    A run that cannot be read now is given to the workers.
    """
    from ai.models import Run as Runs
    from ai.runner import loading

    try:
        work = loading.load([run])[0]
    except Exception:
        Runs.objects.release([run], at=at)
        raise
    with _loading:  # two threads importing the same packages can meet them half loaded
        warm_up()
        if work.spec is not None and work.spec.provider not in _known_providers:
            _load_provider(work)
    return work


def warm_up() -> None:
    """Load what every run takes."""
    from ai.runner import carrier  # noqa: F401 - brings pydantic-ai along


def _load_provider(work: Work) -> None:
    """Import the vendor's SDK here, and not on the event loop, where everybody would wait for it."""
    from ai.llm import providers

    assert work.spec is not None  # noqa: S101 - its caller has looked
    try:
        providers.build(work.spec)
    except Exception:  # noqa: BLE001 - what is wrong is told when the run begins
        return
    _known_providers.add(work.spec.provider)


class Stream:
    """What is to be told of one run that this event loop executes."""

    def __init__(self, work: Work, *, before: Sequence[StreamEvent], now: Clock) -> None:
        self._run_id = work.run.pk
        self._events = deque(before)
        self._ready = asyncio.Event()
        self._over = False
        self._carrier = _carrier(now)
        self._carrier.carry(work, self._hear)

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
                self._hang_up()

    def _hang_up(self) -> None:
        """Nobody listens any more: the run goes on, or not, as the operator wants."""
        self._over = True
        if conf.current().stream_on_disconnect == "cancel":
            self._carrier.cancel(self._run_id)


def _carrier(now: Clock) -> Carrier:
    from ai.runner import carrier

    return carrier.of_this_loop(now=now)


def open_stream(work: Work, *, before: Sequence[StreamEvent] = (), now: Clock) -> Stream:
    """Execute a held run on this event loop, and tell of it; `before` is told first."""
    return Stream(work, before=before, now=now)
