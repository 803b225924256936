"""The loop: ask the model, show its answer as it comes, answer its tool calls, ask again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_ai.models import ModelRequestParameters, StreamedResponse
from pydantic_core import to_json

from ai import llm
from ai.events import DONE, StreamEvent
from ai.exceptions import ModelError
from ai.runner import context, retry
from ai.runner.limits import Cancelled, Guard, OutOfTime, Silent, Stopped
from ai.runner.order import Order
from ai.runner.state import Call, RunState
from ai.runner.tools import Answer

log = logging.getLogger(__name__)

Events = AsyncGenerator[StreamEvent, None]


class _Incomplete(Exception):
    """The answer had to stop before its end; the argument is the Assistants API's reason."""


class Runner:
    """Executes one order. `state` holds the result, also while the run goes on."""

    def __init__(self, order: Order, *, now: Callable[[], datetime]) -> None:
        self.order = order
        self.state = RunState(order, now=now)
        self._guard: Guard | None = None
        self._cancelled = False
        self._shown = False

    def cancel(self) -> None:
        """Stop as soon as possible, from the same event loop; the run ends as cancelled and keeps its partial text."""
        self._cancelled = True
        if self._guard is not None:
            self._guard.stop()

    async def stream(self) -> Events:
        """The run's events in the Assistants API's order, the last one `done`. It raises nothing that a model did."""
        self._guard = guard = Guard(self.order.limits.seconds)
        if self._cancelled:
            guard.stop()
        for event in self.state.begin():
            yield event
        closing = []
        try:
            async with aclosing(self._rounds(guard)) as events:
                async for event in events:
                    yield event
            if self.state.status != "requires_action":
                closing = self.state.end("completed")
        except Exception as error:  # noqa: BLE001 - every run ends in exactly one final state
            closing = self._close(error)
        finally:
            guard.close()
        for event in closing:
            yield event
        yield DONE

    def _close(self, error: Exception) -> list[StreamEvent]:
        state, limits = self.state, self.order.limits
        match error:
            case Cancelled():
                return state.end("cancelled")
            case OutOfTime():
                return state.end("expired")
            case Silent():
                said = f"The model said nothing for {limits.first_token_seconds:g} seconds."
                return state.end("failed", code="timeout", message=said)
            case _Incomplete():
                return state.end("incomplete", reason=str(error))
            case ModelError():
                return state.end("failed", code=error.code, message=error.message)
        log.error("The run %s failed for a reason of our own.", self.order.run_id, exc_info=error)
        return state.end("failed", code="server_error", message="The console failed to execute this run; see its log.")

    async def _rounds(self, guard: Guard) -> Events:
        messages = context.messages(self.order.history)
        given = self._parameters()
        for _ in range(self.order.limits.rounds):
            self._check_budget()
            answer: list[ModelResponse] = []
            async with aclosing(self._ask(guard, messages, given, answer)) as events:
                async for event in events:
                    yield event
            calls = [Call(c.tool_call_id, c.tool_name, c.args_as_json_str()) for c in answer[0].tool_calls]
            if not calls:
                return
            self.state.calls_over(calls)
            answers = await guard.wait(self._answer(calls))
            for event in self.state.answered(calls, answers):
                yield event
            results = [(c.name, a.output, c.id) for c, a in zip(calls, answers, strict=True) if a is not None]
            if len(results) < len(calls):
                return
            messages = [*messages, *context.with_answers(answer[0], results)]
        raise _Incomplete("max_rounds")

    def _parameters(self) -> ModelRequestParameters:
        order = self.order
        return context.parameters(
            order.tools,
            instructions=order.instructions,
            response_format=order.settings.get("response_format"),
            schema_output=order.model.profile.supports_json_schema_output,
        )

    async def _answer(self, calls: list[Call]) -> list[Answer | None]:
        box = self.order.toolbox
        if box is None:
            return [None] * len(calls)
        return list(await asyncio.gather(*(box.answer(call.name, call.arguments) for call in calls)))

    def _check_budget(self) -> None:
        settings, meter = self.order.settings, self.state.meter
        for name, used in (("max_prompt_tokens", meter.prompt), ("max_completion_tokens", meter.completion)):
            budget = settings.get(name)
            if budget is not None and used >= int(budget):
                raise _Incomplete(name)

    def _left(self) -> int | None:
        budget = self.order.settings.get("max_completion_tokens")
        return None if budget is None else max(1, int(budget) - self.state.meter.completion)

    async def _ask(
        self, guard: Guard, messages: list[ModelMessage], given: ModelRequestParameters, answer: list[ModelResponse]
    ) -> Events:
        """One answer of the model, asked for again while that can help; whole, it is put into `answer`."""
        tries = 0
        while not answer:
            tries += 1
            self._shown = False
            try:
                async with aclosing(self._request(guard, messages, given, answer)) as events:
                    async for event in events:
                        yield event
            except ModelError as error:
                pause = None if self._shown else retry.delay(error, attempt=tries, limits=self.order.limits)
                if pause is None:
                    raise
                log.info("Run %s: %s; trying again in %.1f s.", self.order.run_id, error.code, pause)
                await guard.wait(asyncio.sleep(pause))

    async def _request(
        self, guard: Guard, messages: list[ModelMessage], given: ModelRequestParameters, answer: list[ModelResponse]
    ) -> Events:
        settings = context.model_settings(self.order.settings, max_tokens=self._left())
        guard.listen(self.order.limits.first_token_seconds)
        async with _opened(guard, self.order.model.request_stream(messages, settings, given)) as stream:
            try:
                async for event in self._parts(guard, stream):
                    yield event
            finally:
                self.state.meter.add(stream.usage())
                self.state.response_model = stream.model_name or ""
            for event in self._over(stream):
                yield event
        answer.append(stream.get())

    async def _parts(self, guard: Guard, stream: StreamedResponse) -> Events:
        parts = aiter(stream)
        while True:
            try:
                part = await _vendor(guard, anext(parts))
            except StopAsyncIteration:
                return
            guard.heard()
            for event in self._show(part):
                self._shown = True
                yield event

    def _show(self, event: Any) -> list[StreamEvent]:
        state = self.state
        match event:
            case (
                PartDeltaEvent(delta=TextPartDelta(content_delta=piece)) | PartStartEvent(part=TextPart(content=piece))
            ):
                return state.text(piece) if piece else []
            case PartStartEvent(index=index, part=ToolCallPart() as part):
                return state.call_begun(index, Call(part.tool_call_id, part.tool_name, _json_text(part.args)))
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=piece)):
                return state.call_more(index, _json_text(piece))
        return []

    def _over(self, stream: StreamedResponse) -> list[StreamEvent]:
        """The stream has ended: rightly, cut off by a limit, or too early."""
        reason = stream.finish_reason
        if reason == "length":
            budgeted = self.order.settings.get("max_completion_tokens") is not None
            raise _Incomplete("max_completion_tokens" if budgeted else "max_tokens")
        if reason == "content_filter":
            raise _Incomplete("content_filter")
        if not self._shown:
            raise ModelError("The model gave an empty answer.", code="server_error", retryable=True)
        if reason is None and not stream.usage().has_values():
            raise ModelError("The model's answer broke off.", code="server_error", retryable=True)
        return self.state.message_over()


def _json_text(arguments: str | dict[str, Any] | None) -> str:
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return to_json(arguments).decode()


@asynccontextmanager
async def _opened(guard: Guard, request: Any) -> AsyncIterator[StreamedResponse]:
    """The answer's stream, whose connection is closed at the end, whatever state it is in."""
    stream: StreamedResponse = await _vendor(guard, request.__aenter__())
    try:
        yield stream
    finally:
        with suppress(Exception):
            await request.__aexit__(None, None, None)


async def _vendor(guard: Guard, awaitable: Any) -> Any:
    """What the vendor's library gives; what it raises becomes a `ModelError`."""
    try:
        return await guard.wait(awaitable)
    except (Stopped, StopAsyncIteration):
        raise
    except Exception as error:
        raise llm.translate(error) from error
