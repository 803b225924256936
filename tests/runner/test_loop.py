"""The loop: events in the Assistants API's order, and exactly one final state whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from ai.exceptions import ModelError
from ai.llm import ModelSpec
from ai.runner import Limits, Runner
from ai.runner.state import FINAL
from tests.fakes.vendors import Failure, Reply, VendorServer
from tests.runner.conftest import (
    BEGIN,
    MESSAGE,
    QUICK,
    TOOLS,
    acting,
    events,
    names,
    one_call,
    runner,
    saying,
    scripted,
)


class TestText:
    async def test_sends_the_events_in_order(self) -> None:
        run = runner(saying("Hel", "lo"))

        told = await names(run)

        over = ["message.completed", "run.step.completed", "run.completed", "done"]
        assert told == [*BEGIN, *MESSAGE, "message.delta", "message.delta", *over]

    async def test_each_event_shows_the_state_of_its_moment(self) -> None:
        told = {event.name: event.data for event in await events(runner(saying("Hello")))}

        assert told["thread.run.created"]["status"] == "queued"
        assert told["thread.message.created"]["content"] == []
        assert told["thread.message.completed"]["content"][0]["text"]["value"] == "Hello"
        assert told["thread.run.completed"]["usage"]["total_tokens"] > 0
        assert told["thread.run.in_progress"]["usage"] is None

    async def test_counts_tokens_money_and_time(self, vendors: VendorServer) -> None:
        vendors.script(Reply(prompt_tokens=100, completion_tokens=50, cached_tokens=40, first_byte_delay=0.05))
        prices: dict[str, Any] = {"input_price": Decimal(2), "output_price": Decimal(4), "cached_price": Decimal(1)}
        spec = ModelSpec(alias="m", provider="openai-compatible", model="m", **prices)
        run = runner(scripted(vendors), spec=spec)

        await names(run)

        values = run.state.values()
        assert (values["prompt_tokens"], values["completion_tokens"], values["cached_tokens"]) == (100, 50, 40)
        assert values["total_tokens"] == 150
        assert values["cost"] == Decimal("0.00036")
        assert 50 <= values["first_token_ms"] <= values["duration_ms"]

    async def test_sends_what_it_was_given(self, vendors: VendorServer) -> None:
        history = [{"role": "system", "content": "Be nice."}, {"role": "user", "content": "Hi"}]
        settings = {"temperature": 0.3, "top_p": 0.9, "max_tokens": 99, "stop": "END", "seed": 7}
        run = runner(scripted(vendors), history=history, instructions="Be brief.", tools=TOOLS, settings=settings)

        await names(run)

        sent = vendors.requests[0].json
        assert [(m["role"], m["content"]) for m in sent["messages"]] == [
            ("system", "Be nice."),
            ("system", "Be brief."),
            ("user", "Hi"),
        ]
        assert sent["temperature"] == 0.3
        assert (sent["top_p"], sent["seed"], sent["stop"]) == (0.9, 7, ["END"])
        assert 99 in {sent.get("max_tokens"), sent.get("max_completion_tokens")}
        assert sent["tools"][0]["function"]["name"] == "weather"
        assert "strict" not in sent["tools"][0]["function"]


class TestEndings:
    """Every run ends in exactly one final state."""

    async def ended(self, run: Runner) -> str:
        told = await names(run)
        finals = [name for name in told if name.removeprefix("run.") in FINAL]
        assert len(finals) == 1
        assert told[-1] == "done"
        assert run.state.status == finals[0].removeprefix("run.")
        return run.state.status

    async def test_completed(self) -> None:
        assert await self.ended(runner(saying("Hello"))) == "completed"

    async def test_failed_before_the_first_token(self, vendors: VendorServer) -> None:
        vendors.script(Failure("context"))
        run = runner(scripted(vendors))

        assert await self.ended(run) == "failed"

        assert run.state.error_code == "context_length_exceeded"
        assert len(vendors.requests) == 1

    async def test_failed_in_the_middle_keeps_the_text(self, vendors: VendorServer) -> None:
        vendors.script(Reply(chunks=("Hel", "lo"), broken="disconnect"))
        run = runner(scripted(vendors))

        assert await self.ended(run) == "failed"

        assert run.state.error_code == "server_error"
        assert [(m["content"], m["status"]) for m in run.state.output] == [("Hel", "incomplete")]
        assert [step.json["status"] for step in run.state.steps] == ["failed"]
        assert len(vendors.requests) == 1

    async def test_failed_for_a_reason_of_our_own(self, caplog: pytest.LogCaptureFixture) -> None:
        class Broken:
            async def answer(self, name: str, arguments: str) -> None:
                raise RuntimeError("a bug")

        run = runner(acting(one_call), toolbox=Broken())

        assert await self.ended(run) == "failed"

        assert run.state.error_code == "server_error"
        assert "a bug" not in run.state.error_message
        assert "reason of our own" in caplog.text

    async def test_incomplete_when_the_answer_is_cut_off(self, vendors: VendorServer) -> None:
        vendors.script(Reply(finish="length"))
        run = runner(scripted(vendors))

        told = await names(run)

        assert told[-4:] == ["message.incomplete", "run.step.completed", "run.incomplete", "done"]
        assert run.state.incomplete_reason == "max_tokens"
        assert run.state.output[0]["content"] == "Hello there."

    async def test_expired_when_time_is_over(self, vendors: VendorServer) -> None:
        vendors.script(Reply(chunks=("a",) * 100, chunk_delay=0.05))
        run = runner(scripted(vendors), limits=Limits(seconds=0.3))

        told = await names(run)

        assert told[-4:] == ["message.incomplete", "run.step.expired", "run.expired", "done"]
        assert vendors.requests[0].wait_for_hang_up(1)

    async def test_failed_when_the_model_stays_silent(self, vendors: VendorServer) -> None:
        vendors.script(Reply(first_byte_delay=5))
        run = runner(scripted(vendors), limits=Limits(first_token_seconds=0.1))

        assert await self.ended(run) == "failed"

        assert run.state.error_code == "timeout"
        assert vendors.requests[0].wait_for_hang_up(1)

    async def test_cancelled_in_the_middle_keeps_the_text_and_hangs_up(self, vendors: VendorServer) -> None:
        vendors.script(Reply(chunks=("a",) * 100, chunk_delay=0.02))
        run = runner(scripted(vendors))

        told = []
        async for event in run.stream():
            told.append(event.name)
            if told.count("thread.message.delta") == 3:
                run.cancel()

        endings = ["run.cancelling", "message.incomplete", "run.step.cancelled", "run.cancelled"]
        assert told[-5:-1] == [f"thread.{name}" for name in endings]
        assert run.state.output[0]["content"] == "aaa"
        assert vendors.requests[0].wait_for_hang_up(1)

    async def test_cancelled_before_the_first_token_hangs_up(self, vendors: VendorServer) -> None:
        vendors.script(Reply(first_byte_delay=5))
        run = runner(scripted(vendors))
        asyncio.get_running_loop().call_later(0.1, run.cancel)

        assert await self.ended(run) == "cancelled"

        assert vendors.requests[0].wait_for_hang_up(1)

    async def test_cancelled_before_it_began_asks_nobody(self, vendors: VendorServer) -> None:
        run = runner(scripted(vendors))
        run.cancel()

        assert await self.ended(run) == "cancelled"

        assert vendors.requests == []

    async def test_an_abandoned_stream_hangs_up(self, vendors: VendorServer) -> None:
        vendors.script(Reply(chunks=("a",) * 100, chunk_delay=0.02))
        run = runner(scripted(vendors))

        async def follow() -> None:
            async for _ in run.stream():
                pass

        task = asyncio.create_task(follow())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert vendors.requests[0].wait_for_hang_up(1)


class TestRetries:
    @pytest.mark.parametrize(
        "failure",
        [Failure("rate_limit", retry_after=0), Failure("server_error"), Reply(broken="disconnect", broken_after=0)],
    )
    async def test_tries_again_before_the_first_token(self, vendors: VendorServer, failure: Any) -> None:
        vendors.script(failure, failure, Reply())
        run = runner(scripted(vendors))

        await names(run)

        assert run.state.status == "completed"
        assert len(vendors.requests) == 3
        assert run.state.output[0]["content"] == "Hello there."

    async def test_gives_up_after_so_many_tries(self, vendors: VendorServer) -> None:
        vendors.script(Failure("server_error"))
        run = runner(scripted(vendors), limits=Limits(retries=2, backoff_seconds=0.001))

        await names(run)

        assert (run.state.status, run.state.error_code) == ("failed", "server_error")
        assert len(vendors.requests) == 3

    async def test_waits_as_long_as_the_provider_asks(self, vendors: VendorServer) -> None:
        vendors.script(Failure("rate_limit", retry_after=1), Reply())
        run = runner(scripted(vendors))

        await names(run)

        first, second = vendors.requests
        assert second.arrived - first.arrived >= 1

    @pytest.mark.parametrize("kind", ["unauthorized", "no_model", "context"])
    async def test_does_not_repeat_what_cannot_help(self, vendors: VendorServer, kind: Any) -> None:
        vendors.script(Failure(kind))
        run = runner(scripted(vendors))

        await names(run)

        assert run.state.status == "failed"
        assert len(vendors.requests) == 1

    async def test_never_tries_again_after_the_first_token(self, vendors: VendorServer) -> None:
        vendors.script(Reply(chunks=("a", "b"), broken="disconnect"), Reply())
        run = runner(scripted(vendors))

        await names(run)

        assert run.state.status == "failed"
        assert len(vendors.requests) == 1

    async def test_asks_again_when_the_answer_is_empty(self, vendors: VendorServer) -> None:
        vendors.script(Reply(chunks=()), Reply())
        run = runner(scripted(vendors))

        await names(run)

        assert run.state.status == "completed"
        assert len(vendors.requests) == 2

    async def test_a_cancelled_run_does_not_wait_for_its_next_try(self, vendors: VendorServer) -> None:
        vendors.script(Failure("rate_limit", retry_after=30))
        run = runner(scripted(vendors))
        asyncio.get_running_loop().call_later(0.3, run.cancel)

        async with asyncio.timeout(2):
            await names(run)

        assert run.state.status == "cancelled"


async def test_a_model_error_raised_by_a_model_keeps_its_code() -> None:
    async def refusing(messages: Any, _: Any) -> AsyncIterator[str]:
        if messages:
            raise ModelError("No.", code="invalid_prompt")
        yield ""

    run = runner(acting(refusing), limits=QUICK)

    await names(run)

    assert (run.state.error_code, run.state.error_message) == ("invalid_prompt", "No.")
