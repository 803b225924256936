"""Answers through the runner and through the SDK."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

import django

django.setup()

from django.utils import timezone
from openai import AsyncOpenAI

from ai import ids, llm
from ai.llm import ModelSpec
from ai.runner import Order, Runner
from tests.benchmarks.inside import tell
from tests.fakes.vendors.processes import VendorProcess

PACED_ANSWERS = 100
FAST_ANSWERS = 400
AT_ONCE = 20
FIRSTS = 40
ROUNDS = 2
QUESTION: Any = {"role": "user", "content": "Where is my parcel?"}

#: Waits for an answer's first token, or for all of it.
Ask = Callable[[bool], Awaitable[None]]


def through_sdk(client: AsyncOpenAI) -> Ask:
    """As a program without the console would ask."""

    async def ask(only_first: bool) -> None:
        stream = await client.chat.completions.create(
            model="m", messages=[QUESTION], stream=True, stream_options={"include_usage": True}
        )
        async for chunk in stream:
            if only_first and chunk.choices and chunk.choices[0].delta.content:
                break
        await stream.close()

    return ask


def through_runner(spec: ModelSpec) -> Ask:
    """As a run of the console asks."""

    async def ask(only_first: bool) -> None:
        order = Order(run_id=ids.new(), model=llm.resolve(spec), history=[QUESTION], spec=spec, alias="bench")
        stream = Runner(order, now=timezone.now).stream()
        async for event in stream:
            if only_first and event.name == "thread.message.delta":
                break
        await stream.aclose()

    return ask


async def seconds_of_many(ask: Ask, answers: int) -> float:
    """The time of many answers, some at once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with gate:
            await ask(False)

    begin = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(answers)))
    return time.perf_counter() - begin


async def first_ms(ask: Ask) -> float:
    """The median time to the first token."""
    taken = []
    for _ in range(FIRSTS):
        begin = time.perf_counter()
        await ask(True)
        taken.append(time.perf_counter() - begin)
    return median(taken) * 1000


async def measure(paced: str, fast: str, slow: str) -> dict[str, tuple[float, float]]:
    """Both ways in turns, the better of two rounds of each: through the runner, and through the SDK."""
    clients = {url: AsyncOpenAI(base_url=url, api_key="x", max_retries=0) for url in (paced, fast, slow)}
    specs = {
        url: ModelSpec(alias=url, provider="openai-compatible", model="m", base_url=url, api_key="x") for url in clients
    }
    found: dict[str, list[tuple[float, float]]] = {"paced": [], "fast": [], "first_ms": []}
    for _ in range(ROUNDS):
        for name, url, answers in (("paced", paced, PACED_ANSWERS), ("fast", fast, FAST_ANSWERS)):
            ours = await seconds_of_many(through_runner(specs[url]), answers)
            found[name].append((ours, await seconds_of_many(through_sdk(clients[url]), answers)))
        ours = await first_ms(through_runner(specs[slow]))
        found["first_ms"].append((ours, await first_ms(through_sdk(clients[slow]))))
    await llm.aclose()
    for client in clients.values():
        await client.close()
    return {name: (min(a for a, _ in taken), min(b for _, b in taken)) for name, taken in found.items()}


def main() -> None:
    """Ask a model that says 50 words a second, one that says them at once, and one that thinks for 50 ms."""
    with (
        VendorProcess(chunks=50, chunk_ms=20) as paced,
        VendorProcess(chunks=100) as fast,
        VendorProcess(delay_ms=50, chunks=5) as slow,
    ):
        tell(asyncio.run(measure(*(server.url("openai-compatible") for server in (paced, fast, slow)))))


if __name__ == "__main__":
    main()
