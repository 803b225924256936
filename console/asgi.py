"""The ASGI application that a web server runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from typing import Any

from django.core.asgi import get_asgi_application

from ai.middleware.bodies import BodyLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

_pages = BodyLimit(get_asgi_application())

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def application(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Django's application, which is also told when the server starts and ends, and never of more than it may keep."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    else:
        await _pages(scope, receive, send)


async def _live(receive: Receive, send: Send) -> None:
    from django.utils import timezone

    from ai.middleware.api import URLS
    from ai.services import streams

    await receive()
    await asyncio.to_thread(import_module, URLS)  # or the first request would wait for it
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await streams.shut_down(now=timezone.now)
    await send({"type": "lifespan.shutdown.complete"})
