"""Handlers: the SDK's callbacks in the SDK's order, and none of them can break a run."""

from __future__ import annotations

import inspect
import io
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from django.core.cache import cache
from pydantic_ai.models.function import DeltaToolCall

from ai.runner import live
from ai.runner.handlers import AsyncEventHandler, EventHandler, PrintHandler, PublishHandler, follow
from ai.runner.tools import Recorded
from tests.runner.conftest import acting, runner, saying


class Diary(EventHandler):
    """Notes every callback."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("on_") or name == "on_event":
            return super().__getattribute__(name)
        return lambda *arguments: self.note(name, arguments)

    def note(self, name: str, arguments: tuple[Any, ...]) -> None:
        shown = [getattr(argument, "value", "") for argument in arguments]
        self.lines.append(" ".join([name, *filter(None, shown)]))


async def once(messages: Any, _: Any) -> AsyncIterator[Any]:
    if len(messages) > 1:
        yield "rain"
        return
    yield {0: DeltaToolCall(name="weather", json_args='{"a"', tool_call_id="c1")}
    yield {0: DeltaToolCall(json_args=":1}")}


async def told(model: Any, *handlers: EventHandler, **values: Any) -> list[str]:
    run = runner(model, **values)
    return [event.name async for event in follow(run.stream(), handlers)]


class TestCallbacks:
    async def test_of_text(self) -> None:
        diary = Diary()

        await told(saying("Hel", "lo"), diary)

        assert diary.lines == [
            "on_run_step_created",
            "on_message_created",
            "on_text_created",
            "on_message_delta",
            "on_text_delta Hel Hel",
            "on_message_delta",
            "on_text_delta lo Hello",
            "on_text_done Hello",
            "on_message_done",
            "on_run_step_done",
            "on_end",
        ]

    async def test_of_a_tool_call(self) -> None:
        diary = Diary()

        await told(acting(once), diary, toolbox=Recorded([]))

        assert diary.lines[:7] == [
            "on_run_step_created",
            "on_run_step_delta",
            "on_tool_call_created",
            "on_tool_call_delta",
            "on_run_step_delta",
            "on_tool_call_delta",
            "on_tool_call_done",
        ]

    async def test_shows_snapshots_with_attributes(self) -> None:
        seen = []

        class Reader(EventHandler):
            def on_tool_call_done(self, tool_call: Any) -> None:
                seen.append((tool_call.function.name, tool_call.function.arguments))

            def on_message_done(self, message: Any) -> None:
                assert self.current_run is not None
                seen.append((self.current_run.status, message.content[0].text.value))

        await told(acting(once), Reader(), toolbox=Recorded([("weather", '{"a":1}', "rain")]))

        assert seen == [("weather", '{"a":1}'), ("in_progress", "rain")]

    async def test_of_a_failure(self) -> None:
        async def failing(messages: Any, _: Any) -> AsyncIterator[str]:
            if messages:
                raise ValueError("out of order")
            yield ""

        diary = Diary()

        await told(acting(failing), diary)

        assert diary.lines == ["on_exception", "on_end"]

    @pytest.mark.parametrize("ours", [EventHandler, AsyncEventHandler])
    def test_are_named_as_in_the_sdk(self, ours: type) -> None:
        theirs = {n for n in dir(openai.AssistantEventHandler) if n.startswith("on_")} - {"on_image_file_done"}

        assert theirs <= set(dir(ours))
        for name in theirs:
            expected = len(inspect.signature(getattr(openai.AssistantEventHandler, name)).parameters)
            assert len(inspect.signature(getattr(ours, name)).parameters) == expected


class TestFollow:
    async def test_a_raising_handler_breaks_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        class Clumsy(EventHandler):
            def on_event(self, event: Any) -> None:
                raise RuntimeError("clumsy")

        diary = Diary()

        names = await told(saying("Hi"), Clumsy(), diary)

        assert names[-2:] == ["thread.run.completed", "done"]
        assert diary.lines[-1] == "on_end"
        assert "the run goes on" in caplog.text

    async def test_awaits_callbacks_that_are_coroutines(self) -> None:
        pieces = []

        class Slow(AsyncEventHandler):
            async def on_text_delta(self, delta: Any, snapshot: Any) -> None:
                pieces.append(delta.value)

        await told(saying("a", "b"), Slow())

        assert pieces == ["a", "b"]


class TestPrintHandler:
    async def test_writes_text_and_calls(self) -> None:
        out = io.StringIO()

        await told(acting(once), PrintHandler(out), toolbox=Recorded([]))

        assert out.getvalue() == '→ weather({"a":1})\nrain\n'


class TestPublishHandler:
    async def test_shows_a_run_while_it_goes_on(self) -> None:
        run = runner(saying("Hel", "lo"))
        key, seen = run.order.run_id, []

        async for event in follow(run.stream(), [PublishHandler(run.state, seconds=0)]):
            if event.name == "thread.message.delta":
                seen.append(live.look([key])[key][0]["content"])

        assert seen == ["Hel", "Hello"]
        assert live.look([key]) == {}

    async def test_a_failing_cache_breaks_nothing(
        self, settings: Any, caplog: pytest.LogCaptureFixture, tmp_path: Any
    ) -> None:
        blocked = tmp_path / "file"
        blocked.write_text("no folder")
        settings.CACHES = {
            "default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": blocked / "x"}
        }
        run = runner(saying("Hi"))

        names = [event.name async for event in follow(run.stream(), [PublishHandler(run.state, seconds=0)])]

        assert names[-1] == "done"
        assert cache is not None
        assert "The cache failed" in caplog.text
