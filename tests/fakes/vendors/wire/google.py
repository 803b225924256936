"""Google's Gemini API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.fakes.vendors.wire.base import Frame, Vendor, dump, sse

if TYPE_CHECKING:
    from tests.fakes.vendors.script import Failure, Reply
    from tests.fakes.vendors.server import Recorded
    from tests.fakes.vendors.wire.base import Refusal

_PATH = re.compile(r"/v1beta/models/(?P<model>[^:]+):(?P<verb>generateContent|streamGenerateContent)(\?alt=sse)?$")
_FINISHES = {"stop": "STOP", "length": "MAX_TOKENS"}


class Google(Vendor):
    """`generateContent` and `streamGenerateContent`."""

    base = ""
    garbage = b'data: {"candidates": [{"content": {"par\r\n\r\n'

    def accepts(self, request: Recorded) -> bool:
        """The model and the verb are in the path."""
        return bool(_PATH.match(request.path))

    def streams(self, request: Recorded) -> bool:
        """By the verb."""
        return ":streamGenerateContent" in request.path

    def model(self, request: Recorded) -> str:
        """In the path."""
        found = _PATH.match(request.path)
        return found["model"] if found else ""

    def key(self, request: Recorded) -> str:
        """In a header of its own."""
        return request.headers.get("x-goog-api-key", "")

    def frames(self, reply: Reply, model: str, *, usage: bool) -> Iterator[Frame]:
        """Whole responses, one part each; the last one tells the finish and the usage."""
        for text in reply.chunks:
            yield Frame(sse(_response(model, [{"text": text}], None)), is_text=True)
        finished = _response(model, _calls(reply) or [{"text": ""}], _FINISHES[reply.finish])
        yield Frame(sse({**finished, "usageMetadata": _usage(reply)}))

    def whole(self, reply: Reply, model: str) -> bytes:
        """One response."""
        parts = ([{"text": reply.text}] if reply.chunks else []) + _calls(reply)
        return dump({**_response(model, parts, _FINISHES[reply.finish]), "usageMetadata": _usage(reply)})

    def refusal(self, failure: Failure, request: Recorded) -> Refusal:
        """The time to wait is in the body."""
        status, headers, body = super().refusal(failure, request)
        headers.pop("retry-after", None)
        return status, headers, body

    def error(self, failure: Failure, request: Recorded) -> tuple[int, Any]:
        """The vendor's words."""
        too_long = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
        unknown = (
            f"models/{request.model} is not found for API version v1beta, or is not supported for generateContent."
        )
        invalid = f"API key not valid. Please pass a valid API key instead of {self.key(request)}."
        status, name, message = {
            "rate_limit": (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota."),
            "server_error": (500, "INTERNAL", "An internal error has occurred."),
            "context": (400, "INVALID_ARGUMENT", too_long),
            "unauthorized": (400, "INVALID_ARGUMENT", invalid),
            "no_model": (404, "NOT_FOUND", unknown),
        }[failure.kind]
        details: list[Any] = []
        if failure.retry_after is not None:
            delay = f"{failure.retry_after:g}s"
            details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
        return status, {"error": {"code": status, "message": message, "status": name, "details": details}}

    def stream_error(self, request: Recorded) -> bytes:
        """An error instead of a response."""
        return sse({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}})


def _response(model: str, parts: list[Any], finish: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": model, "responseId": "resp-1"}


def _calls(reply: Reply) -> list[Any]:
    return [
        {"functionCall": {"id": call.id, "name": call.name, "args": json.loads(call.arguments)}} for call in reply.calls
    ]


def _usage(reply: Reply) -> dict[str, Any]:
    return {
        "promptTokenCount": reply.prompt_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": reply.prompt_tokens}],
        "candidatesTokenCount": reply.completion_tokens,
        "cachedContentTokenCount": reply.cached_tokens,
        "totalTokenCount": reply.prompt_tokens + reply.completion_tokens,
    }
