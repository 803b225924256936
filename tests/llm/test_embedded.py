"""The embedded model, for real: SmolLM2 in this process."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, PromptedOutput
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters, override_allow_model_requests
from pydantic_ai.settings import ModelSettings

from ai import llm
from ai.exceptions import Misconfigured, ModelError, NotFound
from ai.llm import ModelSpec, embedded
from tests.llm.test_wire import TOOLS, stream

pytestmark = pytest.mark.usefixtures("closing")
LOCAL = ModelSpec(alias="local:smollm2", provider="local", model="smollm2")
HELLO: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart("Say hello.")])]
SHORT = ModelSettings(max_tokens=12, temperature=0.0, seed=1)


@pytest.fixture(autouse=True)
def _allowed() -> Iterator[None]:
    with override_allow_model_requests(True):
        yield


class City(BaseModel):
    """A city and its country."""

    name: str
    country: str


class TestEmbeddedModel:
    async def test_streams_an_answer(self) -> None:
        seen = await stream(llm.resolve(LOCAL), HELLO, settings=SHORT)

        assert len(seen.deltas) > 3
        assert seen.text.strip()
        assert seen.response is not None
        assert 0 < seen.response.usage.output_tokens <= 12
        assert seen.response.usage.input_tokens > 5

    async def test_answers_in_one_piece(self) -> None:
        response = await llm.resolve(LOCAL).request(HELLO, SHORT, ModelRequestParameters())

        assert "".join(part.content for part in response.parts if isinstance(part, TextPart)).strip()

    @pytest.mark.parametrize(
        "how", [City, NativeOutput(City), PromptedOutput(City)], ids=["tool", "native", "prompted"]
    )
    async def test_gives_structured_output(self, how: Any) -> None:
        agent: Agent[None, City] = Agent(llm.resolve(LOCAL), output_type=how, output_retries=1)

        result = await agent.run(
            "Paris is the capital of France. Which city is it?", model_settings={"max_tokens": 500, "temperature": 0.0}
        )

        assert isinstance(result.output, City)

    async def test_streams_a_forced_tool_call(self) -> None:
        parameters = ModelRequestParameters(
            output_tools=TOOLS.function_tools, output_mode="tool", allow_text_output=False
        )

        seen = await stream(llm.resolve(LOCAL), HELLO, parameters, ModelSettings(max_tokens=60))

        assert seen.response is not None
        [call] = seen.response.parts
        assert isinstance(call, ToolCallPart)
        assert call.tool_name == "weather"
        assert set(json.loads(call.args_as_json_str())) == {"city"}

    async def test_replays_a_conversation_with_tools_that_it_cannot_call(self) -> None:
        history: list[ModelMessage] = [
            ModelRequest(parts=[UserPromptPart("Weather in Łódź?")]),
            ModelResponse(parts=[ToolCallPart("weather", {"city": "Łódź"}, tool_call_id="call_1")]),
            ModelRequest(parts=[ToolReturnPart("weather", "14 °C and rain", tool_call_id="call_1")]),
        ]

        seen = await stream(llm.resolve(LOCAL), history, TOOLS, SHORT)

        assert seen.text

    async def test_refuses_what_is_longer_than_its_context(self) -> None:
        endless: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart("hello " * 20_000)])]

        with pytest.raises(ModelError) as caught:
            await stream(llm.resolve(LOCAL), endless, settings=SHORT)

        assert (caught.value.code, caught.value.retryable) == ("context_length_exceeded", False)

    async def test_stops_when_cancelled(self) -> None:
        task = asyncio.create_task(
            stream(llm.resolve(LOCAL), [ModelRequest(parts=[UserPromptPart("Write a long story.")])])
        )
        await asyncio.sleep(0.5)

        begun = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert time.monotonic() - begun < 1
        assert (await stream(llm.resolve(LOCAL), HELLO, settings=SHORT)).text

    async def test_answers_a_probe(self) -> None:
        probe = await llm.probe(LOCAL)

        assert probe.answer
        assert probe.latency_ms > 0

    async def test_is_loaded_once(self) -> None:
        first, second = await asyncio.gather(*(asyncio.to_thread(embedded.start) for _ in range(2)))

        assert first is second

    def test_lets_nobody_else_in(self) -> None:
        address = embedded.start()
        request = Request(  # noqa: S310 - our own loopback server
            f"{address.url}/chat/completions",
            data=b'{"messages":[{"role":"user","content":"hi"}]}',
            headers={"Content-Type": "application/json", "Origin": "http://elsewhere.example"},
        )

        with pytest.raises(HTTPError) as caught:
            urlopen(request, timeout=5)  # noqa: S310
        with caught.value:
            headers = caught.value.headers

        assert caught.value.code == 401
        assert headers.get("Access-Control-Allow-Origin", "") == ""
        assert address.url.startswith("http://127.0.0.1:")
        assert address.key not in repr(address)


class TestInstallation:
    async def test_says_that_a_configured_file_is_missing(self, settings: Any, tmp_path: Path) -> None:
        settings.AI_LOCAL_MODEL_PATH = str(tmp_path / "missing.gguf")

        with pytest.raises(Misconfigured, match="AI_LOCAL_MODEL_PATH"):
            llm.resolve(LOCAL)

    async def test_says_that_a_file_is_no_model(self, settings: Any, tmp_path: Path) -> None:
        broken = tmp_path / "broken.gguf"
        broken.write_bytes(b"not a model")
        settings.AI_LOCAL_MODEL_PATH = str(broken)

        with pytest.raises(ModelError, match=r"broken\.gguf"):
            await stream(llm.resolve(LOCAL), HELLO)

    async def test_knows_one_model(self) -> None:
        with pytest.raises(NotFound, match="local:smollm2"):
            llm.resolve(replace(LOCAL, model="llama"))

    @pytest.mark.parametrize(
        "end", ["", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"], ids=["exit", "kill"]
    )
    def test_ends_with_the_process(self, end: str) -> None:
        code = f"from ai.llm import embedded\nembedded.weights = lambda: __import__('pathlib').Path({str(embedded.weights())!r})"
        code += f"\nprint(embedded.start().url, flush=True)\n{end}"

        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

        assert done.stderr == ""
        port = int(done.stdout.rpartition(":")[2].partition("/")[0])
        assert _closes(port)


def _closes(port: int) -> bool:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            return True
        time.sleep(0.05)
    return False
