"""Anthropic's messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.fakes.vendors.wire.base import Frame, Vendor, dump, halves, sse

if TYPE_CHECKING:
    from tests.fakes.vendors.script import Failure, Reply
    from tests.fakes.vendors.server import Recorded

_FINISHES = {"stop": "end_turn", "length": "max_tokens"}


class Anthropic(Vendor):
    """`/v1/messages`."""

    base = ""
    path = "/v1/messages"
    garbage = b'event: content_block_delta\ndata: {"type":"content_block_de\n\n'

    def key(self, request: Recorded) -> str:
        """In a header of its own."""
        return request.headers.get("x-api-key", "")

    def accepts(self, request: Recorded) -> bool:
        """With the API's version."""
        return super().accepts(request) and "anthropic-version" in request.headers

    def frames(self, reply: Reply, model: str, *, usage: bool) -> Iterator[Frame]:
        """From `message_start` to `message_stop`."""
        start = {**_message(model, [], None), "usage": {**_usage(reply), "output_tokens": 1}}
        yield _event("message_start", message=start)
        yield _event("ping")
        index = 0
        if reply.chunks:
            yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
            for text in reply.chunks:
                yield _event("content_block_delta", is_text=True, index=0, delta={"type": "text_delta", "text": text})
            yield _event("content_block_stop", index=0)
            index = 1
        for number, call in enumerate(reply.calls, start=index):
            block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
            yield _event("content_block_start", index=number, content_block=block)
            for half in halves(call.arguments):
                delta = {"type": "input_json_delta", "partial_json": half}
                yield _event("content_block_delta", index=number, delta=delta)
            yield _event("content_block_stop", index=number)
        ending: dict[str, Any] = {
            "stop_reason": "tool_use" if reply.calls else _FINISHES[reply.finish],
            "stop_sequence": None,
        }
        yield _event("message_delta", delta=ending, usage={"output_tokens": reply.completion_tokens})
        yield _event("message_stop")

    def whole(self, reply: Reply, model: str) -> bytes:
        """A message."""
        content: list[Any] = [{"type": "text", "text": reply.text}] if reply.chunks else []
        content += [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}
            for call in reply.calls
        ]
        message = _message(model, content, "tool_use" if reply.calls else _FINISHES[reply.finish])
        return dump({**message, "usage": _usage(reply)})

    def error(self, failure: Failure, request: Recorded) -> tuple[int, Any]:
        """The vendor's words."""
        status, kind, message = {
            "rate_limit": (429, "rate_limit_error", "This request would exceed your organization's rate limit."),
            "server_error": (500, "api_error", "Internal server error"),
            "context": (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
            "unauthorized": (401, "authentication_error", f"invalid x-api-key {self.key(request)}"),
            "no_model": (404, "not_found_error", f"model: {request.model}"),
        }[failure.kind]
        return status, {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}

    def stream_error(self, request: Recorded) -> bytes:
        """Overloaded, as it is on a bad day."""
        return _event("error", error={"type": "overloaded_error", "message": "Overloaded"}).data


def _event(kind: str, *, is_text: bool = False, **payload: Any) -> Frame:
    return Frame(sse({"type": kind, **payload}, event=kind), is_text)


def _message(model: str, content: list[Any], finish: str | None) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": finish,
        "stop_sequence": None,
    }


def _usage(reply: Reply) -> dict[str, Any]:
    return {
        "input_tokens": reply.prompt_tokens - reply.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "service_tier": "standard",
        "cache_read_input_tokens": reply.cached_tokens,
        "output_tokens": reply.completion_tokens,
    }
