"""Many at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.contract.clients.api import WEATHER, Api

if TYPE_CHECKING:
    from openai import AsyncOpenAI

THREADS = 20


def twenty_threads_at_once(api: Api) -> None:
    assistant = api.assistant(tools=[WEATHER])

    async def talk(client: AsyncOpenAI, number: int) -> list[str]:
        threads = client.beta.threads
        thread = await threads.create(messages=[{"role": "user", "content": f"weather in City{number}"}])
        run = await threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        assert run.required_action, run
        call = run.required_action.submit_tool_outputs.tool_calls[0]
        await threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=thread.id, tool_outputs=[{"tool_call_id": call.id, "output": f"sun {number}"}]
        )
        await threads.messages.create(thread.id, role="user", content=f"Thanks {number}")
        async with threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
            await stream.until_done()
        said = [each async for each in threads.messages.list(thread.id, order="asc")]
        return [part.text.value for each in said for part in each.content if part.type == "text"]

    async def all_of_them() -> list[list[str]]:
        async with api.asynchronous() as client:
            return await asyncio.gather(*(talk(client, number) for number in range(THREADS)))

    told = asyncio.run(all_of_them())

    assert told == [
        [f"weather in City{n}", f"City{n}: sun {n}.", f"Thanks {n}", f"You said: Thanks {n}"] for n in range(THREADS)
    ]
