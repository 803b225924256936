"""Runs a conversation on any language model and yields the Assistants API's stream events.

    order = Order(run_id=…, model=llm.resolve(spec), history=[{"role": "user", "content": "Hi"}], …)
    async for event in Runner(order, now=timezone.now).stream():
        ...

A thread of the database is answered, and the answer stored, by `Runner.on_thread`:

    run = Runner.on_thread(thread, model="fast", handlers=[PrintHandler()]).until_done()

Importing this package is cheap; pydantic-ai comes with `ai.runner.loop`, at first use of `Runner`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ai.runner.order import Limits, Order

if TYPE_CHECKING:
    from ai.runner.loop import Runner

__all__ = ["Limits", "Order", "Runner"]


def __getattr__(name: str) -> Any:
    if name == "Runner":
        from ai.runner.loop import Runner

        return Runner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
