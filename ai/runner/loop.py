"""The loop: ask the model, show its answer as it comes, answer its tool calls, ask again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic_ai.messages import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    ModelMessage,
    ModelResponse,
    PartDeltaEvent,
    PartEndEvent,
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
from ai.runner import context, retry, truncation
from ai.runner.calls import FILE_SEARCH, Answer, Call
from ai.runner.limits import Cancelled, Guard, OutOfTime, Silent, Stopped
from ai.runner.order import Order
from ai.runner.state import RunState
from ai.runner.tools import Live

if TYPE_CHECKING:
    from ai.runner.threads import ThreadRunner

log = logging.getLogger(__name__)

Events = AsyncGenerator[StreamEvent, None]


class _Incomplete(Exception):
    """The answer had to stop before its end; the argument is the Assistants API's reason."""


class Runner:
    """Executes one order. `state` holds the result, also while the run goes on."""

    def __init__(self, order: Order, *, now: Callable[[], datetime]) -> None:
        self.order = order
        self.state = RunState(order, now=now, citing=self._cite)
        self._guard: Guard | None = None
        self._cancelled = False
        self._shown = False
        self._converted: list[ModelMessage] | None = None
        self._searches = any(tool.get("type") == FILE_SEARCH for tool in order.tools)

    @staticmethod
    def on_thread(thread: Any, *, model: str, **values: Any) -> ThreadRunner:
        """A model's answer to a thread of the database; arguments are those of `ThreadRunner`."""
        from ai.runner.threads import ThreadRunner  # noqa: PLC0415 - brings Django's models, which a bare order needs not

        return ThreadRunner(thread, model=model, **values)

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
        own, given = context.messages(self.order.done.messages), self._parameters()
        for _ in range(self.order.limits.rounds):
            self._check_budget()
            answer: list[ModelResponse] = []
            messages = [*self._history(), *own]
            async with aclosing(self._ask(guard, messages, given, answer)) as events:
                async for event in events:
                    yield event
            calls = self._calls(answer[0])
            if not calls:
                return
            self.state.calls_over(calls)
            answers = await guard.wait(self._answer(calls))
            for event in self.state.answered(calls, answers):
                yield event
            results = [(c.name, a.output, c.id) for c, a in zip(calls, answers, strict=True) if a is not None]
            if len(results) < len(calls):
                return
            own += context.with_answers(answer[0], results)
        raise _Incomplete("max_rounds")

    def _history(self) -> list[ModelMessage]:
        """The conversation as far as the run's strategy and the model's window leave it; a budget shrinks every round."""
        settings = self.order.settings
        if self._converted is None or settings.get("max_prompt_tokens") is not None:
            try:
                kept = truncation.truncated(
                    self.order.history, settings.get("truncation_strategy"), most=self._room_for_history()
                )
            except truncation.TooLong:
                raise _Incomplete("max_prompt_tokens") from None
            self._converted = context.messages(kept)
        return self._converted

    def _room_for_history(self) -> int | None:
        """In tokens; None where nothing limits it."""
        order, settings = self.order, self.order.settings
        budget = settings.get("max_prompt_tokens")
        strategy = (settings.get("truncation_strategy") or {}).get("type")
        window = order.spec.context_window if order.spec and strategy == "auto" else None
        if window is not None:
            window -= int(settings.get("max_completion_tokens") or min(window // 4, 4096))
        limits = [int(budget) - self.state.meter.prompt] if budget is not None else []
        limits += [window] if window is not None else []
        if not limits:
            return None
        fixed = len(order.instructions) + len(to_json([*order.tools])) if order.tools else len(order.instructions)
        return min(limits) - fixed // truncation.CHARACTERS_A_TOKEN - sum(map(truncation.tokens, order.done.messages))

    def _calls(self, answer: ModelResponse) -> list[Call]:
        """The answer's calls; its parts get the ids that the run knows them by."""
        found = []
        for index, part in enumerate(answer.parts):
            if isinstance(part, ToolCallPart):
                part.tool_call_id = self.state.call_id(index, part.tool_call_id)
                found.append(self._call(part))
        return found

    def _call(self, part: ToolCallPart, arguments: str | None = None) -> Call:
        kind = FILE_SEARCH if part.tool_name == FILE_SEARCH and self._searches else "function"
        text = part.args_as_json_str() if arguments is None else arguments
        return Call(part.tool_call_id, part.tool_name, text, kind)

    def _parameters(self) -> ModelRequestParameters:
        order = self.order
        offered = [tool for tool in order.tools if tool.get("type") != FILE_SEARCH]
        if self._searches:
            from ai.runner import file_search  # noqa: PLC0415 - for the runs that search only

            offered.append(file_search.definition())
        return context.parameters(
            offered,
            instructions=order.instructions,
            response_format=order.settings.get("response_format"),
            schema_output=order.model.profile.supports_json_schema_output,
        )

    def _cite(self, text: str) -> list[dict[str, Any]]:
        box = self.order.toolbox
        if not isinstance(box, Live) or not box.founds:
            return []
        from ai.runner import file_search  # noqa: PLC0415 - for the runs that search only

        return file_search.cite(text, box.founds)

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
        settings = context.model_settings(self.order.settings, max_tokens=self._left(), called=self._has_called())
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

    def _has_called(self) -> bool:
        return bool(self.order.done.steps) or any(step.json["type"] == "tool_calls" for step in self.state.steps)

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
                return state.call_begun(index, self._call(part, _json_text(part.args)))
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=piece)):
                return state.call_more(index, _json_text(piece))
            case PartEndEvent(part=BuiltinToolCallPart(provider_name=llm.AGENT) as part):
                return state.own_call(Call(part.tool_call_id, part.tool_name, part.args_as_json_str()))
            case PartStartEvent(part=BuiltinToolReturnPart(provider_name=llm.AGENT) as part):
                return state.own_result(part.tool_call_id, part.model_response_str())
            case PartEndEvent(part=BuiltinToolCallPart() as part):
                return state.code(part.tool_call_id, _code_of(part))
            case PartStartEvent(part=BuiltinToolReturnPart(content=content)):
                return state.code_result(_outputs_of(content))
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
        return [*self.state.message_over(), *self.state.code_over()]


def _code_of(part: BuiltinToolCallPart) -> str:
    """The code that a provider runs; they name it differently."""
    arguments = part.args_as_dict()
    return next((str(arguments[name]) for name in ("code", "command", "input") if arguments.get(name)), "")


def _outputs_of(content: Any) -> list[dict[str, Any]]:
    """What running code printed, as the Assistants API has it."""
    found = content if isinstance(content, dict) else {"output": content}
    texts = [found.get(name) for name in ("output", "stdout", "logs", "stderr", "result")]
    lines = "\n".join(text if isinstance(text, str) else to_json(text).decode() for text in texts if text)
    return [{"type": "logs", "logs": lines}] if lines else []


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
