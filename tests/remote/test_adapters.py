"""The contract of every kind of remote conversation, against servers that behave like the real ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from django.test import override_settings

from ai import conf
from ai.exceptions import InvalidInput, Misconfigured, RemoteError, RemoteMissing, RemoteRefused
from ai.models.connections import Address
from ai.remote import gates, lines
from ai.remote.kinds import ADAPTERS, adapter
from ai.remote.lines import Line
from ai.remote.port import RemoteMessage
from tests.fakes.remotes import Failure, RemoteServer
from tests.fakes.remotes.server import KEY
from tests.fakes.remotes.state import words

COUNT = 23


def conversation(server: RemoteServer) -> str:
    return server.state.conversation(*(words(("user", "assistant")[n % 2], f"word {n}") for n in range(COUNT)))


def response(server: RemoteServer) -> str:
    """A chain of responses, each following on the one before."""
    before = None
    for number in range(0, COUNT - 1, 2):
        key = f"resp_{number}"
        server.state.input_items[key] = [{"id": f"in_{number}", **words("user", f"word {number}")}]
        said = {"id": f"out_{number}", "status": "completed", **words("assistant", f"word {number + 1}")}
        server.state.responses[key] = {
            "id": key,
            "object": "response",
            "created_at": 1,
            "output": [said],
            "previous_response_id": before,
        }
        before = key
    said = {"id": "out_last", "status": "completed", **words("assistant", f"word {COUNT - 1}")}
    server.state.responses[str(before)]["output"].append(said)
    return str(before)


def completion(server: RemoteServer) -> str:
    key = "chatcmpl-1"
    asked = [
        {"id": f"{key}-{n}", "role": ("user", "assistant")[n % 2], "content": f"word {n}"} for n in range(COUNT - 1)
    ]
    server.state.completion_messages[key] = asked
    answer = {"role": "user" if COUNT % 2 == 0 else "assistant", "content": f"word {COUNT - 1}"}
    server.state.completions[key] = {
        "id": key,
        "object": "chat.completion",
        "created": 1,
        "choices": [{"message": answer}],
    }
    return key


MAKE: dict[str, Any] = {
    "thread": lambda server: server.state.thread(*(f"word {n}" for n in range(COUNT))),
    "conversation": conversation,
    "response": response,
    "completion": completion,
}
MISSING = {"thread": "thread_no", "conversation": "conv_no", "response": "resp_no", "completion": "chatcmpl-no"}

every_kind = pytest.mark.parametrize("kind", list(ADAPTERS))


@pytest.fixture
async def line(server: RemoteServer) -> AsyncIterator[Line]:
    made = Line(Address(server.url, KEY), first_wait=0.01)
    yield made
    await made.aclose()


async def read(line: Line, kind: str, key: str, *, newest_first: bool = False) -> list[RemoteMessage]:
    return [m async for page in adapter(kind, line).pages(key, newest_first=newest_first) for m in page.messages]


def texts(messages: list[RemoteMessage]) -> list[Any]:
    return [message.message["content"] for message in messages]


class TestEveryKind:
    @every_kind
    @pytest.mark.parametrize("most_per_page", [3, 10, 100])
    async def test_reads_all_of_it_both_ways(
        self, server: RemoteServer, line: Line, kind: str, most_per_page: int
    ) -> None:
        server.most_per_page = most_per_page
        key = MAKE[kind](server)

        forth = await read(line, kind, key)
        back = await read(line, kind, key, newest_first=True)

        assert texts(forth) == [f"word {n}" for n in range(COUNT)]
        assert [m.id for m in back] == [m.id for m in forth][::-1]
        assert len({m.id for m in forth}) == COUNT

    @every_kind
    async def test_says_what_is_missing(self, server: RemoteServer, line: Line, kind: str) -> None:
        with pytest.raises(RemoteMissing):
            await read(line, kind, MISSING[kind])

        assert not await adapter(kind, line).exists(MISSING[kind])
        assert await adapter(kind, line).exists(MAKE[kind](server))

    @every_kind
    async def test_waits_as_long_as_it_is_told(self, server: RemoteServer, line: Line, kind: str) -> None:
        key = MAKE[kind](server)
        server.script(Failure(429, "GET", headers={"Retry-After": "0.3"}))
        begun = time.monotonic()

        found = await read(line, kind, key)

        assert len(found) == COUNT
        assert time.monotonic() - begun >= 0.3

    @pytest.mark.parametrize("asked", ["date", "0.3", "soon", ""])
    async def test_understands_every_form_of_the_time_to_wait(
        self, server: RemoteServer, line: Line, asked: str
    ) -> None:
        later = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)  # noqa: TID251 - a server's clock
        server.script(Failure(429, "GET", headers={"Retry-After": later if asked == "date" else asked}))
        begun = time.monotonic()

        await line.get("/models")

        assert len(server.requests) == 2
        assert time.monotonic() - begun >= {"date": 0.9, "0.3": 0.3}.get(asked, 0)

    @every_kind
    async def test_tries_again_after_failures(self, server: RemoteServer, line: Line, kind: str) -> None:
        key = MAKE[kind](server)
        server.script(Failure(500, "GET"), Failure(503, "GET"))

        assert len(await read(line, kind, key)) == COUNT

    @every_kind
    async def test_gives_up_on_a_server_that_goes_on_failing(self, server: RemoteServer, line: Line, kind: str) -> None:
        key = MAKE[kind](server)
        server.script(*(Failure(500, "GET") for _ in range(9)))

        with pytest.raises(RemoteError, match="answered 500"):
            await read(line, kind, key)

        assert len(server.requests) == 1 + conf.current().remote_retries

    @override_settings(AI_REMOTE_RETRIES=1)
    async def test_tries_as_often_as_it_may(self, server: RemoteServer, line: Line) -> None:
        server.script(Failure(500, "GET"), Failure(500, "GET"))

        with pytest.raises(RemoteError, match="answered 500"):
            await line.get("/models")
        await line.get("/models")

        assert len(server.requests) == 3

    @override_settings(AI_REMOTE_RETRIES=0)
    async def test_waits_for_a_server_that_has_not_failed(self, server: RemoteServer, line: Line) -> None:
        server.script(*(Failure(429, "GET", headers={"Retry-After": "0.01"}) for _ in range(5)))

        await line.get("/models")

        assert len(server.requests) == 6

    @every_kind
    async def test_an_expired_key_is_asked_with_once(self, server: RemoteServer, line: Line, kind: str) -> None:
        key = MAKE[kind](server)
        server.keys.clear()

        for _ in range(3):
            with pytest.raises(RemoteRefused, match="the key has expired"):
                await read(line, kind, key)

        assert len(server.requests) == 1

    @every_kind
    @override_settings(AI_REMOTE_TIMEOUT_SECONDS=0.1, AI_REMOTE_RETRIES=0)
    async def test_a_slow_server_is_given_up(self, server: RemoteServer, kind: str) -> None:
        key = MAKE[kind](server)
        server.delay = 0.5
        slow = Line(Address(server.url, KEY))

        with pytest.raises(RemoteError, match="in time"):
            await read(slow, kind, key)

        await slow.aclose()


class TestGrowingWhileRead:
    @pytest.mark.parametrize("kind", ["thread", "conversation"])
    async def test_newest_first_misses_nothing_that_was_there(
        self, server: RemoteServer, line: Line, kind: str
    ) -> None:
        server.most_per_page = 5
        key = MAKE[kind](server)
        new = iter(range(100))

        def grow(request: str) -> None:
            if kind == "thread":
                server.state.say(key, f"new {next(new)}")
            else:
                server.state.add_items(key, [words("user", f"new {next(new)}")])

        server.before = grow

        found = texts(await read(line, kind, key, newest_first=True))

        assert [text for text in found if not text.startswith("new")] == [f"word {n}" for n in range(COUNT)][::-1]


class TestItems:
    async def test_what_a_model_did_in_one_go_is_one_message(self, server: RemoteServer, line: Line) -> None:
        call = {"type": "function_call", "name": "weather", "arguments": '{"city": "Rome"}'}
        key = server.state.conversation(
            words("user", "Rome and Oslo?"),
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Two calls."}]},
            {**call, "call_id": "call_1"},
            {**call, "call_id": "call_2", "arguments": '{"city": "Oslo"}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
            {"type": "function_call_output", "call_id": "call_2", "output": "snow"},
            words("assistant", "Sunny, and snow."),
        )
        for most in (1, 2, 3, 100):
            server.most_per_page = most
            found = await read(line, "conversation", key)

            assert [m.message["role"] for m in found] == ["user", "assistant", "tool", "tool", "assistant"]
            assert [c["id"] for c in found[1].message["tool_calls"]] == ["call_1", "call_2"]
            assert found[1].message["reasoning_content"] == "Two calls."
            assert found[2].message == {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
            back = await read(line, "conversation", key, newest_first=True)
            assert [m.id for m in back] == [m.id for m in found][::-1]

    async def test_what_is_sent_reads_back_as_it_was(self, server: RemoteServer, line: Line) -> None:
        key = await adapter("conversation", line).create(metadata={})
        function = {"name": "weather", "arguments": "{}"}
        given: list[dict[str, Any]] = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Rome?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            {"role": "assistant", "content": "Sunny."},
        ]

        made = await adapter("conversation", line).append(key, given)

        assert [m.message for m in made] == given
        assert [(m.id, m.digest) for m in await read(line, "conversation", key)] == [(m.id, m.digest) for m in made]

    async def test_many_items_are_sent_in_several_calls(self, server: RemoteServer, line: Line) -> None:
        key = server.state.conversation()

        await adapter("conversation", line).append(key, [{"role": "user", "content": str(n)} for n in range(45)])

        sizes = [len(body["items"]) for body in server.bodies if body]
        assert max(sizes) <= 20
        assert sum(sizes) == 45


class TestStored:
    @pytest.mark.parametrize("kind", ["response", "completion"])
    async def test_takes_nothing(self, server: RemoteServer, line: Line, kind: str) -> None:
        found = adapter(kind, line)

        assert not found.takes({"role": "user", "content": "hello"})
        with pytest.raises(RemoteRefused, match="Move the thread first"):
            await found.append("x", [])

    async def test_a_chain_with_a_missing_beginning_is_read_as_far_as_it_goes(
        self, server: RemoteServer, line: Line
    ) -> None:
        key = response(server)
        del server.state.responses["resp_0"]

        assert texts(await read(line, "response", key))[0] == "word 2"

    async def test_items_without_an_id_are_told_once_a_turn(self, server: RemoteServer, line: Line) -> None:
        key = response(server)
        for kept in server.state.responses.values():
            for item in kept["output"]:
                del item["id"]

        first, again = await read(line, "response", key), await read(line, "response", key)

        assert texts(first) == [f"word {number}" for number in range(COUNT)]
        assert len({message.id for message in first}) == COUNT
        assert [message.id for message in again] == [message.id for message in first]


class TestLine:
    @override_settings(AI_REMOTE_MAX_BYTES=1000)
    async def test_reads_no_answer_without_end(self, server: RemoteServer, line: Line) -> None:
        key = server.state.conversation(words("user", "word " * 300))

        with pytest.raises(RemoteError, match="larger than the 1,000 bytes"):
            await line.get(f"/conversations/{key}/items")

    def test_goes_nowhere_private_unless_allowed(self) -> None:
        with override_settings(AI_PRIVATE_MODEL_HOSTS=[]), pytest.raises(InvalidInput, match="private or loopback"):
            Line(Address("http://127.0.0.1:1/v1", KEY))
        with pytest.raises(InvalidInput, match="metadata"):
            Line(Address("http://metadata.google.internal/v1", KEY))
        with pytest.raises(Misconfigured):
            Line(Address("https://example.com/v1", ""))

    async def test_sends_organisation_and_project(self, server: RemoteServer) -> None:
        line = Line(Address(server.url, KEY, organization="org-1", project="proj-1", api_version="2024-05-01-preview"))

        await line.get("/models")
        await line.aclose()

        (headers,) = server.headers
        assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "proj-1")
        assert headers["api-key"] == KEY
        assert server.requests == ["GET /v1/models?api-version=2024-05-01-preview"]

    async def test_tells_nobody_the_key_that_a_server_repeats(self, server: RemoteServer, line: Line) -> None:
        server.script(Failure(400, "GET", message=f"The header Authorization: Bearer {KEY} is odd."))

        with pytest.raises(RemoteRefused) as caught:
            await line.get("/models")

        assert KEY not in caught.value.message

    async def test_an_id_cannot_lead_elsewhere(self, server: RemoteServer, line: Line) -> None:
        with pytest.raises(RemoteError):
            await line.get(lines.path("threads", "../models"))

        assert server.requests == ["GET /v1/threads/..%2Fmodels"]

    async def test_makes_no_more_calls_at_a_time_than_allowed(self, server: RemoteServer) -> None:
        server.delay = 0.02
        line = Line(Address(server.url, KEY, concurrency=3))

        await asyncio.gather(*(line.get("/models") for _ in range(12)))
        await line.aclose()

        assert server.most_open == 3

    async def test_a_call_that_changes_something_is_not_made_twice(self, server: RemoteServer, line: Line) -> None:
        server.script(Failure(500, "POST"))

        with pytest.raises(RemoteError):
            await line.post("/threads", {})

        assert len(server.requests) == 1


class TestGate:
    async def test_lets_the_next_one_in_when_one_gives_up_waiting(self) -> None:
        gate = gates.Gate(1)
        async with gate:
            waiting = [asyncio.create_task(gate.__aenter__()) for _ in range(2)]
            await asyncio.sleep(0)
            waiting[0].cancel()

        await asyncio.wait_for(waiting[1], 1)
        await gate.__aexit__(None, None, None)

        assert waiting[0].cancelled()
        await asyncio.wait_for(gate.__aenter__(), 1)
