"""Errors as the Assistants API writes them in JSON."""

from __future__ import annotations

from typing import Any


def envelope(message: str, *, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """The body of every answer that is an error; `kind` is its `type`, such as "invalid_request_error"."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def kind_of(status: int) -> str:
    """The `type` that goes with an HTTP status."""
    if status == 429:
        return "requests"
    return "server_error" if status >= 500 else "invalid_request_error"
