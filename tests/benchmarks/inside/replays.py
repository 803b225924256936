"""Many replays at once, and the same calls in a bare loop."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import django

django.setup()

from django.utils import timezone
from openai import AsyncOpenAI

from ai import tenancy
from ai.models import ChatThread, LanguageModel, Run
from ai.services import actors, replays, runs
from ai.services.replays import Target
from tests.benchmarks.inside import tell
from tests.fakes.vendors.processes import VendorProcess

REPLAYS = 500
AT_ONCE = 50
ROUNDS = 2
QUESTION: Any = {"role": "user", "content": "Where is my parcel?"}


async def bare(url: str) -> float:
    """The calls without any console, in seconds."""
    client = AsyncOpenAI(base_url=url, api_key="x", max_retries=0)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with gate:
            stream = await client.chat.completions.create(model="m", messages=[QUESTION], stream=True)
            async for _ in stream:
                pass

    begin = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(REPLAYS)))
    seconds = time.perf_counter() - begin
    await client.close()
    return seconds


def replay(alias: str, skip: int) -> float:
    """The time from the first claim to the last stored answer, in seconds."""
    with tenancy.everything(reason="benchmark"):
        threads = ChatThread.objects.filter(message_count__range=(2, 6)).order_by("pk")[skip : skip + REPLAYS]
        targets = [Target(thread_id=pk) for pk in threads.values_list("pk", flat=True)]
        job = replays.request(targets=targets, model_aliases=[alias], by=actors.SYSTEM, at=timezone.now())
    begin = time.perf_counter()
    runs.drain(worker="benchmark", now=timezone.now, job_id=job.pk)
    seconds = time.perf_counter() - begin
    with tenancy.everything(reason="benchmark"):
        ended = Run.objects.filter(job_id=job.pk, status="completed").count()
    if ended != REPLAYS:
        raise RuntimeError(f"{ended} of {REPLAYS} replays were answered.")
    return seconds


def main() -> None:
    """The better of two rounds of each."""
    with VendorProcess(delay_ms=200) as server:
        url = server.url("openai-compatible")
        LanguageModel.objects.update_or_create(
            alias="bench", defaults={"provider": "openai-compatible", "model": "m", "base_url": url}
        )
        runs.prepare()
        found = [(replay("bench", 0), asyncio.run(bare(url))) for _ in range(ROUNDS)]
    tell({"replays": min(ours for ours, _ in found), "bare": min(loop for _, loop in found)})


if __name__ == "__main__":
    main()
