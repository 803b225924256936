"""OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.fakes.vendors.wire.base import CREATED, Frame, dump, halves, sse
from tests.fakes.vendors.wire.openai_chat import OpenAIChat

if TYPE_CHECKING:
    from tests.fakes.vendors.script import Call, Reply
    from tests.fakes.vendors.server import Recorded


class OpenAIResponses(OpenAIChat):
    """Refuses as chat completions do, streams events with numbers."""

    path = "/responses"
    garbage = b'event: response.output_text.delta\ndata: {"type":"response.output_text.del\n\n'

    def frames(self, reply: Reply, model: str, *, usage: bool) -> Iterator[Frame]:
        """From `response.created` to `response.completed`."""
        for number, (kind, payload) in enumerate(self._events(reply, model)):
            event = {"type": kind, "sequence_number": number, **payload}
            yield Frame(sse(event, event=kind), is_text=kind == "response.output_text.delta")

    def _events(self, reply: Reply, model: str) -> Iterator[tuple[str, dict[str, Any]]]:
        begun = _response(model, "in_progress", [])
        yield "response.created", {"response": begun}
        yield "response.in_progress", {"response": begun}
        if reply.chunks:
            yield from self._message(reply)
        for index, call in enumerate(reply.calls, start=1 if reply.chunks else 0):
            yield from self._call(call, index)
        status = "incomplete" if reply.finish == "length" else "completed"
        yield f"response.{status}", {"response": self._finished(reply, model)}

    def _message(self, reply: Reply) -> Iterator[tuple[str, dict[str, Any]]]:
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        yield (
            "response.output_item.added",
            {"output_index": 0, "item": {**_message(""), "content": [], "status": "in_progress"}},
        )
        yield "response.content_part.added", {**place, "part": _part("")}
        for text in reply.chunks:
            yield "response.output_text.delta", {**place, "delta": text, "logprobs": []}
        yield "response.output_text.done", {**place, "text": reply.text, "logprobs": []}
        yield "response.content_part.done", {**place, "part": _part(reply.text)}
        yield "response.output_item.done", {"output_index": 0, "item": _message(reply.text)}

    def _call(self, call: Call, index: int) -> Iterator[tuple[str, dict[str, Any]]]:
        place = {"item_id": f"fc_{call.id}", "output_index": index}
        begun = {**_function_call(call), "arguments": "", "status": "in_progress"}
        yield "response.output_item.added", {"output_index": index, "item": begun}
        for half in halves(call.arguments):
            yield "response.function_call_arguments.delta", {**place, "delta": half}
        yield "response.function_call_arguments.done", {**place, "arguments": call.arguments, "name": call.name}
        yield "response.output_item.done", {"output_index": index, "item": _function_call(call)}

    def _finished(self, reply: Reply, model: str) -> dict[str, Any]:
        output = ([_message(reply.text)] if reply.chunks else []) + [_function_call(call) for call in reply.calls]
        finished = _response(model, "incomplete" if reply.finish == "length" else "completed", output)
        if reply.finish == "length":
            finished["incomplete_details"] = {"reason": "max_output_tokens"}
        finished["usage"] = {
            "input_tokens": reply.prompt_tokens,
            "input_tokens_details": {"cached_tokens": reply.cached_tokens},
            "output_tokens": reply.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        }
        return finished

    def whole(self, reply: Reply, model: str) -> bytes:
        """A response."""
        return dump(self._finished(reply, model))

    def stream_error(self, request: Recorded) -> bytes:
        """`response.failed`."""
        failed = _response(request.model, "failed", [])
        failed["error"] = {"code": "server_error", "message": "The model failed to generate a response."}
        return sse({"type": "response.failed", "sequence_number": 99, "response": failed}, event="response.failed")


def _response(model: str, status: str, output: list[Any]) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _message(text: str) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [_part(text)]}


def _function_call(call: Call) -> dict[str, Any]:
    return {
        "id": f"fc_{call.id}",
        "type": "function_call",
        "status": "completed",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    }
