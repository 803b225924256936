"""Stopping, and waiting before a next try."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.exceptions import ModelError
from ai.runner import Limits, retry
from ai.runner.limits import Cancelled, Guard, OutOfTime, Silent


async def later(seconds: float = 60) -> str:
    await asyncio.sleep(seconds)
    return "done"


class TestGuard:
    async def test_passes_results_and_errors_on(self) -> None:
        guard = Guard(5)

        async def failing() -> None:
            raise LookupError

        assert await guard.wait(later(0)) == "done"
        with pytest.raises(LookupError):
            await guard.wait(failing())
        guard.close()

    async def test_stops_when_time_is_over(self) -> None:
        with pytest.raises(OutOfTime):
            await Guard(0.01).wait(later())

    async def test_stops_when_nothing_is_heard(self) -> None:
        guard = Guard(5)
        guard.listen(0.01)

        with pytest.raises(Silent):
            await guard.wait(later())
        guard.close()

    async def test_goes_on_once_something_was_heard(self) -> None:
        guard = Guard(5)
        guard.listen(0.01)
        guard.heard()

        assert await guard.wait(later(0.03)) == "done"
        guard.close()

    async def test_a_stop_between_waits_meets_the_next_one(self) -> None:
        guard = Guard(5)
        guard.stop()

        with pytest.raises(Cancelled):
            await guard.wait(later())
        guard.close()

    async def test_leaves_the_task_usable(self) -> None:
        with pytest.raises(OutOfTime):
            await Guard(0.01).wait(later())

        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        async with asyncio.timeout(1):
            await asyncio.sleep(0)

    async def test_lets_somebody_elses_cancellation_pass(self) -> None:
        guard = Guard(5)
        task = asyncio.create_task(guard.wait(later()))
        await asyncio.sleep(0)
        guard.stop()
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        guard.close()

    async def test_stops_what_swallows_its_cancellation(self) -> None:
        async def stubborn() -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return "never mind"
            return ""

        guard = Guard(0.01)
        with pytest.raises(OutOfTime):
            await guard.wait(stubborn())


class TestDelay:
    @given(attempt=st.integers(1, 3), backoff=st.floats(0.01, 10))
    def test_grows_and_stays_within_bounds(self, attempt: int, backoff: float) -> None:
        limits = Limits(retries=3, backoff_seconds=backoff)
        error = ModelError(code="server_error", retryable=True)

        seconds = retry.delay(error, attempt=attempt, limits=limits)

        most = min(backoff * 2 ** (attempt - 1), limits.longest_wait_seconds)
        assert seconds is not None
        assert most / 2 <= seconds <= most

    def test_obeys_the_provider(self) -> None:
        error = ModelError(code="rate_limit_exceeded", retryable=True, retry_after=7)

        seconds = retry.delay(error, attempt=1, limits=Limits())

        assert seconds is not None
        assert 7 <= seconds < 8

    @pytest.mark.parametrize(
        ("error", "attempt"),
        [
            (ModelError(retryable=False), 1),
            (ModelError(retryable=True), 4),
            (ModelError(retryable=True, retry_after=3600), 1),
        ],
    )
    def test_says_when_it_is_no_use(self, error: ModelError, attempt: int) -> None:
        assert retry.delay(error, attempt=attempt, limits=Limits(retries=3)) is None
