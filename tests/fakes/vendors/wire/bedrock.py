"""Amazon Bedrock's Converse, and the binary event stream of ConverseStream."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from zlib import crc32

from tests.fakes.vendors.wire.base import Frame, Vendor, dump, halves

if TYPE_CHECKING:
    from tests.fakes.vendors.script import Failure, Reply
    from tests.fakes.vendors.server import Recorded
    from tests.fakes.vendors.wire.base import Refusal

_PATH = re.compile(r"/model/(?P<model>[^/]+)/converse(-stream)?$")
_FINISHES = {"stop": "end_turn", "length": "max_tokens"}
_ERRORS = {
    "rate_limit": (429, "ThrottlingException", "Too many requests, please wait before trying again."),
    "server_error": (500, "InternalServerException", "The system encountered an unexpected error."),
    "context": (400, "ValidationException", "Input is too long for requested model."),
    "unauthorized": (403, "UnrecognizedClientException", "The security token included in the request is invalid."),
    "no_model": (400, "ValidationException", "The provided model identifier is invalid."),
}


class Bedrock(Vendor):
    """`converse` and `converse-stream`."""

    base = ""
    stream_type = "application/vnd.amazon.eventstream"
    garbage = b"\x00\x00\x00\x30\x00\x00\x00\x10\xde\xad\xbe\xef" + b"\x00" * 36

    def accepts(self, request: Recorded) -> bool:
        """The model is in the path."""
        return bool(_PATH.match(request.path))

    def key(self, request: Recorded) -> str:
        """The bearer token, or the access key that signed."""
        bearer = super().key(request)
        return bearer.partition("Credential=")[2].partition("/")[0] or bearer

    def streams(self, request: Recorded) -> bool:
        """By the path."""
        return request.path.endswith("-stream")

    def model(self, request: Recorded) -> str:
        """In the path."""
        found = _PATH.match(request.path)
        return found["model"] if found else ""

    def frames(self, reply: Reply, model: str, *, usage: bool) -> Iterator[Frame]:
        """From `messageStart` to `metadata`."""
        yield _event("messageStart", role="assistant")
        index = 0
        if reply.chunks:
            for text in reply.chunks:
                yield _event("contentBlockDelta", is_text=True, contentBlockIndex=0, delta={"text": text})
            yield _event("contentBlockStop", contentBlockIndex=0)
            index = 1
        for number, call in enumerate(reply.calls, start=index):
            tool = {"toolUseId": call.id, "name": call.name}
            yield _event("contentBlockStart", contentBlockIndex=number, start={"toolUse": tool})
            for half in halves(call.arguments):
                delta = {"toolUse": {"input": half}}
                yield _event("contentBlockDelta", contentBlockIndex=number, delta=delta)
            yield _event("contentBlockStop", contentBlockIndex=number)
        yield _event("messageStop", stopReason=_finish(reply))
        yield _event("metadata", usage=_usage(reply), metrics={"latencyMs": 1})

    def whole(self, reply: Reply, model: str) -> bytes:
        """A converse response."""
        content: list[Any] = [{"text": reply.text}] if reply.chunks else []
        content += [
            {"toolUse": {"toolUseId": call.id, "name": call.name, "input": json.loads(call.arguments)}}
            for call in reply.calls
        ]
        return dump(
            {
                "output": {"message": {"role": "assistant", "content": content}},
                "stopReason": _finish(reply),
                "usage": _usage(reply),
                "metrics": {"latencyMs": 1},
            }
        )

    def refusal(self, failure: Failure, request: Recorded) -> Refusal:
        """The kind is in a header."""
        status, headers, body = super().refusal(failure, request)
        if failure.kind in _ERRORS:
            headers["x-amzn-errortype"] = _ERRORS[failure.kind][1]
        return status, headers, body

    def error(self, failure: Failure, request: Recorded) -> tuple[int, Any]:
        """The vendor's words."""
        status, _kind, message = _ERRORS[failure.kind]
        return status, {"message": message}

    def stream_error(self, request: Recorded) -> bytes:
        """An exception message."""
        headers = {":exception-type": "modelStreamErrorException", ":message-type": "exception"}
        return frame(headers, dump({"message": "The model failed.", "originalStatusCode": 500}))


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of Amazon's event stream: lengths, CRC, headers, payload, CRC."""
    fields = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for name, value in {":content-type": "application/json", **headers}.items()
    )
    lengths = struct.pack("!II", 16 + len(fields) + len(payload), len(fields))
    message = lengths + struct.pack("!I", crc32(lengths)) + fields + payload
    return message + struct.pack("!I", crc32(message))


def _event(kind: str, *, is_text: bool = False, **payload: Any) -> Frame:
    return Frame(frame({":event-type": kind, ":message-type": "event"}, dump(payload)), is_text)


def _finish(reply: Reply) -> str:
    return "tool_use" if reply.calls else _FINISHES[reply.finish]


def _usage(reply: Reply) -> dict[str, int]:
    return {
        "inputTokens": reply.prompt_tokens - reply.cached_tokens,
        "outputTokens": reply.completion_tokens,
        "totalTokens": reply.prompt_tokens + reply.completion_tokens,
        "cacheReadInputTokens": reply.cached_tokens,
    }
