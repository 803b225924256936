"""The ASGI application that a web server runs."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

_pages = get_asgi_application()

Message = dict[str, Any]


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Django's application, which is also told when the server starts and ends."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    else:
        await _pages(scope, receive, send)


async def _live(receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
    from django.utils import timezone

    from ai.services import streams

    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await streams.shut_down(now=timezone.now)
    await send({"type": "lifespan.shutdown.complete"})
