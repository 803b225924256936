"""Cohere's chat, version 2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.fakes.vendors.wire.base import Frame, Vendor, dump, halves, sse

if TYPE_CHECKING:
    from tests.fakes.vendors.script import Call, Failure, Reply
    from tests.fakes.vendors.server import Recorded

_FINISHES = {"stop": "COMPLETE", "length": "MAX_TOKENS"}


class Cohere(Vendor):
    """`/v2/chat`."""

    base = ""
    path = "/v2/chat"
    garbage = b'event: content-delta\ndata: {"type":"content-del\n\n'

    def frames(self, reply: Reply, model: str, *, usage: bool) -> Iterator[Frame]:
        """From `message-start` to `message-end`."""
        message = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        yield _event("message-start", id="cohere-1", delta={"message": message})
        if reply.chunks:
            yield _event("content-start", index=0, delta={"message": {"content": {"type": "text", "text": ""}}})
            for text in reply.chunks:
                yield _event("content-delta", is_text=True, index=0, delta={"message": {"content": {"text": text}}})
            yield _event("content-end", index=0)
        for index, call in enumerate(reply.calls):
            first, second = halves(call.arguments)
            yield _event("tool-call-start", index=index, delta={"message": {"tool_calls": _call(call, first)}})
            rest = {"function": {"arguments": second}}
            yield _event("tool-call-delta", index=index, delta={"message": {"tool_calls": rest}})
            yield _event("tool-call-end", index=index)
        yield _event("message-end", delta={"finish_reason": _finish(reply), "usage": _usage(reply)})
        yield Frame(b"data: [DONE]\n\n")

    def whole(self, reply: Reply, model: str) -> bytes:
        """A chat response."""
        message: dict[str, Any] = {"role": "assistant"}
        if reply.chunks:
            message["content"] = [{"type": "text", "text": reply.text}]
        if reply.calls:
            message["tool_calls"] = [_call(call, call.arguments) for call in reply.calls]
        return dump({"id": "cohere-1", "finish_reason": _finish(reply), "message": message, "usage": _usage(reply)})

    def error(self, failure: Failure, request: Recorded) -> tuple[int, Any]:
        """The vendor's words."""
        too_long = (
            "too many tokens: total number of tokens in the prompt exceeds the limit of 128000 - received 200000."
        )
        status, message = {
            "rate_limit": (429, "You are using a Trial key, which is limited to 10 API calls / minute."),
            "server_error": (500, "internal server error"),
            "context": (400, too_long),
            "unauthorized": (401, f"invalid api token {self.key(request)}"),
            "no_model": (404, f"model '{request.model}' not found, make sure the correct model ID was used."),
        }[failure.kind]
        return status, {"id": "err-1", "message": message}

    def stream_error(self, request: Recorded) -> bytes:
        """A message that ends with an error."""
        return _event("message-end", delta={"error": "internal server error", "finish_reason": "ERROR"}).data


def _event(kind: str, *, is_text: bool = False, **payload: Any) -> Frame:
    return Frame(sse({"type": kind, **payload}, event=kind), is_text)


def _call(call: Call, arguments: str) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _finish(reply: Reply) -> str:
    return "TOOL_CALL" if reply.calls else _FINISHES[reply.finish]


def _usage(reply: Reply) -> dict[str, Any]:
    tokens = {"input_tokens": reply.prompt_tokens, "output_tokens": reply.completion_tokens}
    return {"billed_units": tokens, "tokens": tokens, "cached_tokens": reply.cached_tokens}
