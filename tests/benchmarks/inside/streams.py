"""The official SDK, asking the API and the scripted server in turns."""

from __future__ import annotations

import asyncio
import sys
import time
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from openai import AsyncOpenAI

from tests.benchmarks.inside import tell

warnings.simplefilter("ignore", DeprecationWarning)

FIRSTS = 40
CLIENTS = 64
OPEN = 200
ROUNDS = 3
QUESTION: Any = {"role": "user", "content": "Where is my parcel?"}

#: Reads one answer, and says when its first event and its first token came.
Ask = Callable[[], Coroutine[Any, Any, tuple[float, float]]]


class Api:
    """The console's API."""

    def __init__(self, url: str, key: str) -> None:
        self.client = AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=120)
        self._assistants: dict[str, str] = {}

    async def ask(self, model: str) -> Ask:
        """A run of a new thread, ready to be streamed."""
        if model not in self._assistants:
            self._assistants[model] = (await self.client.beta.assistants.create(model=model)).id
        thread = await self.client.beta.threads.create(messages=[QUESTION])

        async def stream() -> tuple[float, float]:
            first_event = first_token = 0.0
            events = await self.client.beta.threads.runs.create(
                thread.id, assistant_id=self._assistants[model], stream=True
            )
            last = ""
            async for event in events:
                first_event = first_event or time.perf_counter()
                if event.event == "thread.message.delta":
                    first_token = first_token or time.perf_counter()
                last = event.event
            if last != "thread.run.completed":
                raise RuntimeError(f"The stream ended with {last}.")
            return first_event, first_token

        return stream


class Bare:
    """The scripted server."""

    def __init__(self, urls: dict[str, str]) -> None:
        self.clients = {
            name: AsyncOpenAI(base_url=url, api_key="x", max_retries=0, timeout=120) for name, url in urls.items()
        }

    async def ask(self, model: str) -> Ask:
        """The same question."""

        async def stream() -> tuple[float, float]:
            first = 0.0
            chunks = await self.clients[model].chat.completions.create(
                model="m", messages=[QUESTION], stream=True, stream_options={"include_usage": True}
            )
            async for chunk in chunks:
                if chunk.choices and chunk.choices[0].delta.content:
                    first = first or time.perf_counter()
            return first, first

        return stream


async def firsts(side: Api | Bare) -> tuple[float, float]:
    """Milliseconds until the first event (the slowest of twenty) and until the first token (the median)."""
    events, tokens = [], []
    for _ in range(FIRSTS):
        ask = await side.ask("thinking")
        begin = time.perf_counter()
        event, token = await ask()
        events.append(event - begin)
        tokens.append(token - begin)
    return quantiles(events, n=20)[-1] * 1000, median(tokens) * 1000


async def many(side: Api | Bare, model: str) -> float:
    """Seconds for 64 answers at once."""
    asks = [await side.ask(model) for _ in range(CLIENTS)]
    begin = time.perf_counter()
    await asyncio.gather(*(ask() for ask in asks))
    return time.perf_counter() - begin


async def open_streams(api: Api, pid: int) -> tuple[float, int]:
    """MB of the server for each of 200 open streams, and how many of them ended as they should."""
    asks = [await api.ask("slow") for _ in range(OPEN)]
    before = resident_mb(pid)
    tasks = [asyncio.create_task(ask()) for ask in asks]
    most = before
    while not all(task.done() for task in tasks):
        most = max(most, resident_mb(pid))
        await asyncio.sleep(0.2)
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    return (most - before) / OPEN, sum(not isinstance(each, BaseException) for each in ended)


def resident_mb(pid: int) -> float:
    """What the process holds of memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


async def main(url: str, key: str, pid: int, urls: dict[str, str]) -> None:
    """Both sides in turns, the better of the rounds of each."""
    api, bare = Api(url, key), Bare(urls)
    for side in (api, bare):  # what is loaded at first use is loaded
        await many(side, "fast")
    found: dict[str, Any] = {}
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(await firsts(api))
        theirs.append(await firsts(bare))
    found["first_ms"] = min(token for _, token in ours), min(token for _, token in theirs)
    found["event_ms"] = min(event for event, _ in ours)
    for model in ("paced", "fast"):
        taken = [(await many(api, model), await many(bare, model)) for _ in range(ROUNDS)]
        found[model] = min(a for a, _ in taken), min(b for _, b in taken)
    found["mb_each"], found["whole"] = await open_streams(api, pid)
    tell(found)


if __name__ == "__main__":
    _, base_url, secret, process, *models = sys.argv
    asyncio.run(main(base_url, secret, int(process), dict(model.split("=", 1) for model in models)))
