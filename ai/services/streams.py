"""Streamed runs: executed by the process that serves them, told event by event, and ended though nobody listens any more."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from importlib import import_module
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING
from uuid import uuid4

from ai.events import StreamEvent

if TYPE_CHECKING:
    from ai.models import Run
    from ai.runner.loading import Work
    from ai.runner.streams import Stream

Clock = Callable[[], datetime]

_loading = Lock()
_expected = Event()
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
    warm_up()
    with _loading:
        if work.spec is not None and work.spec.provider not in _known_providers:
            _load_provider(work)
    return work


def warm_up() -> None:
    """Load what every run takes: seconds the first time, which no run should be held for already."""
    with _loading:  # two threads importing the same packages can meet them half loaded
        from ai.runner import carrier  # noqa: F401 - brings pydantic-ai along


def expect() -> None:
    """Somebody uses the API: load what streams take before the first one is asked for. Returns at once, and does it once.

    A process that serves pages alone never needs it, and stays small.
    """
    if not _expected.is_set():
        _expected.set()
        Thread(target=_load, name="ai-warm-up", daemon=True).start()


def _load() -> None:
    warm_up()
    with _loading:
        import_module("pydantic_ai.models.openai")  # the SDK of most servers


def _load_provider(work: Work) -> None:
    """Import the vendor's SDK here, and not on the event loop, where everybody would wait for it."""
    from ai.llm import providers

    assert work.spec is not None  # noqa: S101 - its caller has looked
    try:
        providers.build(work.spec)
    except Exception:  # noqa: BLE001 - what is wrong is told when the run begins
        return
    _known_providers.add(work.spec.provider)


def open_stream(work: Work, *, before: Sequence[StreamEvent] = (), now: Clock) -> Stream:
    """Execute a held run on this event loop, and tell of it; `before` is told first."""
    from ai.runner import carrier, streams

    return streams.Stream(carrier.of_this_loop(now=now), work, before=before)


async def shut_down(*, now: Clock) -> None:
    """This process is about to end: workers carry on with the runs that it streams."""
    if "ai.runner.carrier" not in sys.modules:
        return
    from ai.runner import carrier

    await carrier.hand_over(now=now)
