"""OpenAI's chat completions, and those who speak it with an accent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from tests.fakes.vendors.wire.base import CREATED, Frame, Vendor, dump, halves, sse

if TYPE_CHECKING:
    from tests.fakes.vendors.script import Call, Failure, Reply
    from tests.fakes.vendors.server import Recorded

Errors = dict[str, tuple[int, Any]]


class OpenAIChat(Vendor):
    """OpenAI itself."""

    finishes: ClassVar[dict[str, str]] = {"stop": "stop", "length": "length"}

    def wants_usage(self, request: Recorded) -> bool:
        """Only when asked."""
        return bool((request.json.get("stream_options") or {}).get("include_usage"))

    def usage(self, reply: Reply) -> dict[str, Any]:
        """The usage block."""
        return {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": reply.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }

    def envelope(self, kind: str, model: str, choices: list[Any], **more: Any) -> dict[str, Any]:
        """What surrounds the choices."""
        return {"id": "chatcmpl-1", "object": kind, "created": CREATED, "model": model, "choices": choices, **more}

    def frames(self, reply: Reply, model: str, *, usage: bool) -> Iterator[Frame]:
        """Chunks, then `[DONE]`."""
        yield self._delta(model, {"role": "assistant", "content": ""})
        for text in reply.chunks:
            yield self._delta(model, {"content": text}, is_text=True)
        for index, call in enumerate(reply.calls):
            for delta in self.call_deltas(index, call):
                yield self._delta(model, {"tool_calls": [delta]})
        finish = "tool_calls" if reply.calls else self.finishes[reply.finish]
        yield from self.last_frames(reply, model, finish, usage=usage)
        yield Frame(b"data: [DONE]\n\n")

    def call_deltas(self, index: int, call: Call) -> list[dict[str, Any]]:
        """A tool call in two pieces."""
        first, second = halves(call.arguments)
        head = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": first}}
        return [head, {"index": index, "function": {"arguments": second}}]

    def last_frames(self, reply: Reply, model: str, finish: str, *, usage: bool) -> Iterator[Frame]:
        """The finish reason and the usage."""
        yield self._delta(model, {}, finish=finish)
        if usage:
            yield Frame(sse(self.envelope("chat.completion.chunk", model, [], usage=self.usage(reply))))

    def _delta(self, model: str, delta: Any, *, finish: str | None = None, is_text: bool = False, **more: Any) -> Frame:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Frame(sse(self.envelope("chat.completion.chunk", model, [choice], **more)), is_text)

    def whole(self, reply: Reply, model: str) -> bytes:
        """A completion."""
        message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
        if reply.calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in reply.calls
            ]
        finish = "tool_calls" if reply.calls else self.finishes[reply.finish]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        return dump(self.envelope("chat.completion", model, [choice], usage=self.usage(reply)))

    def error(self, failure: Failure, request: Recorded) -> tuple[int, Any]:
        """The vendor's words."""
        return self.errors(request.model, self.key(request))[failure.kind]

    def errors(self, model: str, key: str) -> Errors:
        """By kind."""
        return {
            "rate_limit": (
                429,
                _error("Rate limit reached for requests. Please try again later.", "requests", "rate_limit_exceeded"),
            ),
            "server_error": (
                500,
                _error("The server had an error while processing your request.", "server_error", None),
            ),
            "context": (
                400,
                _error(
                    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
                    "invalid_request_error",
                    "context_length_exceeded",
                ),
            ),
            "unauthorized": (
                401,
                _error(f"Incorrect API key provided: {key}.", "invalid_request_error", "invalid_api_key"),
            ),
            "no_model": (
                404,
                _error(
                    f"The model `{model}` does not exist or you do not have access to it.",
                    "invalid_request_error",
                    "model_not_found",
                ),
            ),
        }

    def stream_error(self, request: Recorded) -> bytes:
        """An error instead of a chunk."""
        return sse(_error("The server had an error while processing your request.", "server_error", None))


def _error(message: str, kind: str, code: str | None) -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


class Mistral(OpenAIChat):
    """Mistral: usage in the last chunk, its own errors."""

    base = ""
    path = "/v1/chat/completions"

    def wants_usage(self, request: Recorded) -> bool:
        """Always."""
        return True

    def call_deltas(self, index: int, call: Call) -> list[dict[str, Any]]:
        """A tool call in one piece."""
        return [{"index": index, "id": call.id, "function": {"name": call.name, "arguments": call.arguments}}]

    def last_frames(self, reply: Reply, model: str, finish: str, *, usage: bool) -> Iterator[Frame]:
        """In one."""
        yield self._delta(model, {"content": ""}, finish=finish, usage=self.usage(reply))

    def errors(self, model: str, key: str) -> Errors:
        """By kind."""

        def error(message: str, kind: str, code: str) -> Any:
            return {"object": "error", "message": message, "type": kind, "param": None, "code": code}

        too_long = (
            "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length"
        )
        return {
            "rate_limit": (429, error("Requests rate limit exceeded", "rate_limited", "1300")),
            "server_error": (500, error("Internal error", "internal_server_error", "1000")),
            "context": (400, error(too_long, "invalid_request_prompt", "3051")),
            "unauthorized": (401, {"detail": f"Unauthorized: {key}"}),
            "no_model": (400, error(f"Invalid model: {model}", "invalid_model", "1500")),
        }


class Groq(OpenAIChat):
    """Groq: usage in `x_groq`."""

    base = ""
    path = "/openai/v1/chat/completions"

    def last_frames(self, reply: Reply, model: str, finish: str, *, usage: bool) -> Iterator[Frame]:
        """In one."""
        yield self._delta(model, {}, finish=finish, x_groq={"id": "req_1", "usage": self.usage(reply)})


class HuggingFace(OpenAIChat):
    """Hugging Face's router."""

    def wants_usage(self, request: Recorded) -> bool:
        """Always."""
        return True

    def errors(self, model: str, key: str) -> Errors:
        """By kind."""
        too_long = (
            "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 20 `max_new_tokens`"
        )
        return super().errors(model, key) | {
            "rate_limit": (429, {"error": "Too Many Requests: you have reached the rate limit."}),
            "context": (422, {"error": f"Input validation error: {too_long}", "error_type": "validation"}),
            "unauthorized": (401, {"error": f"Invalid username or password for {key}."}),
            "no_model": (
                400,
                _error(f"The requested model '{model}' does not exist", "invalid_request_error", "model_not_found"),
            ),
        }


class OpenRouter(OpenAIChat):
    """OpenRouter: names the provider behind it."""

    def wants_usage(self, request: Recorded) -> bool:
        """Always."""
        return True

    def envelope(self, kind: str, model: str, choices: list[Any], **more: Any) -> dict[str, Any]:
        """With the provider and each choice's native finish reason."""
        for choice in choices:
            choice["native_finish_reason"] = choice["finish_reason"]
        return {**super().envelope(kind, model, choices, **more), "provider": "Fake"}

    def errors(self, model: str, key: str) -> Errors:
        """By kind."""

        def error(code: int, message: str) -> tuple[int, Any]:
            return code, {"error": {"code": code, "message": message}, "user_id": "user_1"}

        return {
            "rate_limit": error(429, "Rate limit exceeded: free-models-per-min."),
            "server_error": error(502, "Provider returned error"),
            "context": error(
                400, "This endpoint's maximum context length is 8192 tokens. However, you requested 9001 tokens."
            ),
            "unauthorized": error(401, f"No auth credentials found for {key}"),
            "no_model": error(404, f"No endpoints found for {model}."),
        }

    def stream_error(self, request: Recorded) -> bytes:
        """An error beside an ended choice."""
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
        error = {"code": 502, "message": "Provider disconnected"}
        return sse(self.envelope("chat.completion.chunk", request.model, [choice], error=error))


class Ollama(OpenAIChat):
    """Ollama's OpenAI-compatible side."""

    def errors(self, model: str, key: str) -> Errors:
        """By kind."""
        return super().errors(model, key) | {
            "no_model": (404, _error(f"model '{model}' not found", "not_found_error", None)),
        }


class Azure(OpenAIChat):
    """Azure OpenAI: the deployment is in the path, the key in `api-key`."""

    base = ""

    def accepts(self, request: Recorded) -> bool:
        """With a version."""
        path, _, query = request.path.partition("?")
        return path == f"/openai/deployments/{request.model}/chat/completions" and "api-version=" in query

    def key(self, request: Recorded) -> str:
        """In a header of its own."""
        return request.headers.get("api-key", "")

    def errors(self, model: str, key: str) -> Errors:
        """By kind."""

        def error(code: str, message: str) -> Any:
            return {"error": {"code": code, "message": message}}

        limited = (
            "Requests to the ChatCompletions_Create Operation have exceeded the token rate limit. Please retry later."
        )
        denied = f"Access denied due to invalid subscription key {key} or wrong API endpoint."
        return super().errors(model, key) | {
            "rate_limit": (429, error("429", limited)),
            "unauthorized": (401, error("401", denied)),
            "no_model": (404, error("DeploymentNotFound", "The API deployment for this resource does not exist.")),
        }
