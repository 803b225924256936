"""Stopping a run: when its time is over, when a model stays silent, when somebody cancels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """The run may not go on."""


class Cancelled(Stopped):
    """Somebody cancelled the run."""


class OutOfTime(Stopped):
    """The run took longer than it may."""


class Silent(Stopped):
    """The model said nothing for too long."""


class Guard:
    """Waits on behalf of one run, and stops waiting when the run must stop.

    One timer serves the whole run instead of one for each piece of an answer. What is being waited for is cancelled as
    asyncio cancels, so that connections close at once; a stop that comes while nothing is awaited meets the next wait.
    """

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.call_later(max(0.0, seconds), self.stop, OutOfTime)
        self._silence: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Task[object] | None = None
        self._why: type[Stopped] | None = None
        self._interrupted = False

    def stop(self, why: type[Stopped] = Cancelled) -> None:
        """Stop the run at its present or next wait; the first reason wins."""
        if self._why is not None:
            return
        self._why = why
        if self._waiting is not None:
            self._interrupted = True
            self._waiting.cancel()

    def close(self) -> None:
        """The run has ended: no timer fires any more."""
        self._end.cancel()
        self.heard()

    def listen(self, seconds: float) -> None:
        """From now on the model may be silent for so long."""
        self.heard()
        self._silence = self._loop.call_later(seconds, self.stop, Silent)

    def heard(self) -> None:
        """The model has said something."""
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """The awaitable's result.

        Raises:
            Stopped: the run must stop; the awaitable has been cancelled.
        """
        if self._why is not None:
            if asyncio.iscoroutine(awaitable):
                awaitable.close()
            raise self._why
        self._waiting = asyncio.current_task()
        try:
            result = await awaitable
            self._resume(None)  # what was awaited may have swallowed the cancellation
        except (Exception, asyncio.CancelledError) as error:
            self._resume(error)
            raise
        else:
            return result
        finally:
            self._waiting = None

    def _resume(self, error: BaseException | None) -> None:
        """Raise our reason where the wait ended because of us."""
        if self._interrupted and self._why is not None and self._waiting is not None:
            self._interrupted = False
            if self._waiting.uncancel() == 0:  # else the whole task is being cancelled, by somebody else
                raise self._why from error
