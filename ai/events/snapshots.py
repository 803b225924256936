"""Runs, steps and messages as the Assistants API writes them in JSON, with every key that its clients require."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

#: The codes that the API knows for a failed run and a failed step; ours are finer.
_RUN_CODES = {"rate_limit_exceeded": "rate_limit_exceeded"} | dict.fromkeys(
    ("invalid_prompt", "context_length_exceeded"), "invalid_prompt"
)
_STEP_CODES = {"rate_limit_exceeded": "rate_limit_exceeded"}
_REASONS = ("max_prompt_tokens", "max_completion_tokens")


def run(
    *,
    run_id: str,
    thread_id: str,
    assistant_id: str | None,
    model: str,
    instructions: str,
    tools: list[Json],
    settings: Json,
    metadata: Json,
    created_at: int,
    expires_at: int | None,
) -> Json:
    """A queued run. Times are in Unix seconds, ids in their public form."""
    return {
        "id": run_id,
        "object": "thread.run",
        "created_at": created_at,
        "thread_id": thread_id,
        "assistant_id": assistant_id,
        "status": "queued",
        "required_action": None,
        "last_error": None,
        "expires_at": expires_at,
        "started_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "incomplete_details": None,
        "model": settings.get("requested_model") or model,
        "instructions": instructions,
        "tools": tools,
        "metadata": metadata,
        "usage": None,
        "temperature": settings.get("temperature"),
        "top_p": settings.get("top_p"),
        "max_prompt_tokens": settings.get("max_prompt_tokens"),
        "max_completion_tokens": settings.get("max_completion_tokens"),
        "truncation_strategy": settings.get("truncation_strategy") or {"type": "auto", "last_messages": None},
        "tool_choice": settings.get("tool_choice") or "auto",
        "parallel_tool_calls": settings.get("parallel_tool_calls") is not False,
        "response_format": settings.get("response_format") or "auto",
    }


def step(*, step_id: str, of_run: Json, kind: str, details: Json, created_at: int) -> Json:
    """A step in progress of the run `of_run`; `kind` is `message_creation` or `tool_calls`."""
    return {
        "id": step_id,
        "object": "thread.run.step",
        "created_at": created_at,
        "run_id": of_run["id"],
        "assistant_id": of_run["assistant_id"],
        "thread_id": of_run["thread_id"],
        "type": kind,
        "status": "in_progress",
        "cancelled_at": None,
        "completed_at": None,
        "expired_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": {"type": kind, kind: details},
        "metadata": None,
        "usage": None,
    }


def message(*, message_id: str, of_run: Json, created_at: int) -> Json:
    """An assistant's message of the run `of_run`, in progress and still empty."""
    return {
        "id": message_id,
        "object": "thread.message",
        "created_at": created_at,
        "thread_id": of_run["thread_id"],
        "status": "in_progress",
        "incomplete_details": None,
        "completed_at": None,
        "incomplete_at": None,
        "role": "assistant",
        "content": [],
        "assistant_id": of_run["assistant_id"],
        "run_id": of_run["id"],
        "attachments": [],
        "metadata": {},
    }


def text_part(text: str, annotations: Sequence[Json] = ()) -> Json:
    """A message's text, whole."""
    return {"type": "text", "text": {"value": text, "annotations": list(annotations)}}


def message_delta(message_id: str, text: str, annotations: Sequence[Json] = ()) -> Json:
    """More text for a message, or what its text refers to."""
    more: Json = {"value": text}
    if annotations:
        more["annotations"] = [{"index": index, **each} for index, each in enumerate(annotations)]
    content = [{"index": 0, "type": "text", "text": more}]
    return {"id": message_id, "object": "thread.message.delta", "delta": {"content": content}}


def step_delta(step_id: str, call: Json) -> Json:
    """More of a tool call: `call` holds its `index` and what is new; clients join the texts."""
    details = {"type": "tool_calls", "tool_calls": [call]}
    return {"id": step_id, "object": "thread.run.step.delta", "delta": {"step_details": details}}


def usage(prompt: int, completion: int) -> Json:
    """Tokens used."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def last_error(code: str, message: str) -> Json | None:
    """Why a run failed, in the API's codes; None when there is no code."""
    return {"code": _RUN_CODES.get(code, "server_error"), "message": message} if code else None


def step_error(code: str, message: str) -> Json | None:
    """Why a step failed, in the API's codes; None when there is no code."""
    return {"code": _STEP_CODES.get(code, "server_error"), "message": message} if code else None


def incomplete_details(reason: str) -> Json | None:
    """Why a run is incomplete, in the API's reasons: whatever limit of ours it was counts as one of completion tokens."""
    if not reason:
        return None
    return {"reason": reason if reason in _REASONS else "max_completion_tokens"}
