"""A sync of many threads, and the same calls in a bare loop."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import Any

import django

django.setup()

from django.utils import timezone
from openai import AsyncOpenAI

from ai import tenancy
from ai.models import ChatThread, Message, RemoteConnection, Tenant
from ai.services import actors, jobs
from ai.services.selections import Selection
from ai.services.sync import requests
from tests.benchmarks.inside import tell
from tests.fakes.remotes.server import KEY

THREADS, MESSAGES, DELAY_MS, AT_ONCE = 200, 50, 50, 4


def sync(ids: list[Any]) -> float:
    """The time from a worker's first look at the job to its end, in seconds."""
    job = requests.request(selection=Selection.of_ids("threads", ids), by=actors.SYSTEM, at=timezone.now())
    begin = time.perf_counter()
    jobs.carry_on(job_id=job.pk, worker="benchmark", now=timezone.now)
    seconds = time.perf_counter() - begin
    job.refresh_from_db()
    if (job.status, job.done) != ("completed", THREADS):
        raise RuntimeError(f"{job.done} of {THREADS} threads were synced.")
    return seconds


async def bare(url: str, keys: list[str]) -> float:
    """The calls without any console, in seconds."""
    client = AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(key: str) -> None:
        async with gate:
            await client.get(f"/threads/{key}/messages?limit=100", cast_to=object)

    begin = time.perf_counter()
    await asyncio.gather(*map(one, keys))
    seconds = time.perf_counter() - begin
    await client.close()
    return seconds


def main() -> None:
    """The first sync, the second, and the bare loop."""
    options = ["--threads", str(THREADS), "--messages", str(MESSAGES), "--delay-ms", str(DELAY_MS)]
    command = [sys.executable, "-m", "tests.fakes.remotes", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        there = json.loads(server.stdout.readline())
        url = f"http://127.0.0.1:{there['port']}/v1"
        try:
            with tenancy.everything(reason="benchmark"):
                tell(_measured(url, there["threads"]))
        finally:
            server.terminate()


def _measured(url: str, keys: list[str]) -> dict[str, float]:
    tenant = Tenant.objects.create(name=f"Benchmark {time.time()}")
    connection = RemoteConnection(tenant_id=tenant.pk, name="bench", base_url=url, concurrency=AT_ONCE, is_default=True)
    connection.set_api_key(KEY)
    connection.save(force_insert=True)
    threads = [ChatThread(tenant_id=tenant.pk, external_id=key, source="remote", name="A thread") for key in keys]
    ChatThread.objects.insert(*threads)
    ids = [thread.pk for thread in threads]
    loop = asyncio.run(bare(url, keys))
    first, again = sync(ids), sync(ids)
    messages = Message.objects.filter(tenant_id=tenant.pk).count()
    if messages != THREADS * MESSAGES:
        raise RuntimeError(f"{messages} messages came.")
    ideal = THREADS * DELAY_MS / 1000 / AT_ONCE
    return {"first": first, "again": again, "bare": loop, "ideal": ideal, "messages": messages}


if __name__ == "__main__":
    main()
