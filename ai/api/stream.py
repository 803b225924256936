"""Answers that are streams of server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from django.http import StreamingHttpResponse

from ai.events import encode
from ai.events.sse import PING

if TYPE_CHECKING:
    from ai.runner.streams import Stream


def answer(stream: Stream) -> StreamingHttpResponse:
    """The stream as a response. Frames that are there together are sent together; none waits for another."""
    response = StreamingHttpResponse(_frames(stream), content_type="text/event-stream; charset=utf-8")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would collect the events
    return response


async def _frames(stream: Stream) -> AsyncIterator[bytes]:
    batches = stream.batches()
    try:
        async for batch in batches:
            yield "".join(map(encode, batch)).encode("utf-8", "replace") if batch else PING.encode()
    finally:
        await batches.aclose()
