"""Keeps bodies that are too large off the disk: Django writes a whole body down before the first middleware sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ai import conf

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

PREFIX = "/v1/"

#: The key of the ASGI scope that says that the body was cut off.
TOO_LARGE = "ai.body_too_large"

#: What a multipart body may hold besides its file, in bytes.
MOST_AROUND_A_FILE = 1024 * 1024


def most_bytes(content_type: str) -> int:
    """How large a body of this type may be."""
    settings = conf.current()
    if content_type.startswith("multipart/form-data"):
        return settings.max_file_bytes + MOST_AROUND_A_FILE
    return settings.api_max_body_bytes


class BodyLimit:
    """Wraps the ASGI application. What goes beyond the limit is read and forgotten, so that the client hears the answer."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            if not scope["query_string"].isascii():
                # Clients have no business sending this, and Django would answer it with a page.
                scope = {**scope, "query_string": scope["query_string"].decode(errors="replace").encode()}
            receive = self._bounded(scope, receive)
        await self._application(scope, receive, send)

    def _bounded(self, scope: Any, receive: Receive) -> Receive:
        headers = dict(scope["headers"])
        left = most_bytes(headers.get(b"content-type", b"").decode("latin1").lower())

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] == "http.request":
                left -= len(message.get("body", b""))
                if left < 0:
                    scope[TOO_LARGE] = True
                    message = {**message, "body": b""}
            return message

        return bounded
