"""Consumers of a run's events. Somebody's `AssistantEventHandler` ports by changing its base class.

async for event in follow(runner.stream(), [PrintHandler(), MyHandler()]):
    ...
"""

from ai.runner.handlers.base import AsyncEventHandler, EventHandler, Handler, follow
from ai.runner.handlers.persist import PersistHandler
from ai.runner.handlers.printing import PrintHandler
from ai.runner.handlers.publish import PublishHandler

__all__ = [
    "AsyncEventHandler",
    "EventHandler",
    "Handler",
    "PersistHandler",
    "PrintHandler",
    "PublishHandler",
    "follow",
]
